import { Button, Group } from '@mantine/core';
import {
  IconThumbDown,
  IconThumbDownFilled,
  IconThumbUp,
  IconThumbUpFilled,
} from '@tabler/icons-react';

import type { Verdict as Judgment } from './reading';

const CHOICES = [
  { verdict: 'liked', word: 'Like', Open: IconThumbUp, Full: IconThumbUpFilled },
  { verdict: 'disliked', word: 'Dislike', Open: IconThumbDown, Full: IconThumbDownFilled },
] as const;

interface Props {
  readonly title: string;
  readonly verdict: Judgment;
  readonly busy: boolean;
  /** The small pair of a list's line, or the plain one below a text. */
  readonly compact?: boolean;
  /** With null the one that stands is taken back. */
  readonly onJudge: (verdict: Judgment) => void;
}

/** Like or dislike; the one that stands is pressed. Choosing the other replaces it, choosing it
 * again takes it back. */
export function Verdict({ title, verdict, busy, compact = false, onJudge }: Props) {
  return (
    <Group gap={compact ? 4 : 'sm'} wrap="nowrap" role="group" aria-label={`Your opinion of ${title}`}>
      {CHOICES.map(({ verdict: choice, word, Open, Full }) => {
        const pressed = verdict === choice;
        const Icon = pressed ? Full : Open;
        return (
          <Button
            key={choice}
            size={compact ? 'compact-sm' : 'sm'}
            variant={pressed ? 'light' : compact ? 'subtle' : 'default'}
            color={pressed ? 'cobalt' : 'gray'}
            aria-pressed={pressed}
            aria-label={`${word} ${title}`}
            disabled={busy}
            leftSection={<Icon size={compact ? 15 : 17} stroke={1.6} aria-hidden="true" />}
            onClick={() => onJudge(pressed ? null : choice)}
          >
            {word}
          </Button>
        );
      })}
    </Group>
  );
}
