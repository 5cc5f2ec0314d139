import { Group, Stack, Title } from '@mantine/core';
import type { ReactNode } from 'react';

interface Props {
  readonly title: string;
  /** For the window's title, where the heading is longer than a tab can show. */
  readonly shortTitle?: string;
  readonly lead?: ReactNode;
  readonly actions?: ReactNode;
}

/** A page's heading, its window title, and a line or two that say what it is for. */
export function PageHeader({ title, shortTitle = title, lead, actions }: Props) {
  return (
    <Stack gap="sm" mb={{ base: 'xl', sm: 40 }}>
      <title>{`${shortTitle} · Discern`}</title>
      <Group justify="space-between" align="flex-start" gap="md">
        <Title order={1} className="wraps">
          {title}
        </Title>
        {actions}
      </Group>
      {lead !== undefined && <p className="lead wraps">{lead}</p>}
    </Stack>
  );
}
