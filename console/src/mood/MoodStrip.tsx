import { Progress } from '@mantine/core';

import { count } from '../format/numbers';
import { appearance, inOrder, moodColor } from './mood';

interface Props {
  /** How many of each mood. */
  readonly counts: Readonly<Record<string, number>>;
}

/** Moods of many texts as one line; its numbers are read aloud, and shown on the page it leads to. */
export function MoodStrip({ counts }: Props) {
  const labels = inOrder(Object.keys(counts));
  const total = labels.reduce((sum, label) => sum + (counts[label] ?? 0), 0);
  if (total === 0) return null;
  const words = labels.map((label) => `${appearance(label).word} ${count(counts[label] ?? 0)}`);
  return (
    <Progress.Root size={8} role="img" aria-label={words.join(', ')} title={words.join(' · ')}>
      {labels.map((label) => (
        <Progress.Section
          key={label}
          value={((counts[label] ?? 0) / total) * 100}
          color={moodColor(label)}
          withAria={false}
        />
      ))}
    </Progress.Root>
  );
}
