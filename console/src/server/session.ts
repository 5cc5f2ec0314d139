/** Who is signed in; the one source of it for every page. */

import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';

import type { components } from '../api/schema';
import { api, read } from './client';

export type Session = components['schemas']['Session'];

export const SESSION_KEY = ['session'] as const;

const session = queryOptions({
  queryKey: SESSION_KEY,
  queryFn: ({ signal }) => read(api.GET('/api/v1/session', { signal })),
  staleTime: 60_000,
});

export function useSession() {
  return useQuery(session);
}

export function useSignIn() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { username: string; password: string }) =>
      read(api.POST('/api/v1/session', { body })),
    onSuccess: (signedIn) => client.setQueryData(SESSION_KEY, signedIn),
  });
}

export function useSignOut() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => api.DELETE('/api/v1/session'),
    onSuccess: () => {
      client.setQueryData(session.queryKey, (before) => before && { ...before, user: null });
      // Nothing of one person may be left for the next at the same browser.
      client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== SESSION_KEY[0] });
      return client.invalidateQueries({ queryKey: SESSION_KEY });
    },
  });
}
