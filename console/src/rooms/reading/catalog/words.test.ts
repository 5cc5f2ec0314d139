import { describe, expect, it } from 'vitest';

import { outcomeInWords, stageInWords } from './words';

describe('a fit’s stage in words', () => {
  it('says what the search has come to', () => {
    expect(stageInWords('0.2491  ridge 20, dropout 0.50')).toBe(
      'Searching for settings; NDCG 0.2491 with ridge 20, dropout 0.50.',
    );
    expect(stageInWords('short histories: Settings(ridge=1)')).toContain('new readers');
  });
  it('keeps other lines, as sentences', () => {
    expect(stageInWords('measuring on people held out')).toBe('Measuring on people held out.');
    expect(stageInWords('')).toBe('Reading what readers did.');
  });
});

describe('what became of a file', () => {
  it('counts what happened only', () => {
    expect(outcomeInWords({ added: 2, refused: 1, unknown: 0 })).toBe('2 rows added, 1 row refused');
    expect(outcomeInWords({ added: 3, late: 2, out_of_order: 1 })).toBe(
      '3 rows added, 2 rows over an hour old, 1 row older than what was known',
    );
    expect(outcomeInWords({})).toBe('No rows');
  });
});
