/** Of counts sorted downward, the share that the first `part` of them has. */
export function topShare(counts: readonly number[], part: number): number {
  const total = counts.reduce((sum, value) => sum + value, 0);
  const first = counts.slice(0, Math.max(1, Math.round(counts.length * part)));
  return total === 0 ? 0 : first.reduce((sum, value) => sum + value, 0) / total;
}
