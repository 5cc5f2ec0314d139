/** How the console writes moments: near ones relative to now, far ones as a date. */

const relative = new Intl.RelativeTimeFormat('en-US', { numeric: 'auto' });
const dates = new Intl.DateTimeFormat('en-US', { dateStyle: 'medium' });
const moments = new Intl.DateTimeFormat('en-US', { dateStyle: 'medium', timeStyle: 'short' });

const STEPS = [
  { unit: 'second', seconds: 1, below: 60 },
  { unit: 'minute', seconds: 60, below: 3600 },
  { unit: 'hour', seconds: 3600, below: 86_400 },
  { unit: 'day', seconds: 86_400, below: 7 * 86_400 },
] as const;

export function ago(iso: string, now: Date = new Date()): string {
  const moment = new Date(iso);
  const seconds = (moment.getTime() - now.getTime()) / 1000;
  if (Math.abs(seconds) < 10) return 'just now';
  const step = STEPS.find((candidate) => Math.abs(seconds) < candidate.below);
  if (step === undefined) return dates.format(moment);
  return relative.format(Math.trunc(seconds / step.seconds), step.unit);
}

export function exactly(iso: string): string {
  return moments.format(new Date(iso));
}
