import { Anchor, Button, Chip, Group, Paper, Skeleton, Stack, Text, Textarea, Title } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useState } from 'react';
import { Link } from 'react-router';

import { FailureNotice } from '../../app/FailureNotice';
import { useSession } from '../../server/session';
import { isStale, LIVE_CHARS, useMood } from './analyze';
import { Reading, SpokenMood } from './Reading';
import classes from './Reading.module.css';
import { SAMPLES } from './samples';

/** The first screen's tile: type a sentence and watch its mood. */
export default function TextTile() {
  const [text, setText] = useState(SAMPLES[0]?.text ?? '');
  const { data: session } = useSession();
  const signedIn = Boolean(session?.user);
  return (
    <Paper p={{ base: 'lg', sm: 32 }} component="section" aria-labelledby="text-tile">
      <Stack gap="lg">
        <Group justify="space-between" align="baseline">
          <Title order={2} id="text-tile">
            Type a sentence
          </Title>
          <Anchor component={Link} to="/text" size="sm">
            Open Text
          </Anchor>
        </Group>
        <Textarea
          aria-label="A sentence"
          variant="unstyled"
          autosize
          minRows={2}
          maxRows={6}
          maxLength={LIVE_CHARS}
          placeholder="Type a sentence and watch its mood."
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          classNames={{ input: classes.paper, root: classes.sheet }}
        />
        <Samples chosen={text} onChoose={setText} />
        {signedIn ? <Live text={text} /> : <SignInPrompt />}
      </Stack>
    </Paper>
  );
}

interface SamplesProps {
  readonly chosen: string;
  readonly onChoose: (text: string) => void;
}

export function Samples({ chosen, onChoose }: SamplesProps) {
  return (
    <Chip.Group value={chosen} onChange={onChoose}>
      <Group gap="xs" role="radiogroup" aria-label="Samples to try">
        {SAMPLES.map((sample) => (
          <Chip key={sample.name} value={sample.text} size="sm" variant="outline">
            {sample.name}
          </Chip>
        ))}
      </Group>
    </Chip.Group>
  );
}

function Live({ text }: { readonly text: string }) {
  const [settled] = useDebouncedValue(text, 200);
  const reading = useMood(settled);
  const blank = settled.trim() === '';
  return (
    <>
      <SpokenMood mood={blank || reading.error !== null ? undefined : reading.data} stale={isStale(reading)} />
      <Result text={settled} blank={blank} reading={reading} />
    </>
  );
}

interface ResultProps {
  readonly text: string;
  readonly blank: boolean;
  readonly reading: ReturnType<typeof useMood>;
}

function Result({ text, blank, reading }: ResultProps) {
  const { data, error, refetch } = reading;
  if (error !== null) {
    return (
      <FailureNotice error={error} kept="Your sentence is still here." onRetry={() => void refetch()} />
    );
  }
  if (blank) return <Text c="dimmed">Its mood appears here as you type.</Text>;
  if (data === undefined) return <Skeleton h={150} radius="md" />;
  return <Reading text={text} mood={data} stale={isStale(reading)} />;
}

function SignInPrompt() {
  return (
    <Group justify="space-between" gap="md">
      <Text c="dimmed" maw="38ch">
        Sign in and its mood appears here as you type: negative, neutral or positive, with a number
        for each.
      </Text>
      <Button component={Link} to="/sign-in?next=/">
        Sign in
      </Button>
    </Group>
  );
}
