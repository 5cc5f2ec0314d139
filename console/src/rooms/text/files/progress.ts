/** What a running job's numbers mean to the person who waits for it. */

import { count, duration, plural, rate } from '../../../format/numbers';
import type { TextJob } from './jobs';

type Numbers = TextJob['progress'];

export function shareDone({ done, total }: Pick<Numbers, 'done' | 'total'>): number {
  return total === 0 ? 1 : Math.min(1, done / total);
}

/** The parts of the progress line: done, left, speed and time, as far as they are known. */
export function progressParts(numbers: Numbers): string[] {
  const { done, total, left, rows_per_second: speed, seconds_left: seconds } = numbers;
  const parts = [`${count(done)} of ${plural(total, 'row')} done`, `${count(left)} left`];
  if (speed !== null && speed > 0) parts.push(`${rate(speed)} rows/s`);
  if (seconds !== null && left > 0) parts.push(`about ${duration(seconds)} to go`);
  return parts;
}

/** What is said aloud: every quarter once, not every row. */
export function spokenProgress(numbers: Pick<Numbers, 'done' | 'total'>): string {
  const quarters = Math.floor(shareDone(numbers) * 4);
  return quarters === 0 ? '' : `${quarters * 25} percent done`;
}
