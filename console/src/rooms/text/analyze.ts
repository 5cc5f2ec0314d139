/** Asks the API for the mood of one text, and tells it when the answer was wrong. */

import { keepPreviousData, useMutation, useQuery } from '@tanstack/react-query';

import type { components } from '../../api/schema';
import { api, read } from '../../server/client';
import { useSession } from '../../server/session';

export type Mood = components['schemas']['Mood'];

/** The longest text the API takes, in characters. */
export const MAX_CHARS = 100_000;

/** Up to this length a text is read while it is typed; longer ones when asked. */
export const LIVE_CHARS = 2_000;

interface Question {
  readonly text: string;
  /** Whether the server keeps the text and its mood for this account. */
  readonly record?: boolean;
  readonly signal?: AbortSignal;
}

async function analyze({ text, record = false, signal }: Question): Promise<Mood> {
  const { results } = await read(
    api.POST('/api/v1/analyze', { body: { text, record }, signal: signal ?? null }),
  );
  const [first] = results;
  if (first === undefined) throw new Error('The answer held no result.');
  return first;
}

/** The mood of `text`, once somebody is signed in; the last one stays in sight while it is read. */
export function useMood(text: string) {
  const { data: session } = useSession();
  const asked = text.trim();
  return useQuery({
    queryKey: ['mood', asked] as const,
    queryFn: ({ signal }) => analyze({ text: asked, signal }),
    enabled: asked !== '' && asked.length <= MAX_CHARS && Boolean(session?.user),
    staleTime: 5 * 60_000,
    gcTime: 60_000,
    placeholderData: asked === '' ? undefined : keepPreviousData,
    refetchOnWindowFocus: false,
  });
}

/** Says which mood would have been right. Only then is the text kept: nothing typed is otherwise. */
export function useFeedback() {
  return useMutation({
    mutationFn: async ({ text, label }: { text: string; label: string }) => {
      const { id } = await analyze({ text: text.trim(), record: true });
      if (id === null) throw new Error('The text was not kept.');
      await api.POST('/api/v1/analyses/{analysis_id}/feedback', {
        params: { path: { analysis_id: id } },
        body: { label },
      });
    },
  });
}
