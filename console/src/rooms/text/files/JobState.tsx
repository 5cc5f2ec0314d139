import { Badge } from '@mantine/core';

import type { TextJob } from './jobs';

const LOOKS: Readonly<Record<TextJob['state'], { readonly word: string; readonly color: string }>> = {
  queued: { word: 'Waiting', color: 'gray' },
  processing: { word: 'Reading', color: 'cobalt' },
  done: { word: 'Done', color: 'gray' },
  failed: { word: 'Failed', color: 'red' },
  dead: { word: 'Set aside', color: 'red' },
};

/** A job's state in one word. */
export function JobState({ state }: { readonly state: TextJob['state'] }) {
  const { word, color } = LOOKS[state];
  return (
    <Badge variant={color === 'gray' ? 'default' : 'light'} color={color}>
      {word}
    </Badge>
  );
}
