import { Alert, Button, Group, Progress, Stack, Text } from '@mantine/core';

import { FailureNotice } from '../../../app/FailureNotice';
import { duration, plural } from '../../../format/numbers';
import { isRunning, type TextJob, useRetryJob } from './jobs';
import { progressParts, shareDone, spokenProgress } from './progress';

/** What is done, what is left, how fast; or how it ended. */
export function JobProgress({ job }: { readonly job: TextJob }) {
  return (
    <Stack gap="sm">
      {isRunning(job) && <Running job={job} />}
      {(job.state === 'failed' || job.state === 'dead') && <Stopped job={job} />}
    </Stack>
  );
}

function Running({ job }: { readonly job: TextJob }) {
  const waiting = job.state === 'queued' && job.progress.done === 0;
  return (
    <>
      <Progress
        size={10}
        value={shareDone(job.progress) * 100}
        animated={!waiting}
        aria-label="Rows done"
      />
      <Group gap="lg" c="dimmed" fz="sm">
        {waiting ? (
          <span>Waiting for a worker; it begins by itself.</span>
        ) : (
          progressParts(job.progress).map((part) => <span key={part}>{part}</span>)
        )}
      </Group>
      <Text size="sm" c="dimmed">
        You can leave this page: the work goes on, and this address shows it.
      </Text>
    </>
  );
}

function Stopped({ job }: { readonly job: TextJob }) {
  const retry = useRetryJob();
  return (
    <>
      <Alert
        role="alert"
        variant="default"
        title={job.state === 'failed' ? 'This file could not be finished' : 'This file was set aside'}
      >
        <Stack gap="sm" align="flex-start">
          <Text size="sm">
            {job.error?.detail} What was read before is kept: {plural(job.progress.done, 'row')}. Trying
            again goes on from there.
          </Text>
          <Button
            size="compact-sm"
            variant="default"
            loading={retry.isPending}
            onClick={() => retry.mutate(job.id)}
          >
            Try again
          </Button>
        </Stack>
      </Alert>
      {retry.error !== null && (
        <FailureNotice error={retry.error} kept="The file and what was read of it are still there." />
      )}
    </>
  );
}

function refused(job: TextJob): number {
  return Object.values(job.row_errors).reduce((sum, rows) => sum + rows, 0);
}

/** How a job ended, as the end of a sentence: "read in 4 s." and what could not be read. */
export function ending(job: TextJob): string {
  const { started_at: started, finished_at: finished } = job;
  const took =
    started === null || finished === null
      ? ''
      : ` in ${duration((new Date(finished).getTime() - new Date(started).getTime()) / 1000)}`;
  const bad = refused(job);
  const rest = bad === 0 ? '' : ` ${plural(bad, 'row')} could not be read; the table says why.`;
  return `read${took}.${rest}`;
}

/** What a screen reader is told as the job goes on. */
export function spokenState(job: TextJob): string {
  if (job.state === 'done') return `All ${plural(job.progress.total, 'row')} ${ending(job)}`;
  return isRunning(job) ? spokenProgress(job.progress) : '';
}
