import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import type { ReactNode } from 'react';

import { FailureNotice } from './FailureNotice';

interface Props {
  readonly opened: boolean;
  readonly title: string;
  /** What will happen, and that it cannot be undone. */
  readonly children: ReactNode;
  readonly keep: string;
  readonly confirm: string;
  readonly busy: boolean;
  readonly error: unknown;
  /** What still stands when it failed. */
  readonly kept: string;
  readonly onConfirm: () => void;
  readonly onClose: () => void;
}

/** Asks before something is gone for good; the harmless answer has the focus. */
export function ConfirmDialog(props: Props) {
  const { opened, title, children, keep, confirm, busy, error, kept, onConfirm, onClose } = props;
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={title}
      closeButtonProps={{ 'aria-label': 'Close' }}
      centered
    >
      <Stack>
        <Text size="sm">{children}</Text>
        {error !== null && <FailureNotice error={error} kept={kept} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose} data-autofocus>
            {keep}
          </Button>
          <Button color="var(--danger)" loading={busy} onClick={onConfirm}>
            {confirm}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
