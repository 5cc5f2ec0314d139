import { Anchor, Button, Group, Paper, Skeleton, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';

import { AiMark } from '../../app/AiMark';
import { FailureNotice } from '../../app/FailureNotice';
import { useSession } from '../../server/session';
import { Lines } from './forYou/Lines';
import { suggestions, useJudge } from './reading';

const LINES = 3;

/** The first screen's tile: what to read next, and why. */
export default function ReadingTile() {
  const { data: session } = useSession();
  return (
    <Paper p={{ base: 'lg', sm: 32 }} component="section" aria-labelledby="reading-tile">
      <Stack gap="lg">
        <Group justify="space-between" align="baseline">
          <Title order={2} id="reading-tile">
            For you, because
          </Title>
          <Anchor component={Link} to="/reading" size="sm">
            Open Reading room
          </Anchor>
        </Group>
        {session?.user ? <Live /> : <SignInPrompt />}
      </Stack>
    </Paper>
  );
}

function Live() {
  const { data, error, isFetching, refetch } = useQuery(
    suggestions({ categories: [], diversity: 0 }, LINES),
  );
  const judge = useJudge();
  if (data === undefined && error !== null) {
    return <FailureNotice error={error} onRetry={() => void refetch()} />;
  }
  if (data === undefined) return <Skeleton h={260} radius="md" />;
  if (data.items.length === 0) {
    return <Text c="dimmed">The library is empty, or you have met all of it.</Text>;
  }
  return (
    <>
      <Lines
        list={data}
        stacked
        stale={judge.isPending}
        busy={judge.isPending || isFetching}
        onJudge={(id, verdict) => judge.mutate({ id, verdict, impression: data.impression })}
      />
      {data.source !== 'newest' && <AiMark {...data.model} />}
    </>
  );
}

function SignInPrompt() {
  return (
    <Group justify="space-between" gap="md">
      <Text c="dimmed" maw="38ch">
        Sign in and like a text: the list follows at once, and every line says why it is there.
      </Text>
      <Button component={Link} to="/sign-in?next=/">
        Sign in
      </Button>
    </Group>
  );
}
