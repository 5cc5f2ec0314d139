import { Alert, Code, Stack, Text } from '@mantine/core';
import { IconInfoCircle } from '@tabler/icons-react';

import type { Upload } from '../uploads';

const LEFT_OUT: Readonly<Record<string, string>> = {
  objects: 'Objects were not looked for',
  text: 'Text was not read',
  mood: 'The mood of the text was not read',
};

const COMMANDS: Readonly<Record<string, string>> = {
  objects: 'discern models pull yolox-s',
};

/** Steps that were left out, why, and what to do about it. */
export function Notes({ notes }: Pick<Upload, 'notes'>) {
  return Object.entries(notes).map(([step, note]) => (
    <Alert
      key={step}
      variant="default"
      icon={<IconInfoCircle aria-hidden="true" stroke={1.6} />}
      title={LEFT_OUT[step] ?? step}
    >
      <Stack gap="xs">
        <Text size="sm">{note.message}</Text>
        {COMMANDS[step] !== undefined && (
          <Text size="sm">
            Whoever runs this site can add a model with <Code>{COMMANDS[step]}</Code>; pictures that
            are sent after that are looked at.
          </Text>
        )}
      </Stack>
    </Alert>
  ));
}
