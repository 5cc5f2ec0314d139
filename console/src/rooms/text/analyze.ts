/** Asks the API for the mood of one text. */

import { keepPreviousData, useQuery } from '@tanstack/react-query';

import type { components } from '../../api/schema';
import { api, read } from '../../server/client';
import { useSession } from '../../server/session';

export type Analysis = components['schemas']['Analysis'];

/** The longest text the API takes, in characters. */
export const MAX_CHARS = 100_000;

/** Up to this length a text is read while it is typed; longer ones when asked. */
export const LIVE_CHARS = 2_000;

async function analyze(text: string, signal: AbortSignal): Promise<Analysis> {
  const { results } = await read(api.POST('/api/v1/analyze', { body: { text }, signal }));
  const [first] = results;
  if (first === undefined) throw new Error('The answer held no result.');
  return first;
}

/** The mood of `text`, once somebody is signed in; the last one stays in sight while it is read. */
export function useAnalysis(text: string) {
  const { data: session } = useSession();
  const asked = text.trim();
  return useQuery({
    queryKey: ['analysis', asked] as const,
    queryFn: ({ signal }) => analyze(asked, signal),
    enabled: asked !== '' && asked.length <= MAX_CHARS && Boolean(session?.user),
    staleTime: 5 * 60_000,
    gcTime: 60_000,
    placeholderData: asked === '' ? undefined : keepPreviousData,
    refetchOnWindowFocus: false,
  });
}
