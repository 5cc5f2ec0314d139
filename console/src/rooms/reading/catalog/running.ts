/** How recommending goes, fits and imports, as those who run the site see them. */

import { keepPreviousData, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';

import type { components } from '../../../api/schema';
import { againAfterFailure } from '../../../server/again';
import { api, read } from '../../../server/client';

export type Metrics = components['schemas']['RecommendationMetrics'];
export type Fit = components['schemas']['LearningJob'];
export type Row = components['schemas']['ContentRow'];
export type Import = components['schemas']['ImportJob'];
export type ImportKind = Import['kind'];

export const CATALOG = ['catalog'] as const;
const POLL_MS = 1000;

export function isUnderWay({ state }: Pick<Fit | Import, 'state'>): boolean {
  return state === 'queued' || state === 'processing';
}

export const metrics = queryOptions({
  queryKey: [...CATALOG, 'metrics'] as const,
  queryFn: ({ signal }) => read(api.GET('/api/v1/recommendations/metrics', { signal })),
});

export const CATALOG_ROWS = 20;

export interface Shelf {
  /** Empty for every category. */
  readonly category: string;
  /** Empty for the newest. */
  readonly cursor: string;
}

/** A page of what lists are chosen from, newest first. */
export function contents({ category, cursor }: Shelf) {
  return queryOptions({
    queryKey: [...CATALOG, 'contents', { category, cursor }] as const,
    queryFn: ({ signal }) =>
      read(
        api.GET('/api/v1/contents', {
          params: {
            query: {
              page_size: CATALOG_ROWS,
              ...(category === '' ? {} : { category }),
              ...(cursor === '' ? {} : { cursor }),
            },
          },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
  });
}

/** What of a neighboring page's address leads there. */
export function cursorOf(address: string | null): string {
  return address === null ? '' : (new URL(address).searchParams.get('cursor') ?? '');
}

export const fits = queryOptions({
  queryKey: [...CATALOG, 'fits'] as const,
  queryFn: ({ signal }) =>
    read(api.GET('/api/v1/recommendations/fits', { params: { query: { page_size: 1 } }, signal })),
  refetchInterval: (query) =>
    query.state.data?.results.some(isUnderWay) ? POLL_MS : againAfterFailure(query),
});

export const imports = queryOptions({
  queryKey: [...CATALOG, 'imports'] as const,
  queryFn: ({ signal }) =>
    read(api.GET('/api/v1/imports', { params: { query: { page_size: 5 } }, signal })),
  refetchInterval: (query) =>
    query.state.data?.results.some(isUnderWay) ? POLL_MS : againAfterFailure(query),
});

export function useFit() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (seconds: number) =>
      read(api.POST('/api/v1/recommendations/fits', { body: { tune_seconds: seconds } })),
    onSuccess: () => client.invalidateQueries({ queryKey: fits.queryKey }),
  });
}

export function useImport() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ file, kind }: { file: File; kind: ImportKind }) => {
      const form = new FormData();
      form.set('file', file);
      form.set('kind', kind);
      return read(
        api.POST('/api/v1/imports', {
          // The document says a file is a string; the form carries the file itself.
          body: { file: file.name, kind },
          bodySerializer: () => form,
        }),
      );
    },
    onSuccess: () => client.invalidateQueries({ queryKey: imports.queryKey }),
  });
}
