import type { Key } from './queries';

export type KeyState = 'stands' | 'expired' | 'revoked';

/** Whether a key still opens anything at `now`; a revoked one is called that, whatever its date. */
export function stateOf(
  { revoked_at: revoked, expires_at: expires }: Pick<Key, 'revoked_at' | 'expires_at'>,
  now: Date = new Date(),
): KeyState {
  if (revoked !== null) return 'revoked';
  return expires !== null && new Date(expires) <= now ? 'expired' : 'stands';
}
