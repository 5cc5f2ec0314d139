import { Anchor, Button, EmptyState, Progress, Skeleton, Stack, Table, Text, Title } from '@mantine/core';
import { IconFiles } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from 'react-router';

import { FailureNotice } from '../../../app/FailureNotice';
import { Moment } from '../../../app/Moment';
import { count } from '../../../format/numbers';
import { MoodStrip } from '../../../mood/MoodStrip';
import { isRunning, jobList, type TextJob } from './jobs';
import { JobState } from './JobState';
import { shareDone } from './progress';

/** Files sent earlier, newest first. */
export function JobList() {
  const { data, isPending, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } =
    useInfiniteQuery(jobList);
  const jobs = data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <Stack component="section" aria-labelledby="earlier-files">
      <Title order={2} id="earlier-files">
        Your files
      </Title>
      {isPending && <Skeleton h={140} radius="lg" />}
      {error !== null && data === undefined && (
        <FailureNotice error={error} kept="Your files are unchanged." onRetry={() => void refetch()} />
      )}
      {data !== undefined && jobs.length === 0 && (
        <EmptyState
          py="lg"
          icon={<IconFiles stroke={1.4} />}
          title="No files yet"
          description="Files that you send are listed here with their results until you delete them."
        />
      )}
      {jobs.length > 0 && <JobTable jobs={jobs} />}
      {hasNextPage && (
        <Button
          variant="default"
          w="fit-content"
          loading={isFetchingNextPage}
          onClick={() => void fetchNextPage()}
        >
          Show earlier ones
        </Button>
      )}
    </Stack>
  );
}

function JobTable({ jobs }: { readonly jobs: readonly TextJob[] }) {
  return (
      <Table verticalSpacing="sm" layout="fixed">
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">File</Table.Th>
            <Table.Th scope="col" w={110}>
              State
            </Table.Th>
            <Table.Th scope="col" w={90} ta="right">
              Rows
            </Table.Th>
            <Table.Th scope="col" w={190} visibleFrom="md">
              Moods
            </Table.Th>
            <Table.Th scope="col" w={130} visibleFrom="sm">
              Sent
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {jobs.map((job) => (
            <Table.Tr key={job.id}>
              <Table.Th scope="row" fw={450}>
                <Anchor component={Link} to={`/text/files/${job.id}`} className="wraps">
                  {job.name}
                </Anchor>
              </Table.Th>
              <Table.Td>
                <JobState state={job.state} />
              </Table.Td>
              <Table.Td className="figure">{count(job.progress.total)}</Table.Td>
              <Table.Td visibleFrom="md">
                {isRunning(job) ? <Running job={job} /> : <MoodStrip counts={job.distribution} />}
              </Table.Td>
              <Table.Td visibleFrom="sm">
                <Text size="sm" c="dimmed">
                  <Moment iso={job.created_at} />
                </Text>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
  );
}

function Running({ job }: { readonly job: TextJob }) {
  return (
    <Progress
      value={shareDone(job.progress) * 100}
      size={8}
      aria-label={`Progress of ${job.name}`}
    />
  );
}
