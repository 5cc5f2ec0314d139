import { describe, expect, it } from 'vitest';

import { MAX_CHARS } from './analyze';
import { characters } from './characters';

describe('the length of a text', () => {
  it('is counted in characters and not in halves of them', () => {
    expect(characters('')).toBe(0);
    expect(characters('día')).toBe(3);
    expect(characters('👍')).toBe(1);
    expect(characters('👍🏽')).toBe(2);
    expect(characters('a\ud800')).toBe(2);
  });
  it('lets as many emoji pass as the API takes', () => {
    expect(characters('👍'.repeat(MAX_CHARS))).toBe(MAX_CHARS);
  });
});
