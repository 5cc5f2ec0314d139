import { SimpleGrid, Skeleton, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';

import { FailureNotice } from '../../../app/FailureNotice';
import { count, percent, plural } from '../../../format/numbers';
import { useSession } from '../../../server/session';
import { Categories } from './Categories';
import { Contents } from './Contents';
import { Fitting } from './Fitting';
import { Importing } from './Importing';
import { Popularity } from './Popularity';
import { Report } from './Report';
import { type Metrics, metrics } from './running';

/** What lists are chosen from, how well the model knows its readers, and feeding both. */
export function Component() {
  const { data: session } = useSession();
  const { data, error, refetch } = useQuery(metrics);
  if (data === undefined && error !== null) {
    return <FailureNotice error={error} onRetry={() => void refetch()} />;
  }
  if (data === undefined) return <Skeleton h={560} radius="lg" />;
  const runs = session?.user?.is_staff === true;
  return (
    <Stack gap={48}>
      <Sizes metrics={data} />
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="xl">
        <Popularity popularity={data.popularity} share={data.best_known_share} />
        <Categories categories={data.categories} />
      </SimpleGrid>
      <Contents categories={data.categories} />
      <Report model={data.model} />
      {runs && <Fitting />}
      {runs && <Importing />}
    </Stack>
  );
}

function Sizes({ metrics: now }: { readonly metrics: Metrics }) {
  const covered = now.contents === 0 ? 0 : Math.min(1, now.shown_contents / now.contents);
  const all = now.arms.find(({ arm }) => arm === '');
  const figures: { name: string; value: string; note?: string }[] = [
    { name: 'Texts', value: count(now.contents) },
    { name: 'Readers', value: count(now.people) },
    { name: 'Things they did', value: count(now.interactions) },
    { name: 'Likes among them', value: count(now.likes) },
    { name: 'Texts suggested in the last 7 days', value: percent(covered, 0) },
    ...(all === undefined || all.impressions === 0
      ? []
      : [
          {
            name: `Of ${plural(all.impressions, 'list')} shown, led to a text`,
            value: percent(all.clicks.value, 0),
            note: `${percent(all.clicks.low, 0)} to ${percent(all.clicks.high, 0)} with 95% confidence`,
          },
        ]),
  ];
  return (
    <SimpleGrid component="dl" cols={{ base: 2, sm: 3 }} spacing="xl" m={0}>
      {figures.map(({ name, value, note }) => (
        <div key={name}>
          <Text component="dt" size="sm" c="dimmed">
            {name}
          </Text>
          <Text component="dd" m={0} fz="1.6rem" fw={600} lh={1.3}>
            {value}
            {note !== undefined && (
              <Text span display="block" size="xs" c="dimmed" fw={400}>
                {note}
              </Text>
            )}
          </Text>
        </div>
      ))}
    </SimpleGrid>
  );
}
