import { Badge, Button, Code, Table } from '@mantine/core';
import { useState } from 'react';

import { ConfirmDialog } from '../../app/ConfirmDialog';
import { Moment } from '../../app/Moment';
import { type Key, useRevokeKey } from './queries';
import { stateOf } from './state';

export function KeyTable({ keys }: { readonly keys: readonly Key[] }) {
  const [revoking, setRevoking] = useState<Key | null>(null);
  return (
    <>
      <Table verticalSpacing="sm" aria-label="Keys, newest first">
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">Name</Table.Th>
              <Table.Th scope="col" visibleFrom="sm">
                Begins with
              </Table.Th>
              <Table.Th scope="col" visibleFrom="sm">
                Created
              </Table.Th>
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
      <RevokeDialog entry={revoking} onClose={() => setRevoking(null)} />
    </>
  );
}

function Row({ entry, onRevoke }: { readonly entry: Key; readonly onRevoke: () => void }) {
  const state = stateOf(entry);
  return (
    <Table.Tr>
      <Table.Th scope="row" fw={550} className="wraps" c={state === 'stands' ? undefined : 'dimmed'}>
        {entry.name}
      </Table.Th>
      <Table.Td visibleFrom="sm">
        <Code>{entry.prefix}…</Code>
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <Moment iso={entry.created_at} />
      </Table.Td>
      <Table.Td>{entry.last_used_at === null ? 'Never' : <Moment iso={entry.last_used_at} />}</Table.Td>
      <Table.Td>
        {state === 'revoked' && <Badge variant="default">Revoked</Badge>}
        {state === 'expired' && <Badge variant="default">Expired</Badge>}
        {state === 'stands' && (
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

function RevokeDialog({ entry, onClose }: { readonly entry: Key | null; readonly onClose: () => void }) {
  const revoke = useRevokeKey();
  const close = () => {
    revoke.reset();
    onClose();
  };
  return (
    <ConfirmDialog
      opened={entry !== null}
      title={`Revoke “${entry?.name ?? ''}”?`}
      keep="Keep it"
      confirm="Revoke"
      busy={revoke.isPending}
      error={revoke.error}
      kept="The key still works."
      onConfirm={() => entry !== null && revoke.mutate(entry.id, { onSuccess: close })}
      onClose={close}
    >
      Programs that use it are refused from their next request on. This cannot be undone.
    </ConfirmDialog>
  );
}
