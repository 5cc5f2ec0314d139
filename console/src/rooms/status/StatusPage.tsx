import { Button, Group, Paper, Skeleton, Stack, Text, ThemeIcon, Title, VisuallyHidden } from '@mantine/core';
import { IconCheck, IconX } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';

import { AiMark } from '../../app/AiMark';
import { FailureNotice } from '../../app/FailureNotice';
import { PageHeader } from '../../app/PageHeader';
import { count } from '../../format/numbers';
import { useSession } from '../../server/session';
import { type Health, health, type Trial as TrialResult, trial } from './health';
import classes from './Status.module.css';

const PARTS: Readonly<Record<string, { readonly name: string; readonly job: string }>> = {
  database: { name: 'Database', job: 'Keeps accounts, keys, files and results.' },
  model_server: { name: 'Model server', job: 'Holds the models and does the reading.' },
};

/** Whether everything runs, asked again every few seconds. */
export function Component() {
  const { data, error, isPending } = useQuery(health);
  const { data: session } = useSession();
  const state = error !== null ? 'unknown' : data?.ready ? 'good' : 'bad';
  return (
    <>
      <PageHeader
        title="Status"
        lead={isPending ? 'Asking every part how it is.' : SENTENCES[state]}
      />
      {/* Mounted before there is anything to say, or a screen reader would miss the first. */}
      <VisuallyHidden role="status">{!isPending && [SENTENCES[state], ...away(data)].join(' ')}</VisuallyHidden>
      <Stack gap={56}>
        <Stack gap={0} component="ul" className={classes.parts}>
          <Part
            name="Web server"
            job="Serves this page and the API."
            state={error === null ? 'ok' : 'does not answer'}
          />
          {isPending && <Skeleton h={64} mt="md" />}
          {error === null &&
            Object.entries(data?.checks ?? {}).map(([key, value]) => (
              <Part
                key={key}
                name={PARTS[key]?.name ?? key}
                job={PARTS[key]?.job ?? ''}
                state={value}
              />
            ))}
        </Stack>
        {session?.user && data?.ready && <Trial />}
      </Stack>
    </>
  );
}

/** A sentence for each part that does not run. */
function away(data: Health | undefined): string[] {
  return Object.entries(data?.checks ?? {})
    .filter(([, state]) => state !== 'ok')
    .map(([key, state]) => `${PARTS[key]?.name ?? key}: ${state}.`);
}

const SENTENCES = {
  good: 'Everything runs. This page asks again every few seconds.',
  bad: 'Something is away. What you sent is kept and goes on when it is back; this page asks again every few seconds.',
  unknown: 'The web server does not answer. What was sent is kept; this page asks again every few seconds.',
} as const;

interface PartProps {
  readonly name: string;
  readonly job: string;
  /** "ok", or what is wrong. */
  readonly state: string;
}

function Part({ name, job, state }: PartProps) {
  const good = state === 'ok';
  return (
    <Group component="li" justify="space-between" wrap="nowrap" className={classes.part}>
      <div>
        <Text fw={550}>{name}</Text>
        <Text size="sm" c="dimmed">
          {job}
        </Text>
      </div>
      <Group gap="xs" wrap="nowrap">
        <ThemeIcon size={22} radius="xl" variant="transparent" color={good ? 'var(--mood-positive)' : 'var(--failure)'}>
          {good ? <IconCheck size={18} aria-hidden="true" /> : <IconX size={18} aria-hidden="true" />}
        </ThemeIcon>
        <Text>{good ? 'Running' : state.charAt(0).toUpperCase() + state.slice(1)}</Text>
      </Group>
    </Group>
  );
}

function inMilliseconds({ milliseconds }: TrialResult): string {
  return `${count(Math.round(milliseconds))} ms`;
}

function Trial() {
  const { data, error, isFetching, refetch } = useQuery(trial);
  return (
    <Stack component="section" aria-labelledby="trial" gap="md">
      <Title order={2} id="trial">
        One sentence, from this browser to the model and back
      </Title>
      <VisuallyHidden role="status">
        {data !== undefined && !isFetching && `It took ${inMilliseconds(data)}.`}
      </VisuallyHidden>
      {error !== null && <FailureNotice error={error} onRetry={() => void refetch()} />}
      {error === null && data === undefined && <Skeleton h={92} radius="lg" />}
      {data !== undefined && (
        <Paper p={{ base: 'lg', sm: 28 }}>
          <Group justify="space-between" gap="md">
            <Stack gap={6}>
              <Text fz="1.6rem" fw={600} lh={1.2}>
                {inMilliseconds(data)}
              </Text>
              <AiMark name={data.name} version={data.version} />
            </Stack>
            <Button variant="default" loading={isFetching} onClick={() => void refetch()}>
              Measure again
            </Button>
          </Group>
        </Paper>
      )}
    </Stack>
  );
}
