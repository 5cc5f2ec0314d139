import { Badge, Button, Code, Group, Modal, Stack, Table, Text } from '@mantine/core';
import { useState } from 'react';

import { FailureNotice } from '../../app/FailureNotice';
import { ago, exactly } from '../../format/dates';
import { type Key, useRevokeKey } from './queries';

export function KeyTable({ keys }: { readonly keys: readonly Key[] }) {
  const [revoking, setRevoking] = useState<Key | null>(null);
  return (
    <>
      <Table.ScrollContainer minWidth={620}>
        <Table verticalSpacing="sm">
          <Table.Caption>Keys, newest first. Only a key’s beginning is stored in the clear.</Table.Caption>
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">Name</Table.Th>
              <Table.Th scope="col">Begins with</Table.Th>
              <Table.Th scope="col">Created</Table.Th>
              <Table.Th scope="col">Last used</Table.Th>
              <Table.Th scope="col" w={110}>
                State
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {keys.map((key) => (
              <Row key={key.id} entry={key} onRevoke={() => setRevoking(key)} />
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <RevokeDialog entry={revoking} onClose={() => setRevoking(null)} />
    </>
  );
}

function Row({ entry, onRevoke }: { readonly entry: Key; readonly onRevoke: () => void }) {
  const ended = entry.revoked_at !== null;
  return (
    <Table.Tr>
      <Table.Th scope="row" fw={550} className="wraps" c={ended ? 'dimmed' : undefined}>
        {entry.name}
      </Table.Th>
      <Table.Td>
        <Code>{entry.prefix}…</Code>
      </Table.Td>
      <Table.Td>
        <Moment iso={entry.created_at} />
      </Table.Td>
      <Table.Td>{entry.last_used_at === null ? 'Never' : <Moment iso={entry.last_used_at} />}</Table.Td>
      <Table.Td>
        {ended ? (
          <Badge variant="default">Revoked</Badge>
        ) : (
          <Button
            size="compact-sm"
            variant="subtle"
            color="red"
            ml={-8}
            onClick={onRevoke}
            aria-label={`Revoke ${entry.name}`}
          >
            Revoke
          </Button>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function Moment({ iso }: { readonly iso: string }) {
  return (
    <time dateTime={iso} title={exactly(iso)}>
      {ago(iso)}
    </time>
  );
}

function RevokeDialog({ entry, onClose }: { readonly entry: Key | null; readonly onClose: () => void }) {
  const revoke = useRevokeKey();
  const close = () => {
    revoke.reset();
    onClose();
  };
  return (
    <Modal
      opened={entry !== null}
      onClose={close}
      title={`Revoke “${entry?.name ?? ''}”?`}
      closeButtonProps={{ 'aria-label': 'Close' }}
      centered
    >
      <Stack>
        <Text size="sm">
          Programs that use it are refused from their next request on. This cannot be undone.
        </Text>
        {revoke.error !== null && (
          <FailureNotice error={revoke.error} kept="The key still works." />
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={close} data-autofocus>
            Keep it
          </Button>
          <Button
            color="red"
            loading={revoke.isPending}
            onClick={() => entry !== null && revoke.mutate(entry.id, { onSuccess: close })}
          >
            Revoke
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
