import { Alert, Button, EmptyState, Group, Skeleton, Stack, Text, VisuallyHidden } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconBooks } from '@tabler/icons-react';
import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import { useState } from 'react';

import { AiMark } from '../../../app/AiMark';
import { FailureNotice } from '../../../app/FailureNotice';
import { asFailure, explain } from '../../../server/problem';
import { type Suggested, suggestions, useJudge, type Verdict } from '../reading';
import classes from '../Reading.module.css';
import { Lines } from './Lines';
import { Taste, useTaste } from './Taste';

export function Component() {
  const [taste, setTaste] = useTaste();
  return (
    <div className={classes.layout}>
      <List taste={taste} onClear={() => setTaste({ ...taste, categories: [] })} />
      <aside className={classes.aside} aria-label="What the list may hold">
        <Taste taste={taste} onChange={setTaste} />
      </aside>
    </div>
  );
}

interface Props {
  readonly taste: Parameters<typeof suggestions>[0];
  readonly onClear: () => void;
}

function List({ taste, onClear }: Props) {
  const list = useQuery(suggestions(taste));
  return (
    <div>
      {/* Mounted before there is anything to say, or a screen reader would miss the first. */}
      <VisuallyHidden role="status">{list.data !== undefined && NOTES[list.data.source]}</VisuallyHidden>
      <Suggestions list={list} taste={taste} onClear={onClear} />
    </div>
  );
}

interface SuggestionsProps extends Props {
  readonly list: UseQueryResult<Suggested>;
}

function Suggestions({ list, taste, onClear }: SuggestionsProps) {
  const { data, error, isFetching, isPlaceholderData, refetch } = list;
  const [last, setLast] = useState('');
  const judge = useJudge();
  const say = (id: string, verdict: Verdict) => {
    const title = data?.items.find(({ content_id: other }) => other === id)?.title ?? id;
    judge.mutate(
      { id, verdict, impression: data?.impression ?? null },
      {
        onSuccess: () =>
          setLast(
            verdict === null
              ? `What you said of “${title}” is taken back; the list has followed.`
              : `You ${verdict} “${title}”; the list has followed.`,
          ),
        onError: (failed) => {
          const { title: what, advice } = explain(asFailure(failed));
          notifications.show({ color: 'red', title: what, message: `It was not kept. ${advice}` });
        },
      },
    );
  };
  if (data === undefined && error !== null) {
    return <FailureNotice error={error} kept="What you liked is kept." onRetry={() => void refetch()} />;
  }
  if (data === undefined) return <Skeleton h={520} radius="lg" />;
  return (
    <Stack gap="lg">
      <Source source={data.source} />
      {data.source === 'model' && data.items.length > 0 && data.items.every(({ reason }) => reason?.kind === 'popular') && (
        <Text size="sm" c="dimmed">
          Like a few: the first lists lean on what many readers like, and yours takes over as you go.
        </Text>
      )}
      {error !== null && (
        <FailureNotice error={error} kept="The former list stays." onRetry={() => void refetch()} />
      )}
      {data.items.length === 0 ? (
        <Nothing filtered={taste.categories.length > 0} onClear={onClear} />
      ) : (
        <Lines
          list={data}
          stale={isPlaceholderData || judge.isPending}
          busy={judge.isPending || isFetching}
          onJudge={say}
        />
      )}
      <Group justify="space-between" gap="sm">
        {data.source === 'newest' ? <span /> : <AiMark {...data.model} />}
        <Text size="sm" c="dimmed" role="status">
          {isFetching ? '' : last}
        </Text>
      </Group>
    </Stack>
  );
}

const NOTES: Readonly<Partial<Record<Suggested['source'], string>>> = {
  precomputed: 'The model server is away. This list was made last night; it does not know yet what you did since.',
  newest: 'The newest come first: the model server is away, or nothing has been learned from readers yet.',
};

function Source({ source }: Pick<Suggested, 'source'>) {
  const note = NOTES[source];
  return note === undefined ? null : (
    <Alert variant="default" role="note">
      {note}
    </Alert>
  );
}

function Nothing({ filtered, onClear }: { readonly filtered: boolean; readonly onClear: () => void }) {
  return (
    <EmptyState
      py={48}
      icon={<IconBooks stroke={1.4} />}
      title={filtered ? 'Nothing more in these categories' : 'Nothing left to suggest'}
      description={
        filtered
          ? 'You have met all of them, or there are none.'
          : 'You have met everything there is, or the library is empty. Whoever runs this site can add texts under Catalog.'
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
