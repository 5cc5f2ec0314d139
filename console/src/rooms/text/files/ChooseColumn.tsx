import { Alert, Button, Group, Paper, Radio, SegmentedControl, Stack, Text, Title } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useEffect, useRef, useState } from 'react';
import { useNavigate } from 'react-router';

import { FailureNotice } from '../../../app/FailureNotice';
import { bytes } from '../../../format/numbers';
import type { ChosenFile } from './ChooseFile';
import { type Column, type Layout, linesAsJson, readHead } from './columns';
import { useCreateJob } from './jobs';

const LAYOUTS: readonly { readonly value: Layout; readonly label: string }[] = [
  { value: 'header', label: 'Table with a header' },
  { value: 'no-header', label: 'Table without one' },
  { value: 'lines', label: 'One text per line' },
];

interface Props {
  readonly chosen: ChosenFile;
  readonly onBack: () => void;
}

/** Which column holds the texts; then the file is sent, and its own page opens. */
export function ChooseColumn({ chosen, onBack }: Props) {
  const { file, head, whole } = chosen;
  const [layout, setLayout] = useState(chosen.layout);
  const found = layout === 'lines' ? null : readHead(head, layout, whole);
  const [picked, setPicked] = useState<string | null>(null);
  const column = found?.columns.some(({ name }) => name === picked) ? picked : found?.likely;
  const { send, isPending, error } = useSend(chosen, layout, column ?? 'text');
  const title = useFocusOnce();
  const narrow = useMediaQuery('(max-width: 36em)');
  return (
    <Paper p={{ base: 'lg', sm: 32 }} component="section" aria-labelledby="choose-column">
      <Stack gap="lg">
        <Stack gap={2}>
          <Title order={2} id="choose-column" ref={title} tabIndex={-1} className="wraps">
            {file.name === 'pasted' ? 'What you pasted' : file.name}
          </Title>
          <Text size="sm" c="dimmed">
            {bytes(file.size)}. Still only in this browser; nothing was sent yet.
          </Text>
        </Stack>
        {layout !== 'json' && (
          <SegmentedControl
            data={[...LAYOUTS]}
            value={layout}
            onChange={(value) => setLayout(value)}
            aria-label="How the file is laid out"
            orientation={narrow ? 'vertical' : 'horizontal'}
            fullWidth={narrow}
            w={narrow ? undefined : 'fit-content'}
          />
        )}
        {found !== null && (
          <Columns columns={found.columns} value={column ?? null} onChange={setPicked} />
        )}
        {found === null && layout !== 'lines' && (
          <Alert variant="default" title="No columns can be made out">
            Choose how it is laid out, or another file. Nothing was sent.
          </Alert>
        )}
        {layout === 'lines' && <Lines head={head} />}
        {error !== null && <FailureNotice error={error} kept="The file is still chosen here." />}
        <Group>
          <Button onClick={send} loading={isPending} disabled={found === null && layout !== 'lines'}>
            Read their moods
          </Button>
          <Button variant="default" onClick={onBack} disabled={isPending}>
            Choose another
          </Button>
        </Group>
      </Stack>
    </Paper>
  );
}

function useSend(chosen: ChosenFile, layout: Layout, column: string) {
  const navigate = useNavigate();
  const { mutate, isPending, error } = useCreateJob();
  const send = async () => {
    const file = layout === 'lines' ? await asJsonLines(chosen.file) : asNamed(chosen.file);
    mutate(
      { file, column, header: layout !== 'no-header' },
      { onSuccess: (created) => void navigate(`/text/files/${created.id}`) },
    );
  };
  return { send: () => void send(), isPending, error };
}

async function asJsonLines(file: File): Promise<File> {
  const name = `${file.name.replace(/\.\w+$/, '')}.jsonl`;
  return new File([linesAsJson(await file.text())], name, { type: 'application/x-ndjson' });
}

/** A pasted table gets the ending that says how it is to be read. */
function asNamed(file: File): File {
  return file.name === 'pasted' ? new File([file], 'pasted.csv', { type: 'text/csv' }) : file;
}

interface ColumnsProps {
  readonly columns: readonly Column[];
  readonly value: string | null;
  readonly onChange: (name: string) => void;
}

function Columns({ columns, value, onChange }: ColumnsProps) {
  return (
    <Radio.Group
      label="Which column holds the texts?"
      value={value ?? ''}
      onChange={onChange}
      mah={360}
      style={{ overflowY: 'auto' }}
    >
      <Stack gap="sm" mt="sm">
        {columns.map(({ name, examples }) => (
          <Radio
            key={name}
            value={name}
            label={name}
            description={examples.length > 0 ? shortened(examples.join(' · ')) : 'No text in the first rows'}
          />
        ))}
      </Stack>
    </Radio.Group>
  );
}

function Lines({ head }: { readonly head: string }) {
  const first = head.split('\n').filter((line) => line.trim() !== '').slice(0, 3);
  return (
    <Stack gap={4}>
      <Text size="sm" c="dimmed">
        Each line is one text. The first ones:
      </Text>
      {first.map((line) => (
        <Text key={line} size="sm" lineClamp={2} className="wraps">
          {line}
        </Text>
      ))}
    </Stack>
  );
}

function shortened(text: string): string {
  return text.length > 160 ? `${text.slice(0, 160)}…` : text;
}

/** Takes the focus when it appears, since the button that brought it here is gone. */
function useFocusOnce() {
  const target = useRef<HTMLHeadingElement>(null);
  useEffect(() => target.current?.focus(), []);
  return target;
}
