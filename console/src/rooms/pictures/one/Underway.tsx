import { Alert, Button, Progress, Stack, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useEffect, useRef } from 'react';

import { FailureNotice } from '../../../app/FailureNotice';
import { focusIfLost } from '../../../app/focus';
import { doing, shareDone, stateWord } from '../steps';
import { isRunning, type Upload, useRetryUpload } from '../uploads';

/** How far a picture is, or why it got no further. */
export function Underway({ upload }: { readonly upload: Upload }) {
  const retry = useRetryUpload();
  const tried = useRef<HTMLParagraphElement>(null);
  const running = isRunning(upload);
  const stopped = !running && upload.state !== 'done';
  useEffect(() => {
    // The button goes as soon as the picture waits for its next try.
    if (!stopped) focusIfLost(tried.current);
  }, [stopped, retry.isSuccess]);
  return (
    <Stack gap="xs">
      {running && <Running upload={upload} />}
      {stopped && <Stopped upload={upload} retry={retry} />}
      {retry.isSuccess && (
        <Text ref={tried} size="sm" c="dimmed" tabIndex={-1}>
          {running ? 'It is being tried again.' : 'It was tried again.'}
        </Text>
      )}
    </Stack>
  );
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

interface StoppedProps {
  readonly upload: Upload;
  readonly retry: ReturnType<typeof useRetryUpload>;
}

function Stopped({ upload, retry }: StoppedProps) {
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
