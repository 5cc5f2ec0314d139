import { Anchor, Button, EmptyState, Skeleton, Stack, Table, Text } from '@mantine/core';
import { IconBookmarks } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from 'react-router';

import { FailureNotice } from '../../app/FailureNotice';
import { Moment } from '../../app/Moment';
import { duration } from '../../format/numbers';
import { everythingDone, type Interaction } from './reading';

/** Everything the list follows from: what the person read, liked and disliked. */
export function Component() {
  const { data, error, isPending, hasNextPage, isFetchingNextPage, fetchNextPage, refetch } =
    useInfiniteQuery(everythingDone);
  const rows = data?.pages.flatMap((page) => page.results) ?? [];
  if (isPending) return <Skeleton h={360} radius="lg" />;
  if (data === undefined) return <FailureNotice error={error} onRetry={() => void refetch()} />;
  if (rows.length === 0) {
    return (
      <EmptyState
        py={48}
        icon={<IconBookmarks stroke={1.4} />}
        title="You have not read anything here yet"
        description="Open a text, or like one: it will stand here, and your list follows from it."
      >
        <EmptyState.Actions>
          <Button component={Link} to="/reading">
            To your list
          </Button>
        </EmptyState.Actions>
      </EmptyState>
    );
  }
  return (
    <Stack gap="lg">
      <Text c="dimmed" maw="62ch">
        Your list follows from these, the newest most. The newest like or dislike of a text decides.
      </Text>
      <Table.ScrollContainer minWidth={420}>
        <Table verticalSpacing="sm">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Text</Table.Th>
              <Table.Th>What you did</Table.Th>
              <Table.Th>When</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((row) => (
              <Table.Tr key={`${row.content_id} ${row.created_at}`}>
                <Table.Td>
                  <Anchor
                    component={Link}
                    to={`/reading/text/${encodeURIComponent(row.content_id)}`}
                  >
                    {row.title === '' ? row.content_id : row.title}
                  </Anchor>
                </Table.Td>
                <Table.Td>{deed(row)}</Table.Td>
                <Table.Td>
                  <Moment iso={row.created_at} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {hasNextPage && (
        <Button variant="default" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          Show more
        </Button>
      )}
    </Stack>
  );
}

function deed({ liked, disliked, view_time: seconds }: Interaction): string {
  if (liked) return 'Liked';
  if (disliked) return 'Disliked';
  return seconds > 0 ? `Read for ${duration(seconds)}` : 'Opened';
}
