import { Button, CopyButton, Group, Paper, ScrollArea, Stack, Text, VisuallyHidden } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';

import classes from './CopyField.module.css';

interface Props {
  readonly label: string;
  readonly value: string;
  /** What stands above the code; the label where nothing more is to be said. */
  readonly note?: string;
}

/** Code to take away: shown whole, copied with one press. */
export function CopyField({ label, value, note }: Props) {
  return (
    <Stack gap={6}>
      <Group justify="space-between" wrap="nowrap">
        {note === undefined ? (
          <Text size="sm" fw={550}>
            {label}
          </Text>
        ) : (
          <Text c="dimmed">{note}</Text>
        )}
        <Copy label={label} value={value} />
      </Group>
      <Paper radius="md" className={classes.box}>
        <ScrollArea type="auto" viewportProps={{ tabIndex: 0, 'aria-label': label, role: 'region' }}>
          <pre className={classes.code}>{value}</pre>
        </ScrollArea>
      </Paper>
    </Stack>
  );
}

function Copy({ label, value }: Props) {
  return (
    <CopyButton value={value} timeout={2500}>
      {({ copied, copy }) => (
        <>
          <Button
            size="compact-sm"
            flex="none"
            variant="subtle"
            leftSection={copied ? <IconCheck size={16} /> : <IconCopy size={16} stroke={1.6} />}
            aria-label={`Copy: ${label}`}
            onClick={copy}
          >
            {copied ? 'Copied' : 'Copy'}
          </Button>
          <VisuallyHidden role="status">{copied ? `${label} copied` : ''}</VisuallyHidden>
        </>
      )}
    </CopyButton>
  );
}
