import { ActionIcon, Button, Group, Paper, Progress, Stack, Text, Title } from '@mantine/core';
import { IconX } from '@tabler/icons-react';
import { useEffect, useRef } from 'react';

import { focusIfLost } from '../../../app/focus';
import { bytes, plural } from '../../../format/numbers';
import { explain } from '../../../server/problem';
import { outbox, type Parcel, useParcels } from '../outbox';
import type { Upload } from '../uploads';

interface Props {
  readonly onAccepted: (upload: Upload) => void;
}

/** Files that are being sent, and those that were not taken with the reason. */
export function Parcels({ onAccepted }: Props) {
  const parcels = useParcels();
  const section = useRef<HTMLElement>(null);
  const acted = useRef(false);
  const sending = parcels.filter(({ failure }) => failure === null).length;
  useEffect(() => {
    // The button pressed goes with its file, and the last file takes the section with it.
    if (acted.current) focusIfLost(section.current ?? document.getElementById('main'));
  }, [parcels.length, sending]);
  if (parcels.length === 0) return null;
  const act = () => {
    acted.current = true;
  };
  return (
    <Paper
      ref={section}
      tabIndex={-1}
      p="lg"
      component="section"
      aria-labelledby="being-sent"
      onClickCapture={act}
    >
      <Stack gap="md">
        <Title order={2} size="h3" id="being-sent">
          {sending > 0 ? `Sending ${plural(sending, 'picture')}; keep this page open` : 'Not sent'}
        </Title>
        {parcels.map((parcel) => (
          <Row key={parcel.id} parcel={parcel} onAccepted={onAccepted} />
        ))}
      </Stack>
    </Paper>
  );
}

function Row({ parcel, onAccepted }: Props & { readonly parcel: Parcel }) {
  const { id, file, share, failure } = parcel;
  return (
    <Stack gap={6}>
      <Group justify="space-between" wrap="nowrap" gap="sm">
        <Text size="sm" className="wraps">
          {file.name}{' '}
          <Text span size="sm" c="dimmed">
            {bytes(file.size)}
          </Text>
        </Text>
        {failure !== null && (
          <Group gap="xs" wrap="nowrap">
            <Button size="compact-sm" variant="default" onClick={() => outbox.retry(id, onAccepted)}>
              Send again
            </Button>
            <ActionIcon aria-label={`Forget ${file.name}`} onClick={() => outbox.dismiss(id)}>
              <IconX size={16} />
            </ActionIcon>
          </Group>
        )}
      </Group>
      {failure === null ? (
        <Progress size={6} value={share * 100} aria-label={`Sent of ${file.name}`} />
      ) : (
        <Text size="sm" c="var(--failure)" role="alert">
          {failure.message} {explain(failure).advice}
        </Text>
      )}
    </Stack>
  );
}
