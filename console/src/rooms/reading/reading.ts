/** What the signed-in person is suggested, what they read, and telling the server about it. */

import {
  infiniteQueryOptions,
  keepPreviousData,
  type QueryClient,
  queryOptions,
  useMutation,
  useQueryClient,
} from '@tanstack/react-query';

import type { components } from '../../api/schema';
import { api, csrfToken, read } from '../../server/client';

export type Suggested = components['schemas']['RecommendationList'];
export type Line = components['schemas']['RecommendationLine'];
export type Content = components['schemas']['Content'];
export type Interaction = components['schemas']['InteractionRow'];

export type Verdict = 'liked' | 'disliked' | null;

const READING = ['reading'] as const;
const LISTS = [...READING, 'list'] as const;
const DONE = [...READING, 'done'] as const;
export const LIST_LENGTH = 12;

export interface Taste {
  readonly categories: readonly string[];
  /** 0 (likeliest) to 1 (most varied). */
  readonly diversity: number;
}

/** The person's list. Not asked again when the window is looked at anew: it would move under the
 * reader's eyes, and every list shown is counted. */
export function suggestions({ categories, diversity }: Taste, n = LIST_LENGTH) {
  return queryOptions({
    queryKey: [...LISTS, { categories, diversity, n }] as const,
    queryFn: ({ signal }) =>
      read(
        api.GET('/api/v1/recommendations', {
          params: { query: { n, diversity, category: [...categories] } },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
    refetchOnWindowFocus: false,
    staleTime: 60_000,
  });
}

export function contentOf(id: string) {
  return queryOptions({
    queryKey: [...READING, 'content', id] as const,
    queryFn: ({ signal }) =>
      read(api.GET('/api/v1/contents/{content_id}', { params: { path: { content_id: id } }, signal })),
    staleTime: 60_000,
  });
}

export function similarTo(id: string) {
  return queryOptions({
    queryKey: [...READING, 'similar', id] as const,
    queryFn: ({ signal }) =>
      read(
        api.GET('/api/v1/contents/{content_id}/similar', {
          params: { path: { content_id: id }, query: { n: 4 } },
          signal,
        }),
      ),
    refetchOnWindowFocus: false,
    staleTime: 60_000,
  });
}

export const categories = queryOptions({
  queryKey: [...READING, 'categories'] as const,
  queryFn: ({ signal }) => read(api.GET('/api/v1/categories', { signal })),
  staleTime: 60_000,
});

/** What the person did with one content, newest first. */
export function doneWith(id: string) {
  return queryOptions({
    queryKey: [...DONE, 'with', id] as const,
    queryFn: ({ signal }) =>
      read(api.GET('/api/v1/interactions', { params: { query: { content: id } }, signal })),
    staleTime: 0,
  });
}

export const everythingDone = infiniteQueryOptions({
  queryKey: [...DONE, 'all'] as const,
  initialPageParam: '',
  queryFn: ({ pageParam, signal }) =>
    read(
      api.GET('/api/v1/interactions', {
        params: {
          query: { page_size: 100, ...(pageParam === '' ? {} : { cursor: pageParam }) },
        },
        signal,
      }),
    ),
  getNextPageParam: (page) =>
    page.next === null ? undefined : (new URL(page.next).searchParams.get('cursor') ?? undefined),
  staleTime: 0,
});

/** The newest like or dislike decides, as it does on the server. */
export function verdictOf(rows: readonly Interaction[]): Verdict {
  const last = rows.find(({ liked, disliked }) => liked || disliked);
  if (last === undefined) return null;
  return last.liked ? 'liked' : 'disliked';
}

interface Judged {
  readonly id: string;
  /** Null takes back what was said. */
  readonly verdict: Verdict;
  /** The list it was chosen from, if it was. */
  readonly impression: string | null;
}

export function useJudge() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ id, verdict, impression }: Judged): Promise<void> => {
      if (verdict === null) {
        await read(api.DELETE('/api/v1/interactions', { params: { query: { content: id } } }));
        return;
      }
      await read(
        api.POST('/api/v1/interactions', {
          body: {
            interactions: [
              { content_id: id, liked: verdict === 'liked', disliked: verdict === 'disliked', view_time: 0 },
            ],
            ...(impression === null ? {} : { impression }),
          },
        }),
      );
    },
    onSuccess: () => forgetLists(client),
  });
}

/** Whatever was asked before the person did something is out of date. */
export function forgetLists(client: QueryClient): Promise<unknown> {
  return Promise.all([
    client.invalidateQueries({ queryKey: LISTS }),
    client.invalidateQueries({ queryKey: DONE }),
  ]);
}

/** Tells how long a text was in sight. The request outlives the page; `sendBeacon` would too, but
 * cannot carry the CSRF token. */
export function tellViewTime(id: string, seconds: number, impression: string | null): Promise<void> {
  const body = {
    interactions: [{ content_id: id, view_time: Math.round(seconds * 10) / 10 }],
    ...(impression === null ? {} : { impression }),
  };
  return fetch('/api/v1/interactions', {
    method: 'POST',
    keepalive: true,
    credentials: 'same-origin',
    headers: { 'Content-Type': 'application/json', 'X-CSRFToken': csrfToken() },
    body: JSON.stringify(body),
  }).then(
    () => undefined,
    () => undefined, // A view that was not told costs nobody anything.
  );
}
