/** The query cache: what is retried, for how long, and what happens when a session ends. */

import { QueryCache, MutationCache, QueryClient } from '@tanstack/react-query';

import { asFailure } from './problem';
import { againAfterFailure } from './again';
import { SESSION_KEY } from './session';

const MAX_TRIES = 2;

export function makeQueryClient(): QueryClient {
  const noticeSignOut = (error: unknown) => {
    if (asFailure(error).status === 401) void client.invalidateQueries({ queryKey: SESSION_KEY });
  };
  const client: QueryClient = new QueryClient({
    queryCache: new QueryCache({ onError: noticeSignOut }),
    mutationCache: new MutationCache({ onError: noticeSignOut }),
    defaultOptions: {
      queries: {
        staleTime: 10_000,
        refetchOnWindowFocus: true,
        refetchInterval: againAfterFailure,
        networkMode: 'always',
        retry: (tries, error) => asFailure(error).passing && tries < MAX_TRIES,
        retryDelay: (tries, error) =>
          1000 * (asFailure(error).retryAfterS ?? Math.min(2 ** tries, 8)),
      },
      mutations: { networkMode: 'always' },
    },
  });
  return client;
}
