import { describe, expect, it } from 'vitest';

import { FINDS, remembered } from './find';

describe('what is looked for', () => {
  it('is both until somebody chooses, and where a stored choice cannot be read', () => {
    expect([undefined, '', 'faces', '{"objects":1}'].map(remembered)).toEqual([
      FINDS, FINDS, FINDS, FINDS,
    ]);
  });

  it('is what was chosen, in one order', () => {
    expect(remembered('text')).toEqual(['text']);
    expect(remembered('text,objects')).toEqual(['objects', 'text']);
  });
});
