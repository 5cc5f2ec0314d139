import { Alert, Button, Code, Stack, Text } from '@mantine/core';
import { IconInfoCircle } from '@tabler/icons-react';
import { useEffect, useRef } from 'react';

import { FailureNotice } from '../../../app/FailureNotice';
import { focusIfLost } from '../../../app/focus';
import { isRunning, type Upload, useRetryUpload } from '../uploads';

const LEFT_OUT: Readonly<Record<string, string>> = {
  objects: 'Objects were not looked for',
  text: 'Text was not read',
  mood: 'The mood of the text was not read',
};

const COMMANDS: Readonly<Record<string, string>> = {
  objects: 'discern models pull yolox-s',
};

/** Steps that were left out, why, and another try for them alone. */
export function Notes({ upload }: { readonly upload: Upload }) {
  const retry = useRetryUpload();
  const tried = useRef<HTMLParagraphElement>(null);
  const left = upload.state === 'done' ? Object.entries(upload.notes) : [];
  const offered = left.length > 0;
  useEffect(() => {
    // The button is gone while the steps are done, and for good when nothing is left out any more.
    if (!offered) focusIfLost(tried.current);
  }, [offered, retry.isSuccess]);
  return (
    <Stack gap="md" align="flex-start">
      {left.map(([step, note]) => (
        <Note key={step} step={step} message={note.message} />
      ))}
      {offered && (
        <Button variant="default" loading={retry.isPending} onClick={() => retry.mutate(upload.id)}>
          Try again what was left out
        </Button>
      )}
      {retry.error !== null && (
        <FailureNotice error={retry.error} kept="The picture and what was found in it are kept." />
      )}
      {retry.isSuccess && (
        <Text ref={tried} size="sm" c="dimmed" tabIndex={-1}>
          {isRunning(upload) ? 'What was left out is being tried again.' : 'It was tried again.'}
        </Text>
      )}
    </Stack>
  );
}

function Note({ step, message }: { readonly step: string; readonly message: string }) {
  return (
    <Alert
      w="100%"
      variant="default"
      icon={<IconInfoCircle aria-hidden="true" stroke={1.6} />}
      title={LEFT_OUT[step] ?? step}
    >
      <Stack gap="xs">
        <Text size="sm">{message}</Text>
        {COMMANDS[step] !== undefined && (
          <Text size="sm">
            Whoever runs this site can add a model with <Code>{COMMANDS[step]}</Code>; after that it
            can be tried again.
          </Text>
        )}
      </Stack>
    </Alert>
  );
}
