import { Button, EmptyState, Group, Kbd, Paper, SimpleGrid, Skeleton, Stack, Text, Textarea } from '@mantine/core';
import { getHotkeyHandler, useDebouncedValue, useSessionStorage } from '@mantine/hooks';
import { IconBlockquote } from '@tabler/icons-react';
import { useState } from 'react';

import { FailureNotice } from '../../../app/FailureNotice';
import { NeedsSignIn } from '../../../app/NeedsSignIn';
import { count } from '../../../format/numbers';
import { isStale, LIVE_CHARS, MAX_CHARS, useMood } from '../analyze';
import { characters } from '../characters';
import { Reading, SpokenMood } from '../Reading';
import { Samples } from '../TextTile';

export function Component() {
  return (
    <NeedsSignIn reason="Once you are signed in, type or paste a text here and its mood stands beside it.">
      <OneText />
    </NeedsSignIn>
  );
}

function OneText() {
  // Kept in this tab only, so that a reload or a look elsewhere loses nothing.
  const [text, setText] = useSessionStorage({ key: 'discern-text', defaultValue: '' });
  const [settled] = useDebouncedValue(text, 250);
  const [asked, setAsked] = useState('');
  const length = characters(text);
  const long = length > LIVE_CHARS;
  const ask = () => setAsked(text);
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing={{ base: 'xl', md: 48 }}>
      <Stack gap="md">
        <Textarea
          label="Your text"
          autosize
          minRows={8}
          maxRows={22}
          size="md"
          placeholder="Type or paste a text."
          value={text}
          error={length > MAX_CHARS ? `At most ${count(MAX_CHARS)} characters.` : null}
          onChange={(event) => setText(event.currentTarget.value)}
          onKeyDown={getHotkeyHandler([['mod+Enter', ask]])}
        />
        <Group justify="space-between" gap="sm">
          <Text size="sm" c="dimmed">
            {count(length)} of {count(MAX_CHARS)} characters
          </Text>
          {long && (
            <Group gap="xs">
              <Kbd visibleFrom="sm">Ctrl + Enter</Kbd>
              <Button onClick={ask} disabled={length > MAX_CHARS || asked === text}>
                Read it
              </Button>
            </Group>
          )}
        </Group>
        <Samples chosen={text} onChoose={setText} />
      </Stack>
      <Answer text={long ? asked : settled} outdated={long && asked !== text} />
    </SimpleGrid>
  );
}

interface AnswerProps {
  readonly text: string;
  /** True when the text has changed since it was last read. */
  readonly outdated: boolean;
}

function Answer({ text, outdated }: AnswerProps) {
  const reading = useMood(text);
  const stale = outdated || isStale(reading);
  const mood = text.trim() === '' || reading.error !== null ? undefined : reading.data;
  return (
    <div>
      <SpokenMood mood={mood} stale={stale} />
      <Result text={text} reading={reading} stale={stale} />
    </div>
  );
}

interface ResultProps {
  readonly text: string;
  readonly reading: ReturnType<typeof useMood>;
  readonly stale: boolean;
}

function Result({ text, reading, stale }: ResultProps) {
  const { data, error, refetch } = reading;
  if (error !== null) {
    return (
      <FailureNotice error={error} kept="Your text is still here." onRetry={() => void refetch()} />
    );
  }
  if (text.trim() === '') {
    return (
      <EmptyState
        py={48}
        icon={<IconBlockquote stroke={1.4} />}
        title="Nothing to read yet"
        description="Type or paste a text, or choose one of the samples."
      />
    );
  }
  if (data === undefined) return <Skeleton h={260} radius="lg" />;
  return (
    <Paper p={{ base: 'lg', sm: 28 }} h="fit-content">
      <Reading text={text} mood={data} stale={stale} />
    </Paper>
  );
}
