import { Alert, Button, Progress, Stack, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';

import { FailureNotice } from '../../../app/FailureNotice';
import { doing, shareDone, stateWord } from '../steps';
import { isRunning, type Upload, useRetryUpload } from '../uploads';

/** How far a picture is, or why it got no further. */
export function Underway({ upload }: { readonly upload: Upload }) {
  if (upload.state === 'done') return null;
  return isRunning(upload) ? <Running upload={upload} /> : <Stopped upload={upload} />;
}

function Running({ upload }: { readonly upload: Upload }) {
  return (
    <Stack gap="xs">
      <Progress
        size={8}
        value={shareDone(upload) * 100}
        animated={upload.state === 'processing'}
        aria-label="Steps done"
      />
      <Text size="sm">{doing(upload)}</Text>
      <Text size="sm" c="dimmed">
        You can leave this page: the work goes on, and this address shows it.
      </Text>
    </Stack>
  );
}

function Stopped({ upload }: { readonly upload: Upload }) {
  const retry = useRetryUpload();
  return (
    <Stack gap="sm">
      <Alert
        role="alert"
        variant="default"
        icon={<IconAlertTriangle aria-hidden="true" stroke={1.6} />}
        title={stateWord(upload.state)}
      >
        <Stack gap="sm" align="flex-start">
          <Text size="sm">{upload.error?.message}</Text>
          <Button
            size="compact-sm"
            variant="default"
            loading={retry.isPending}
            onClick={() => retry.mutate(upload.id)}
          >
            Try again
          </Button>
        </Stack>
      </Alert>
      {retry.error !== null && <FailureNotice error={retry.error} kept="The picture is kept." />}
    </Stack>
  );
}
