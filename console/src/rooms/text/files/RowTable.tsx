import { Group, Pagination, SegmentedControl, Skeleton, Stack, Table, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useSearchParams } from 'react-router';

import { FailureNotice } from '../../../app/FailureNotice';
import { count, percent, plural } from '../../../format/numbers';
import { appearance, inOrder } from '../../../mood/mood';
import { MoodMark } from '../../../mood/MoodMark';
import { MoodWord } from '../../../mood/MoodWord';
import { isRunning, PAGE_ROWS, type Row, rows as rowsQuery, type TextJob } from './jobs';
import { RowText } from './RowText';

const ALL = 'all';

/** Every row with its mood, in pages; the page and the filter stand in the address. */
export function RowTable({ job }: { readonly job: TextJob }) {
  const [params, setParams] = useSearchParams();
  const label = params.get('mood');
  const page = Math.max(1, Math.trunc(Number(params.get('page') ?? '1')) || 1);
  const { data, error, isPlaceholderData, refetch } = useQuery(
    rowsQuery({ id: job.id, page, label, done: job.progress.done }),
  );
  const show = (next: Readonly<Record<string, string>>) =>
    setParams(next, { replace: true, preventScrollReset: true });
  const mood: Readonly<Record<string, string>> = label === null ? {} : { mood: label };
  return (
    <Stack component="section" aria-labelledby="rows" gap="lg">
      <Group justify="space-between" gap="md">
        <Title order={2} id="rows">
          Rows
        </Title>
        <Filter
          job={job}
          value={label ?? ALL}
          onChange={(value) => show(value === ALL ? {} : { mood: value })}
        />
      </Group>
      {error !== null && (
        <FailureNotice error={error} kept="The results are kept." onRetry={() => void refetch()} />
      )}
      {data === undefined && error === null && <Skeleton h={420} radius="lg" />}
      {data !== undefined && (
        <>
          <Rows rows={data.results} stale={isPlaceholderData} />
          <Group justify="space-between" gap="sm">
            <Text size="sm" c="dimmed" role="status">
              {range(page, data.count)}
              {isRunning(job) && ' so far'}
            </Text>
            <Pagination
              total={Math.ceil(data.count / PAGE_ROWS)}
              value={page}
              size="sm"
              hideWithOnePage
              onChange={(next) => show({ ...mood, page: String(next) })}
              getControlProps={(control) => ({ 'aria-label': `${control} page` })}
              getItemProps={(number) => ({ 'aria-label': `page ${number}` })}
            />
          </Group>
        </>
      )}
    </Stack>
  );
}

function range(page: number, total: number): string {
  if (total === 0) return 'No rows';
  const first = (page - 1) * PAGE_ROWS + 1;
  return `${count(first)} to ${count(Math.min(total, page * PAGE_ROWS))} of ${plural(total, 'row')}`;
}

interface FilterProps {
  readonly job: TextJob;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

function Filter({ job, value, onChange }: FilterProps) {
  const moods = inOrder(Object.keys(job.distribution)).map((label) => ({
    value: label,
    label: (
      <Group gap={7} wrap="nowrap" justify="center">
        <MoodMark label={label} size={13} />
        {appearance(label).word}
      </Group>
    ),
  }));
  return (
    <SegmentedControl
      aria-label="Show rows of"
      size="sm"
      value={value}
      onChange={onChange}
      data={[{ value: ALL, label: 'All' }, ...moods]}
      maw="100%"
    />
  );
}

function Rows({ rows, stale }: { readonly rows: readonly Row[]; readonly stale: boolean }) {
  return (
      <Table verticalSpacing="sm" layout="fixed" opacity={stale ? 0.55 : 1} aria-busy={stale}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col" w={64} ta="right">
              Row
            </Table.Th>
            <Table.Th scope="col">Text</Table.Th>
            <Table.Th scope="col" w={130} visibleFrom="sm">
              Mood
            </Table.Th>
            <Table.Th scope="col" w={100} ta="right" visibleFrom="sm">
              How sure
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={row.row}>
              <Table.Td className="figure" c="dimmed">
                {count(row.row)}
              </Table.Td>
              <Table.Td>
                <RowText row={row} />
                {row.label !== null && row.score !== null && (
                  <Group hiddenFrom="sm" gap="sm" fz="sm" mt={4}>
                    <MoodWord label={row.label} />
                    <span>{percent(row.score)}</span>
                  </Group>
                )}
                {row.error !== null && (
                  <Text size="sm" c="var(--failure)">
                    Not read: {row.error.detail}
                  </Text>
                )}
              </Table.Td>
              <Table.Td visibleFrom="sm">
                {row.label !== null && <MoodWord label={row.label} />}
              </Table.Td>
              <Table.Td className="figure" visibleFrom="sm">
                {row.score === null ? '–' : percent(row.score)}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
  );
}
