import { Alert, Button, Group, Progress, SegmentedControl, Stack, Text, Title, VisuallyHidden } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';

import { FailureNotice } from '../../../app/FailureNotice';
import { Moment } from '../../../app/Moment';
import { duration, percent } from '../../../format/numbers';
import { type Fit, fits, isUnderWay, metrics, useFit } from './running';
import { courseOf, stageInWords } from './words';

const SEARCHES = [5, 60, 600] as const;

/** Learning anew from everything readers did, with what is being done meanwhile. */
export function Fitting() {
  const [seconds, setSeconds] = useState<number>(SEARCHES[1]);
  const { data, error, dataUpdatedAt, refetch } = useQuery(fits);
  const start = useFit();
  const last = data?.results[0];
  const busy = last !== undefined && isUnderWay(last);
  useFreshMetrics(last);
  return (
    <Stack component="section" aria-labelledby="fitting" gap="md" align="flex-start">
      <Title order={2} id="fitting">
        Learn again
      </Title>
      <Text c="dimmed" maw="62ch">
        A like changes that reader’s own list at once. Learning again lets everybody’s lists follow
        in full; it also happens every night. The present model answers until the new one stands.
      </Text>
      {error !== null && <FailureNotice error={error} onRetry={() => void refetch()} />}
      <Group gap="md">
        <SegmentedControl
          size="sm"
          aria-label="How long to search for settings"
          disabled={busy}
          value={String(seconds)}
          onChange={(value) => setSeconds(Number(value))}
          data={SEARCHES.map((value) => ({ value: String(value), label: `Search ${duration(value)}` }))}
        />
        <Button loading={start.isPending} disabled={busy} onClick={() => start.mutate(seconds)}>
          Learn again
        </Button>
      </Group>
      {start.error !== null && <FailureNotice error={start.error} kept="The present model answers." />}
      {/* Mounted before there is anything to say, or a screen reader would miss the first. */}
      <VisuallyHidden role="status">{last !== undefined && standing(last)}</VisuallyHidden>
      {last !== undefined && <Course fit={last} now={dataUpdatedAt} />}
    </Stack>
  );
}

/** A fit that ends changes the figures above. */
function useFreshMetrics(last: Fit | undefined): void {
  const client = useQueryClient();
  const version = last?.version ?? '';
  useEffect(() => {
    if (version !== '') void client.invalidateQueries({ queryKey: metrics.queryKey });
  }, [client, version]);
}

/** What a fit does right now, or what came of it; a failure is told by its alert. */
function standing(fit: Fit): string {
  if (fit.state === 'done') return `Version ${fit.version} stands.`;
  if (!isUnderWay(fit)) return '';
  return fit.started_at === null ? 'Waiting for a worker; it begins by itself.' : stageInWords(fit.stage);
}

interface CourseProps {
  readonly fit: Fit;
  /** When the server last said how far it is, in milliseconds. */
  readonly now: number;
}

function Course({ fit, now }: CourseProps) {
  if (isUnderWay(fit)) return <UnderWay fit={fit} now={now} />;
  const { finished_at: ended } = fit;
  if (fit.state === 'done') {
    return (
      <Text size="sm" c="dimmed">
        Version {fit.version} stands{ended !== null && (<>, since <Moment iso={ended} /></>)}.
      </Text>
    );
  }
  return (
    <Alert variant="default" role="alert" title="The last fit did not end well">
      {fit.error_message} The model before it answers.
    </Alert>
  );
}

function UnderWay({ fit, now }: CourseProps) {
  const { name, share } = courseOf(fit, now);
  const total = fit.progress_total ?? 0;
  return (
    <Stack gap="xs" w="100%" maw={520}>
      <Progress size={8} value={share * 100} animated={fit.started_at !== null} aria-label={name} />
      <Text size="sm">{standing(fit)}</Text>
      {total > 0 && (
        <Text size="sm" c="dimmed">
          {percent(share, 0)} of the weights are solved.
        </Text>
      )}
      <Text size="sm" c="dimmed">
        You can leave this page: the work goes on.
      </Text>
    </Stack>
  );
}
