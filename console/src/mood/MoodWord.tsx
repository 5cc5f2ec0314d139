import { Group, Text } from '@mantine/core';

import { appearance } from './mood';
import { MoodMark } from './MoodMark';

interface Props {
  readonly label: string;
  readonly size?: 'sm' | 'lg';
}

/** A mood as its mark and its word. */
export function MoodWord({ label, size = 'sm' }: Props) {
  const large = size === 'lg';
  return (
    <Group gap={large ? 12 : 8} wrap="nowrap" component="span" display="inline-flex" style={{ verticalAlign: 'middle' }}>
      <MoodMark label={label} size={large ? 30 : 15} />
      <Text component="span" fw={large ? 600 : 450} fz={large ? '1.6rem' : 'inherit'} lh={1.2} inherit={!large}>
        {appearance(label).word}
      </Text>
    </Group>
  );
}
