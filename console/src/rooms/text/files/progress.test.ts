import { describe, expect, it } from 'vitest';

import { progressParts, shareDone, spokenProgress } from './progress';

const at = (done: number, rows_per_second: number | null, seconds_left: number | null) => ({
  done,
  total: 1000,
  left: 1000 - done,
  rows_per_second,
  seconds_left,
});

describe('a job’s progress', () => {
  it('says what is done, what is left, how fast and how long', () => {
    expect(progressParts(at(250, 50, 15))).toEqual([
      '250 of 1,000 rows done',
      '750 left',
      '50 rows/s',
      'about 15 s to go',
    ]);
  });
  it('promises nothing before there is a measure', () => {
    expect(progressParts(at(0, null, null))).toEqual(['0 of 1,000 rows done', '1,000 left']);
  });
  it('never passes the end, nor divides by nothing', () => {
    expect(shareDone({ done: 12, total: 10 })).toBe(1);
    expect(shareDone({ done: 0, total: 0 })).toBe(1);
  });
  it('is said aloud four times, not for every row', () => {
    const said = new Set(
      Array.from({ length: 1001 }, (_, done) => spokenProgress({ done, total: 1000 })),
    );
    expect([...said].filter((line) => line !== '')).toHaveLength(4);
  });
});
