import { Anchor, Badge, Button, EmptyState, Group, NativeSelect, Skeleton, Stack, Table, Text, Title } from '@mantine/core';
import { IconBooks } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';

import { FailureNotice } from '../../../app/FailureNotice';
import { count, plural } from '../../../format/numbers';
import { contents, cursorOf, type Metrics, type Row, type Shelf } from './running';

const FIRST: Shelf = { category: '', cursor: '' };

/** Every text that lists are chosen from, newest first, a page at a time. */
export function Contents({ categories }: Pick<Metrics, 'categories'>) {
  const [shelf, setShelf] = useState(FIRST);
  const { data, error, isPlaceholderData, refetch } = useQuery(contents(shelf));
  const turn = (address: string | null) => setShelf({ ...shelf, cursor: cursorOf(address) });
  const named = categories.flatMap(({ category }) => (category === '' ? [] : [category]));
  return (
    <Stack component="section" aria-labelledby="contents" gap="md">
      <Group justify="space-between" align="end" gap="md">
        <Title order={2} id="contents">
          All texts
        </Title>
        {named.length > 0 && (
          <NativeSelect
            label="Category"
            value={shelf.category}
            onChange={(event) => setShelf({ category: event.currentTarget.value, cursor: '' })}
            data={[{ value: '', label: 'All' }, ...named.sort()]}
          />
        )}
      </Group>
      {error !== null && (
        <FailureNotice error={error} kept="The texts are kept." onRetry={() => void refetch()} />
      )}
      {data === undefined && error === null && <Skeleton h={420} radius="lg" />}
      {data !== undefined && (
        <>
          {data.results.length === 0 ? (
            <Nothing filtered={shelf.category !== ''} onClear={() => setShelf(FIRST)} />
          ) : (
            <Rows rows={data.results} stale={isPlaceholderData} />
          )}
          <Group justify="space-between" gap="sm">
            <Text size="sm" c="dimmed" role="status">
              {isPlaceholderData ? '' : shown(data.results, data)}
            </Text>
            {(data.previous !== null || data.next !== null) && (
              <Group gap="sm" component="nav" aria-label="Pages of texts">
                <Turn name="Newer texts" to={data.previous} onTurn={turn} />
                <Turn name="Older texts" to={data.next} onTurn={turn} />
              </Group>
            )}
          </Group>
        </>
      )}
    </Stack>
  );
}

interface TurnProps {
  readonly name: string;
  readonly to: string | null;
  readonly onTurn: (to: string) => void;
}

function Turn({ name, to, onTurn }: TurnProps) {
  return (
    // Not `disabled`: at the last page the button in focus would drop out of the keyboard's way.
    <Button
      variant="default"
      size="compact-md"
      data-disabled={to === null || undefined}
      aria-disabled={to === null}
      onClick={() => to !== null && onTurn(to)}
    >
      {name}
    </Button>
  );
}

function shown(rows: readonly Row[], { previous, next }: { previous: string | null; next: string | null }): string {
  const texts = plural(rows.length, 'text');
  if (previous === null && next === null) return texts;
  if (previous === null) return `The newest ${texts}`;
  return next === null ? `The oldest ${texts}` : `${texts}, newest first`;
}

function Rows({ rows, stale }: { readonly rows: readonly Row[]; readonly stale: boolean }) {
  return (
    <Table.ScrollContainer minWidth={640}>
      <Table verticalSpacing="sm" opacity={stale ? 0.55 : 1} aria-busy={stale} aria-labelledby="contents">
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">Title</Table.Th>
            <Table.Th scope="col">Category</Table.Th>
            <Table.Th scope="col">Tags</Table.Th>
            <Table.Th scope="col" ta="right">
              Readers who met it
            </Table.Th>
            <Table.Th scope="col">Available</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={row.content_id}>
              <Table.Td className="wraps">
                <Anchor component={Link} to={`/reading/text/${encodeURIComponent(row.content_id)}`}>
                  {row.title === '' ? row.content_id : row.title}
                </Anchor>
              </Table.Td>
              <Table.Td>{row.category}</Table.Td>
              <Table.Td>
                <Group gap={6}>
                  {row.tags.map((tag) => (
                    <Badge key={tag} variant="default" size="sm" tt="none">
                      {tag}
                    </Badge>
                  ))}
                </Group>
              </Table.Td>
              <Table.Td className="figure" ta="right">
                {count(row.people)}
              </Table.Td>
              <Table.Td>{row.available ? 'Yes' : 'No'}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Nothing({ filtered, onClear }: { readonly filtered: boolean; readonly onClear: () => void }) {
  return (
    <EmptyState
      py={32}
      icon={<IconBooks stroke={1.4} />}
      title={filtered ? 'No text is in this category' : 'There are no texts yet'}
      description={
        filtered ? 'It may have been deleted or moved.' : 'Add some from a file or over the API; they will stand here.'
      }
    >
      {filtered && (
        <EmptyState.Actions>
          <Button onClick={onClear}>Show all categories</Button>
        </EmptyState.Actions>
      )}
    </EmptyState>
  );
}
