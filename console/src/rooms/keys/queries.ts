/** The signed-in person's API keys. */

import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';

import type { components } from '../../api/schema';
import { api, read } from '../../server/client';

export type Key = components['schemas']['Key'];
export type CreatedKey = components['schemas']['CreatedKey'];

export const keys = queryOptions({
  queryKey: ['keys'] as const,
  queryFn: ({ signal }) => read(api.GET('/api/v1/keys', { signal })),
});

export function useCreateKey() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (name: string) => read(api.POST('/api/v1/keys', { body: { name } })),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.queryKey }),
  });
}

export function useRevokeKey() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) =>
      api.DELETE('/api/v1/keys/{key_id}', { params: { path: { key_id: id } } }),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.queryKey }),
  });
}
