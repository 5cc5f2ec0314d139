import '@mantine/dropzone/styles.css';

import { Group, Progress, SegmentedControl, Stack, Table, Text, Title } from '@mantine/core';
import { Dropzone } from '@mantine/dropzone';
import { IconFileTypeCsv } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';

import { FailureNotice } from '../../../app/FailureNotice';
import { Moment } from '../../../app/Moment';
import { count } from '../../../format/numbers';
import { CATALOG, type Import, type ImportKind, imports, isUnderWay, metrics, useImport } from './running';
import { outcomeInWords } from './words';

const COLUMNS: Readonly<Record<ImportKind, string>> = {
  contents: 'content_id, and any of title, text, category, tags (separated by |), created_at, available',
  interactions: 'user_id, content_id, and any of liked, disliked, view_time (seconds), created_at',
};

/** Files of texts and of what readers did; sending one twice is harmless. */
export function Importing() {
  const [kind, setKind] = useState<ImportKind>('contents');
  const { data, error, refetch } = useQuery(imports);
  const send = useImport();
  useFreshMetrics(data?.results.filter((job) => !isUnderWay(job)).length ?? 0);
  return (
    <Stack component="section" aria-labelledby="importing" gap="md">
      <Title order={2} id="importing">
        Add from a file
      </Title>
      <SegmentedControl
        w="fit-content"
        size="sm"
        aria-label="What is in the file"
        value={kind}
        onChange={(value) => setKind(value === 'contents' ? 'contents' : 'interactions')}
        data={[
          { value: 'contents', label: 'Texts' },
          { value: 'interactions', label: 'What readers did' },
        ]}
      />
      <Dropzone
        multiple={false}
        loading={send.isPending}
        onDrop={([file]) => {
          if (file !== undefined) send.mutate({ file, kind });
        }}
        inputProps={{ 'aria-label': 'A CSV, JSON Lines or Parquet file to add' }}
        aria-label="Drop a file here, or press Enter to choose one"
      >
        <Stack align="center" gap={6} py="lg" style={{ pointerEvents: 'none' }}>
          <IconFileTypeCsv size={32} stroke={1.3} aria-hidden="true" />
          <Text fw={550}>Drop a CSV, JSON Lines or Parquet file here, or click to choose one</Text>
          <Text size="sm" c="dimmed" ta="center" maw="56ch">
            Columns: {COLUMNS[kind]}
          </Text>
        </Stack>
      </Dropzone>
      {send.error !== null && <FailureNotice error={send.error} kept="Nothing was added." />}
      {error !== null && <FailureNotice error={error} onRetry={() => void refetch()} />}
      {data !== undefined && data.results.length > 0 && <Jobs jobs={data.results} />}
    </Stack>
  );
}

function useFreshMetrics(ended: number): void {
  const client = useQueryClient();
  useEffect(() => {
    if (ended === 0) return;
    for (const queryKey of [metrics.queryKey, [...CATALOG, 'contents']]) {
      void client.invalidateQueries({ queryKey });
    }
  }, [client, ended]);
}

function Jobs({ jobs }: { readonly jobs: readonly Import[] }) {
  return (
    <Table.ScrollContainer minWidth={460}>
      <Table verticalSpacing="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>File</Table.Th>
            <Table.Th>What became of it</Table.Th>
            <Table.Th>When</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {jobs.map((job) => (
            <Table.Tr key={job.id}>
              <Table.Td className="wraps">{job.name}</Table.Td>
              <Table.Td>
                <Outcome job={job} />
              </Table.Td>
              <Table.Td>
                <Moment iso={job.created_at} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Outcome({ job }: { readonly job: Import }) {
  if (isUnderWay(job)) {
    const total = job.progress_total ?? 0;
    return (
      <Group gap="sm" wrap="nowrap">
        <Progress
          w={120}
          size={6}
          value={total === 0 ? 0 : (100 * job.progress_done) / total}
          aria-label={`Rows of ${job.name} done`}
        />
        <Text size="sm" c="dimmed">
          {count(job.progress_done)} of {count(total)}
        </Text>
      </Group>
    );
  }
  if (job.state !== 'done') return <Text size="sm">{job.error_message}</Text>;
  return (
    <Stack gap={2}>
      <Text size="sm">{outcomeInWords(job.counts)}</Text>
      {job.problems.length > 0 && (
        <Text size="sm" c="dimmed">
          {job.problems[0]}
        </Text>
      )}
    </Stack>
  );
}
