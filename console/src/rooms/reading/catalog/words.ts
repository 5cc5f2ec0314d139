/** What fits and imports say, in words. */

import { plural } from '../../../format/numbers';

/** The fit's own line is for a log: numbers first. */
export function stageInWords(stage: string): string {
  const tried = /^(0\.\d+) {2}(.*)$/.exec(stage);
  if (tried !== null) return `Searching for settings; NDCG ${tried[1]} with ${tried[2]}.`;
  if (stage.startsWith('short histories')) return 'Searching for settings for new readers.';
  if (stage === '') return 'Reading what readers did.';
  return `${stage.charAt(0).toUpperCase()}${stage.slice(1)}.`;
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
