import { describe, expect, it } from 'vitest';

import { Failure } from '../../server/problem';
import { readHealth } from './health';

describe('the probe’s answer', () => {
  it('is ready when every part is', () => {
    expect(readHealth({ status: 'ready', checks: { database: 'ok', model_server: 'ok' } })).toEqual({
      ready: true,
      checks: { database: 'ok', model_server: 'ok' },
    });
  });
  it('is not when one part is not', () => {
    expect(readHealth({ checks: { database: 'ok', model_server: 'not ready' } }).ready).toBe(false);
  });
  it('is refused when it is something else', () => {
    expect(() => readHealth(null)).toThrow(Failure);
    expect(() => readHealth({ status: 'ready' })).toThrow(Failure);
  });
});
