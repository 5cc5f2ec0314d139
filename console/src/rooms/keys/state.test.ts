import { describe, expect, it } from 'vitest';

import { stateOf } from './state';

const NOW = new Date('2026-03-01T12:00:00Z');

describe('the state of a key', () => {
  it('stands without an end, and before it', () => {
    expect(stateOf({ revoked_at: null, expires_at: null }, NOW)).toBe('stands');
    expect(stateOf({ revoked_at: null, expires_at: '2026-03-01T12:00:01Z' }, NOW)).toBe('stands');
  });
  it('has expired from its end on, as the server sees it', () => {
    expect(stateOf({ revoked_at: null, expires_at: '2026-03-01T12:00:00Z' }, NOW)).toBe('expired');
  });
  it('is revoked whether or not it has expired too', () => {
    const revoked = '2026-02-01T00:00:00Z';
    expect(stateOf({ revoked_at: revoked, expires_at: null }, NOW)).toBe('revoked');
    expect(stateOf({ revoked_at: revoked, expires_at: '2026-02-02T00:00:00Z' }, NOW)).toBe('revoked');
  });
});
