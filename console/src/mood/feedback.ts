/** Asks the API for the mood of one text, and tells it when the answer was wrong. */

import { useMutation } from '@tanstack/react-query';

import type { components } from '../api/schema';
import { api, read } from '../server/client';

interface Question {
  readonly text: string;
  /** Whether the server keeps the text and its mood for this account. */
  readonly record?: boolean;
  readonly signal?: AbortSignal;
}

/** The mood of one text. */
export async function analyze({
  text,
  record = false,
  signal,
}: Question): Promise<components['schemas']['Mood']> {
  const { results } = await read(
    api.POST('/api/v1/analyze', { body: { text, record }, signal: signal ?? null }),
  );
  const [first] = results;
  if (first === undefined) throw new Error('The answer held no result.');
  return first;
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
