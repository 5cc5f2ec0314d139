import { Badge, Group, Text } from '@mantine/core';

interface Props {
  readonly name: string;
  readonly version: string;
}

/** Says that a result was made by a model, and by which; stands beside every such result. */
export function AiMark({ name, version }: Props) {
  return (
    <Group gap={8} wrap="nowrap" align="center">
      <Badge size="sm" variant="default" aria-label="Made by AI" style={{ flex: 'none' }}>
        AI
      </Badge>
      <Text size="xs" c="dimmed" className="wraps">
        {name} {version}
      </Text>
    </Group>
  );
}
