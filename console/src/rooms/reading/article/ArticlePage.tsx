import { Anchor, Badge, Group, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconArrowLeft } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link, useLocation, useParams } from 'react-router';

import { AiMark } from '../../../app/AiMark';
import { FailureNotice } from '../../../app/FailureNotice';
import { NeedsSignIn } from '../../../app/NeedsSignIn';
import { PageHeader } from '../../../app/PageHeader';
import { PageSkeleton } from '../../../app/PageSkeleton';
import { Lines } from '../forYou/Lines';
import { type Content, contentOf, doneWith, similarTo, useJudge, verdictOf } from '../reading';
import classes from '../Reading.module.css';
import { Verdict } from '../Verdict';
import { useViewTime } from './useViewTime';

export function Component() {
  const { contentId = '' } = useParams();
  return (
    <NeedsSignIn reason="What you read shapes your list, so it needs to know who you are.">
      <Article key={contentId} id={contentId} />
    </NeedsSignIn>
  );
}

function Article({ id }: { readonly id: string }) {
  const { data: content, error, isPending, refetch } = useQuery(contentOf(id));
  if (isPending) return <PageSkeleton />;
  return (
    <>
      <Anchor component={Link} to="/reading" size="sm" underline="hover" mb="sm" display="inline-block">
        <Group gap={6} component="span">
          <IconArrowLeft size={16} aria-hidden="true" /> Your list
        </Group>
      </Anchor>
      {content === undefined ? (
        <FailureNotice error={error} onRetry={() => void refetch()} />
      ) : (
        <Whole content={content} />
      )}
    </>
  );
}

function Whole({ content }: { readonly content: Content }) {
  const { content_id: id, title, category, tags, text } = content;
  const impression = useImpression();
  useViewTime(id, impression);
  return (
    <Stack gap={48}>
      <article>
        <PageHeader title={title === '' ? id : title} lead={category} />
        {text.split(/\n{2,}/).map((paragraph, place) => (
          <p key={place} className={classes.text}>
            {paragraph}
          </p>
        ))}
        {tags.length > 0 && (
          <Group gap={6} mt="lg" aria-label="Tags" role="group">
            {tags.map((tag) => (
              <Badge key={tag} variant="default">
                {tag}
              </Badge>
            ))}
          </Group>
        )}
      </article>
      <Opinion content={content} impression={impression} />
      <Similar id={id} />
    </Stack>
  );
}

interface OpinionProps {
  readonly content: Content;
  readonly impression: string | null;
}

const SAID = {
  liked: 'You like this.',
  disliked: 'You do not like this.',
  nothing: 'Taken back.',
} as const;

function Opinion({ content, impression }: OpinionProps) {
  const { content_id: id, title } = content;
  const { data } = useQuery(doneWith(id));
  const judge = useJudge();
  const known = verdictOf(data?.results ?? []);
  const verdict = judge.isPending ? judge.variables.verdict : known;
  return (
    <Stack gap="sm">
      <Verdict
        title={title}
        verdict={verdict}
        busy={judge.isPending}
        onJudge={(next) => judge.mutate({ id, verdict: next, impression })}
      />
      {judge.error !== null && <FailureNotice error={judge.error} kept="It was not kept." />}
      <Text size="sm" c="dimmed" role="status">
        {judge.isSuccess && (
          <>
            {SAID[judge.variables.verdict ?? 'nothing']}{' '}
            <Anchor component={Link} to="/reading" underline="always">
              See what follows from it
            </Anchor>
          </>
        )}
      </Text>
    </Stack>
  );
}

function Similar({ id }: { readonly id: string }) {
  const { data, error, refetch } = useQuery(similarTo(id));
  return (
    <Stack component="section" aria-labelledby="similar" gap="md">
      <Group justify="space-between" align="baseline">
        <Title order={2} id="similar">
          Goes with this
        </Title>
        {data?.source === 'model' && <AiMark {...data.model} />}
      </Group>
      {error !== null && <FailureNotice error={error} onRetry={() => void refetch()} />}
      {data === undefined && error === null && <Skeleton h={260} radius="lg" />}
      {data?.items.length === 0 && <Text c="dimmed">Nothing else is like it yet.</Text>}
      {data !== undefined && data.items.length > 0 && <Lines list={data} />}
    </Stack>
  );
}

/** The list that led here, if one did. */
function useImpression(): string | null {
  const state: unknown = useLocation().state;
  if (typeof state !== 'object' || state === null || !('impression' in state)) return null;
  return typeof state.impression === 'string' ? state.impression : null;
}
