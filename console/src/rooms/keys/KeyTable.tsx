import { Badge, Button, Code, Table, VisuallyHidden } from '@mantine/core';
import { type Ref, useEffect, useRef, useState } from 'react';

import { ConfirmDialog } from '../../app/ConfirmDialog';
import { Moment } from '../../app/Moment';
import { type Key, useRevokeKey } from './queries';
import { stateOf } from './state';

interface Props {
  readonly keys: readonly Key[];
  readonly ref: Ref<HTMLTableElement>;
}

export function KeyTable({ keys, ref }: Props) {
  const [revoking, setRevoking] = useState<Key | null>(null);
  const [revoked, setRevoked] = useState<Key | null>(null);
  return (
    <>
      <VisuallyHidden role="status">
        {revoked !== null && `“${revoked.name}” is revoked.`}
      </VisuallyHidden>
      <Table ref={ref} tabIndex={-1} verticalSpacing="sm" aria-label="Keys, newest first">
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
              <Row
                key={key.id}
                entry={key}
                justRevoked={key.id === revoked?.id}
                onRevoke={() => setRevoking(key)}
              />
            ))}
          </Table.Tbody>
        </Table>
      <RevokeDialog entry={revoking} onRevoked={setRevoked} onClose={() => setRevoking(null)} />
    </>
  );
}

interface RowProps {
  readonly entry: Key;
  /** Whether its button had the focus and is gone. */
  readonly justRevoked: boolean;
  readonly onRevoke: () => void;
}

function Row({ entry, justRevoked, onRevoke }: RowProps) {
  const state = stateOf(entry);
  const badge = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (justRevoked) badge.current?.focus();
  }, [justRevoked]);
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
        {state === 'revoked' && (
          <Badge ref={badge} tabIndex={-1} variant="default">
            Revoked
          </Badge>
        )}
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

interface RevokeDialogProps {
  readonly entry: Key | null;
  readonly onRevoked: (entry: Key) => void;
  readonly onClose: () => void;
}

function RevokeDialog({ entry, onRevoked, onClose }: RevokeDialogProps) {
  const revoke = useRevokeKey();
  const close = () => {
    revoke.reset();
    onClose();
  };
  const confirm = () => {
    if (entry === null) return;
    revoke.mutate(entry.id, {
      onSuccess: () => {
        close();
        onRevoked(entry);
      },
    });
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
      onConfirm={confirm}
      onClose={close}
    >
      Programs that use it are refused from their next request on. This cannot be undone.
    </ConfirmDialog>
  );
}
