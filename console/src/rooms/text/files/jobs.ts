/** The signed-in person's files of texts, as the server works through them. */

import {
  infiniteQueryOptions,
  keepPreviousData,
  queryOptions,
  useMutation,
  useQueryClient,
} from '@tanstack/react-query';

import type { components } from '../../../api/schema';
import { againAfterFailure } from '../../../server/again';
import { api, read } from '../../../server/client';

export type TextJob = components['schemas']['TextJob'];
export type Row = components['schemas']['Row'];

const JOBS = ['text-jobs'] as const;
const POLL_MS = 700;
export const PAGE_ROWS = 25;

/** How much of a row's text the API shows; the result has all of it. */
export const ROW_CHARS = 500;

export function isRunning(job: Pick<TextJob, 'state'>): boolean {
  return job.state === 'queued' || job.state === 'processing';
}

export const jobList = infiniteQueryOptions({
  queryKey: [...JOBS, 'list'] as const,
  initialPageParam: '',
  queryFn: ({ pageParam, signal }) =>
    read(
      api.GET('/api/v1/text-jobs', {
        params: { query: pageParam === '' ? { page_size: 20 } : { page_size: 20, cursor: pageParam } },
        signal,
      }),
    ),
  getNextPageParam: (page) =>
    page.next === null ? undefined : (new URL(page.next).searchParams.get('cursor') ?? undefined),
  refetchInterval: (query) =>
    query.state.data?.pages.some((page) => page.results.some(isRunning))
      ? 2 * POLL_MS
      : againAfterFailure(query),
});

export function job(id: string) {
  return queryOptions({
    queryKey: [...JOBS, 'one', id] as const,
    queryFn: ({ signal }) =>
      read(api.GET('/api/v1/text-jobs/{job_id}', { params: { path: { job_id: id } }, signal })),
    staleTime: 0,
    refetchInterval: (query) =>
      query.state.data !== undefined && isRunning(query.state.data)
        ? POLL_MS
        : againAfterFailure(query),
  });
}

interface RowsAsked {
  readonly id: string;
  /** Counted from 1. */
  readonly page: number;
  /** Only rows of this mood, or all. */
  readonly label: string | null;
  /** Rows done so far: a page that was not full is read again when there are more. */
  readonly done: number;
}

export function rows({ id, page, label, done }: RowsAsked) {
  return queryOptions({
    queryKey: [...JOBS, 'rows', id, { page, label, done }] as const,
    queryFn: ({ signal }) =>
      read(
        api.GET('/api/v1/text-jobs/{job_id}/rows', {
          params: {
            path: { job_id: id },
            query: {
              offset: (page - 1) * PAGE_ROWS,
              limit: PAGE_ROWS,
              ...(label === null ? {} : { label }),
            },
          },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
    enabled: done > 0,
  });
}

export interface NewFile {
  readonly file: File;
  readonly column: string;
  readonly header: boolean;
}

export function useCreateJob() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ file, column, header }: NewFile) => {
      const form = new FormData();
      form.set('file', file);
      form.set('column', column);
      form.set('header', String(header));
      return read(
        api.POST('/api/v1/text-jobs', {
          // The document says a file is a string; the form carries the file itself.
          body: { file: file.name, column, header },
          bodySerializer: () => form,
        }),
      );
    },
    onSuccess: (created) => {
      client.setQueryData(job(created.id).queryKey, created);
      return client.invalidateQueries({ queryKey: jobList.queryKey });
    },
  });
}

export function useDeleteJob() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) =>
      api.DELETE('/api/v1/text-jobs/{job_id}', { params: { path: { job_id: id } } }),
    onSuccess: (_, id) => {
      client.removeQueries({ queryKey: job(id).queryKey });
      return client.invalidateQueries({ queryKey: jobList.queryKey });
    },
  });
}

export function useRetryJob() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) =>
      read(api.POST('/api/v1/text-jobs/{job_id}/retry', { params: { path: { job_id: id } } })),
    onSuccess: (queued) => client.setQueryData(job(queued.id).queryKey, queued),
  });
}
