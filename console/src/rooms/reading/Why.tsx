import { Text } from '@mantine/core';
import { IconBook2, IconFlame, IconHeart, IconSparkles } from '@tabler/icons-react';

import type { Line } from './reading';
import classes from './Reading.module.css';

const MARKS = {
  because: IconHeart,
  popular: IconFlame,
  new: IconSparkles,
  similar: IconBook2,
} as const;

/** Why a line stands in a list, in words and with a mark of its kind. */
export function Why({ reason }: { readonly reason: Line['reason'] }) {
  if (!reason) return null;
  const Mark = MARKS[reason.kind];
  return (
    <Text size="sm" c="dimmed" className={classes.why}>
      <Mark size={15} stroke={1.7} aria-hidden="true" />
      <span>{sentence(reason.text)}</span>
    </Text>
  );
}

export function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
