import { Paper, Stack, Text, Title } from '@mantine/core';
import { type ReactNode, useId } from 'react';

interface Props {
  readonly title: string;
  /** What the plot shows, said to those who cannot see it. */
  readonly spoken: string;
  readonly note?: string;
  readonly children: ReactNode;
}

/** A plot with its title and, in words, what is to be seen in it. */
export function Figure({ title, spoken, note, children }: Props) {
  const id = useId();
  return (
    <Paper p={{ base: 'lg', sm: 32 }} component="section" aria-labelledby={id}>
      <Stack gap="md">
        <Title order={2} id={id}>
          {title}
        </Title>
        <div role="img" aria-label={spoken}>
          {children}
        </div>
        {note !== undefined && (
          <Text size="sm" c="dimmed">
            {note}
          </Text>
        )}
      </Stack>
    </Paper>
  );
}
