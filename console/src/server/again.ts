/** What failed for a passing reason is asked again until it works; a notice says so meanwhile. */

import { asFailure } from './problem';

const PAUSE_MS = 3_000;

interface Asked {
  readonly state: { readonly error: unknown };
}

/** Milliseconds until a failed query is asked again; false when that would not help. */
export function againAfterFailure({ state }: Asked): number | false {
  if (state.error === null) return false;
  const failure = asFailure(state.error);
  if (!failure.passing) return false;
  return Math.max(PAUSE_MS, 1000 * (failure.retryAfterS ?? 0));
}
