/** What fits and imports say, in words. */

import { plural } from '../../../format/numbers';
import type { Fit } from './running';

/** The fit's own line is for a log: numbers first. */
export function stageInWords(stage: string): string {
  const tried = /^([01]\.\d+) {2}(.*)$/.exec(stage);
  if (tried !== null) return `Searching for settings; NDCG ${tried[1]} with ${tried[2]}.`;
  if (stage.startsWith('short histories')) return 'Searching for settings for new readers.';
  if (stage === '') return 'Reading what readers did.';
  return `${stage.charAt(0).toUpperCase()}${stage.slice(1)}.`;
}

type Course = Pick<Fit, 'started_at' | 'tune_seconds' | 'progress_done' | 'progress_total'>;

/** Which part of a fit is under way at `now` (milliseconds), and the share of it that is done: the
 * search by its time, then the weights by their number. */
export function courseOf(fit: Course, now: number): { name: string; share: number } {
  const total = fit.progress_total ?? 0;
  if (total > 0) return { name: 'Weights solved', share: Math.min(1, fit.progress_done / total) };
  const elapsed = fit.started_at === null ? 0 : (now - new Date(fit.started_at).getTime()) / 1000;
  // Reading what readers did comes before the search; the bar waits for it just before its end.
  return { name: 'Search for settings', share: Math.min(0.96, elapsed / (fit.tune_seconds + 5)) };
}

const WORDS = [
  ['added', 'added'],
  ['replaced', 'replaced'],
  ['duplicates', 'there already'],
  ['unknown', 'with an unknown text'],
  ['refused', 'refused'],
  ['late', 'over an hour old'],
  ['out_of_order', 'older than what was known'],
] as const;

export function outcomeInWords(counts: Readonly<Record<string, number>>): string {
  const parts = WORDS.flatMap(([key, word]) => {
    const rows = counts[key] ?? 0;
    return rows === 0 ? [] : [`${plural(rows, 'row')} ${word}`];
  });
  return parts.length === 0 ? 'No rows' : parts.join(', ');
}
