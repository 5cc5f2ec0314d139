/** The signed-in person's pictures, as the server keeps them and works on them. */

import {
  infiniteQueryOptions,
  type InfiniteData,
  keepPreviousData,
  type QueryClient,
  queryOptions,
  useMutation,
  useQueryClient,
} from '@tanstack/react-query';

import type { components } from '../../api/schema';
import { api, read } from '../../server/client';

export type Upload = components['schemas']['Upload'];
export type State = Upload['state'];
type Page = components['schemas']['UploadPage'];

const UPLOADS = ['uploads'] as const;
export const LISTS = [...UPLOADS, 'list'] as const;
const POLL_MS = 1500;
const PAGE_SIZE = 24;

export function isRunning({ state }: Pick<Upload, 'state'>): boolean {
  return state === 'queued' || state === 'processing';
}

export interface Filter {
  readonly state: State | null;
  readonly label: string | null;
}

/** Pictures, newest first. Asked again and again while one is being worked on: events may not get
 * through a proxy, and only a few pictures are followed by events at once. */
export function uploadList({ state: only, label }: Filter) {
  return infiniteQueryOptions({
    queryKey: [...LISTS, { only, label }] as const,
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) =>
      read(
        api.GET('/api/v1/uploads', {
          params: {
            query: {
              page_size: PAGE_SIZE,
              ...(only === null ? {} : { state: only }),
              ...(label === null ? {} : { label }),
              ...(pageParam === '' ? {} : { cursor: pageParam }),
            },
          },
          signal,
        }),
      ),
    getNextPageParam: (page) =>
      page.next === null ? undefined : (new URL(page.next).searchParams.get('cursor') ?? undefined),
    placeholderData: keepPreviousData,
    staleTime: 0,
    refetchInterval: ({ state }) =>
      state.data?.pages.some((page) => page.results.some(isRunning)) ? POLL_MS : false,
  });
}

export function uploadOf(id: string) {
  return queryOptions({
    queryKey: [...UPLOADS, 'one', id] as const,
    queryFn: ({ signal }) =>
      read(api.GET('/api/v1/uploads/{upload_id}', { params: { path: { upload_id: id } }, signal })),
    staleTime: 0,
    refetchInterval: ({ state }) =>
      state.data !== undefined && isRunning(state.data) ? POLL_MS : false,
  });
}

/** Puts news of one picture wherever it is shown. */
export function put(client: QueryClient, news: Upload): void {
  client.setQueryData(uploadOf(news.id).queryKey, news);
  client.setQueriesData<InfiniteData<Page>>({ queryKey: LISTS }, (known) =>
    known === undefined
      ? undefined
      : {
          ...known,
          pages: known.pages.map((page) => ({
            ...page,
            results: page.results.map((upload) => (upload.id === news.id ? news : upload)),
          })),
        },
  );
}

export async function refreshLists(client: QueryClient): Promise<void> {
  // A first list that is still under way may be of a moment before; it would not be asked again.
  await client.cancelQueries({ queryKey: LISTS });
  await client.invalidateQueries({ queryKey: LISTS });
}

export function useDeleteUpload() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) =>
      api.DELETE('/api/v1/uploads/{upload_id}', { params: { path: { upload_id: id } } }),
    onSuccess: (_, id) => {
      client.removeQueries({ queryKey: uploadOf(id).queryKey });
      return refreshLists(client);
    },
  });
}

export function useRetryUpload() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) =>
      read(
        api.POST('/api/v1/uploads/{upload_id}/retry', { params: { path: { upload_id: id } } }),
      ),
    onSuccess: (queued) => put(client, queued),
  });
}
