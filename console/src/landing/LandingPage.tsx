import { Anchor, Box, SimpleGrid, Skeleton, Stack, Text, Title } from '@mantine/core';
import { Suspense } from 'react';
import { Link } from 'react-router';

import { PageHeader } from '../app/PageHeader';
import { rooms } from '../rooms/registry';
import type { Room } from '../rooms/room';
import { useSession } from '../server/session';
import { FromCode } from './FromCode';
import classes from './Landing.module.css';

/** The first screen: what there is, each thing working. */
export function Component() {
  const { data: session } = useSession();
  const visible = rooms.filter((room) => room.visibleWhen(session));
  const tiles = visible.filter((room) => room.Tile !== undefined);
  return (
    <>
      <PageHeader
        shortTitle="Overview"
        title="Discern reads the mood of texts, sees what is in pictures, and suggests what to read next"
        lead="It runs here, on this installation’s own servers. Try each of the three; the same answers come to your programs through one API."
      />
      <SimpleGrid
        cols={{ base: 1, lg: tiles.length === 1 ? 2 : Math.min(tiles.length, 3) }}
        spacing={{ base: 'lg', lg: 'xl' }}
      >
        {tiles.map(({ path, Tile }) =>
          Tile === undefined ? null : (
            <Suspense key={path} fallback={<Skeleton h={420} radius="lg" />}>
              <Tile />
            </Suspense>
          ),
        )}
        {tiles.length === 1 && <FromCode />}
      </SimpleGrid>
      {tiles.length !== 1 && (
        <Box mt={{ base: 'lg', lg: 'xl' }}>
          <FromCode />
        </Box>
      )}
      <RoomList rooms={[...visible].sort((one, other) => one.group.localeCompare(other.group))} />
    </>
  );
}

function RoomList({ rooms: entries }: { readonly rooms: readonly Room[] }) {
  return (
    <Stack component="section" aria-labelledby="what-there-is" mt={64} gap="lg">
      <Title order={2} id="what-there-is">
        What there is
      </Title>
      <dl className={classes.list}>
        {entries.map(({ path, name, summary }) => (
          <div key={path} className={classes.entry}>
            <dt>
              <Anchor component={Link} to={path} fw={550}>
                {name}
              </Anchor>
            </dt>
            <Text component="dd" c="dimmed" m={0}>
              {summary}
            </Text>
          </div>
        ))}
        <div className={classes.entry}>
          <dt>
            <Anchor href="/api/v1/docs" fw={550}>
              API reference
            </Anchor>
          </dt>
          <Text component="dd" c="dimmed" m={0}>
            Every address of the API, to read and to try.
          </Text>
        </div>
      </dl>
    </Stack>
  );
}
