/** What the site's own probes say, and one real reading from end to end. */

import { queryOptions } from '@tanstack/react-query';

import { api, read } from '../../server/client';
import { Failure, offline } from '../../server/problem';

const EVERY_MS = 5_000;

export interface Health {
  readonly ready: boolean;
  /** Each part by its name, "ok" or what is wrong with it. */
  readonly checks: Readonly<Record<string, string>>;
}

/** Reads the answer of /health/ready, which is the same document whether good or bad. */
export function readHealth(body: unknown): Health {
  if (typeof body !== 'object' || body === null || !('checks' in body)) {
    throw new Failure({ code: 'unreadable_answer', status: 0, detail: 'The probe answered oddly.' });
  }
  const entries = Object.entries(body.checks ?? {}).map(([name, state]) => [name, String(state)]);
  const checks = Object.fromEntries(entries) as Record<string, string>;
  return { ready: Object.values(checks).every((state) => state === 'ok'), checks };
}

export const health = queryOptions({
  queryKey: ['health'] as const,
  queryFn: async ({ signal }): Promise<Health> => {
    const answer = await fetch('/health/ready', { signal }).catch(() => null);
    if (answer === null) throw offline();
    return readHealth(await answer.json().catch(() => null));
  },
  refetchInterval: EVERY_MS,
  retry: false,
});

export interface Trial {
  readonly name: string;
  readonly version: string;
  /** From this browser to the model and back. */
  readonly milliseconds: number;
}

const SENTENCE = 'The train left on time.';

/** Reads one sentence, as every other request does, and takes the time. */
export const trial = queryOptions({
  queryKey: ['trial'] as const,
  queryFn: async ({ signal }): Promise<Trial> => {
    const started = performance.now();
    const answer = await read(api.POST('/api/v1/analyze', { body: { text: SENTENCE }, signal }));
    const milliseconds = performance.now() - started;
    const first = answer.results[0];
    if (first === undefined) throw new Error('The answer held no result.');
    return { name: first.model_name, version: first.model_version, milliseconds };
  },
  staleTime: 60_000,
  refetchOnWindowFocus: false,
});
