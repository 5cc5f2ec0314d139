import { describe, expect, it } from 'vitest';

import { topShare } from './shares';

describe('the share of the best known', () => {
  it('is what the first part has of all', () => {
    expect(topShare([8, 1, 1, 0, 0], 0.2)).toBe(0.8);
    expect(topShare([1, 1, 1, 1, 1], 0.2)).toBe(0.2);
  });
  it('is nothing of nothing', () => {
    expect(topShare([], 0.2)).toBe(0);
    expect(topShare([0, 0], 0.2)).toBe(0);
  });
});
