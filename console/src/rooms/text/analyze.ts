/** Asks the API for the mood of one text as it is typed. */

import { keepPreviousData, useQuery } from '@tanstack/react-query';

import type { components } from '../../api/schema';
import { analyze } from '../../mood/feedback';
import { useSession } from '../../server/session';
import { characters } from './characters';

export type Mood = components['schemas']['Mood'];

/** The longest text the API takes, in characters. */
export const MAX_CHARS = 100_000;

/** Up to this length a text is read while it is typed; longer ones when asked. */
export const LIVE_CHARS = 2_000;

/** The mood of `text`, once somebody is signed in; the last one stays in sight while it is read. */
export function useMood(text: string) {
  const { data: session } = useSession();
  const asked = text.trim();
  return useQuery({
    queryKey: ['mood', asked] as const,
    queryFn: ({ signal }) => analyze({ text: asked, signal }),
    enabled: asked !== '' && characters(asked) <= MAX_CHARS && Boolean(session?.user),
    staleTime: 5 * 60_000,
    gcTime: 60_000,
    placeholderData: asked === '' ? undefined : keepPreviousData,
    refetchOnWindowFocus: false,
  });
}

/** True while what is shown is the mood of the text before this one. */
export function isStale(reading: Pick<ReturnType<typeof useMood>, 'isFetching' | 'isPlaceholderData'>): boolean {
  return reading.isFetching && reading.isPlaceholderData;
}
