import '@mantine/dropzone/styles.css';

import { Button, Group, SimpleGrid, Stack, Text, Textarea } from '@mantine/core';
import { Dropzone } from '@mantine/dropzone';
import { IconFileTypeCsv } from '@tabler/icons-react';
import { useState } from 'react';

import classes from './ChooseFile.module.css';
import { guessLayout, HEAD_BYTES, type Layout } from './columns';
import { SAMPLE_NAME, sampleCsv } from './sample';

/** A file in the browser, not sent yet, and the first part of what is in it. */
export interface ChosenFile {
  readonly file: File;
  readonly head: string;
  /** Whether `head` is all of it. */
  readonly whole: boolean;
  readonly layout: Layout;
}

async function open(file: File): Promise<ChosenFile> {
  const head = await file.slice(0, HEAD_BYTES).text();
  return { file, head, whole: file.size <= HEAD_BYTES, layout: guessLayout(file.name, head) };
}

interface Props {
  readonly onChoose: (chosen: ChosenFile) => void;
}

/** The three ways to bring texts: a file, the clipboard, or the sample. */
export function ChooseFile({ onChoose }: Props) {
  const choose = (file: File) => void open(file).then(onChoose);
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing={{ base: 'xl', md: 48 }}>
      <Drop onFile={choose} />
      <Paste onFile={choose} />
    </SimpleGrid>
  );
}

function Drop({ onFile }: { readonly onFile: (file: File) => void }) {
  const [refused, setRefused] = useState(false);
  return (
    <Stack gap="sm">
      <Dropzone
        multiple={false}
        onDrop={([file]) => {
          if (file !== undefined) onFile(file);
        }}
        onReject={() => setRefused(true)}
        onDropAny={() => setRefused(false)}
        className={classes.drop}
        inputProps={{ 'aria-label': 'A CSV or JSON Lines file' }}
        aria-label="Drop a file here, or press Enter to choose one"
      >
        <Stack align="center" gap="xs" className={classes.inside}>
          <IconFileTypeCsv size={36} stroke={1.3} aria-hidden="true" />
          <Text fw={550}>Drop a file here, or click to choose one</Text>
          <Text size="sm" c="dimmed">
            CSV or JSON Lines; you choose the column next.
          </Text>
        </Stack>
      </Dropzone>
      {refused && (
        <Text size="sm" c="var(--failure)" role="alert">
          One file at a time, please. Nothing was sent.
        </Text>
      )}
      <Group gap={6}>
        <Text size="sm" c="dimmed">
          No file at hand?
        </Text>
        <Button
          size="compact-sm"
          variant="subtle"
          onClick={() => onFile(new File([sampleCsv()], SAMPLE_NAME, { type: 'text/csv' }))}
        >
          Try the sample of 64 reviews
        </Button>
      </Group>
    </Stack>
  );
}

function Paste({ onFile }: { readonly onFile: (file: File) => void }) {
  const [text, setText] = useState('');
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onFile(new File([text], 'pasted', { type: 'text/plain' }));
      }}
    >
      <Textarea
        label="Or paste"
        description="A table from a spreadsheet, CSV, or one text per line."
        rows={6}
        spellCheck={false}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      <Button type="submit" variant="default" mt="sm" disabled={text.trim() === ''}>
        Use what I pasted
      </Button>
    </form>
  );
}
