import { describe, expect, it } from 'vitest';

import { courseOf, outcomeInWords, stageInWords } from './words';

describe('a fit’s stage in words', () => {
  it('says what the search has come to', () => {
    expect(stageInWords('0.2491  ridge 20, dropout 0.50')).toBe(
      'Searching for settings; NDCG 0.2491 with ridge 20, dropout 0.50.',
    );
    expect(stageInWords('1.0000  ridge 20, 12 s left')).toContain('with ridge 20, 12 s left');
    expect(stageInWords('short histories: Settings(ridge=1)')).toContain('new readers');
  });
  it('keeps other lines, as sentences', () => {
    expect(stageInWords('measuring on people held out')).toBe('Measuring on people held out.');
    expect(stageInWords('')).toBe('Reading what readers did.');
  });
});

describe('how far a fit is', () => {
  const begun = '2026-01-01T00:00:00Z';
  const now = new Date(begun).getTime() + 30_000;
  const searching = { started_at: begun, tune_seconds: 55, progress_done: 0, progress_total: null };
  it('goes by the time while settings are searched for', () => {
    expect(courseOf(searching, now)).toEqual({ name: 'Search for settings', share: 0.5 });
    expect(courseOf({ ...searching, started_at: null }, now).share).toBe(0);
    expect(courseOf(searching, now + 3_600_000).share).toBeLessThan(1);
  });
  it('goes by what is solved afterwards', () => {
    expect(courseOf({ ...searching, progress_done: 30, progress_total: 40 }, now)).toEqual({
      name: 'Weights solved',
      share: 0.75,
    });
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
