import { NavLink, Stack, Text } from '@mantine/core';
import { IconBook2, IconHome } from '@tabler/icons-react';
import { NavLink as RouteLink } from 'react-router';

import { rooms } from '../rooms/registry';
import type { Room } from '../rooms/room';
import { useSession } from '../server/session';
import classes from './Shell.module.css';

const ICON = { size: 19, stroke: 1.6 } as const;

/** The rooms this visitor can enter, and the way to the API's documentation. */
export function Navigation({ onNavigate }: { readonly onNavigate: () => void }) {
  const { data: session } = useSession();
  const visible = rooms.filter((room) => room.visibleWhen(session));
  const link = ({ path, name, icon: Icon }: Pick<Room, 'path' | 'name' | 'icon'>) => (
    <NavLink
      key={path}
      component={RouteLink}
      to={path}
      end={path === '/'}
      label={name}
      leftSection={<Icon {...ICON} />}
      className={classes.link}
      onClick={onNavigate}
    />
  );
  return (
    <Stack gap="xl" component="nav" aria-label="Rooms">
      <Stack gap={2}>
        {link({ path: '/', name: 'Overview', icon: IconHome })}
        {visible.filter((room) => room.group === 'rooms').map(link)}
      </Stack>
      <Stack gap={2}>
        <Text className={classes.group}>For those who run it</Text>
        {visible.filter((room) => room.group === 'running').map(link)}
        <NavLink
          href="/api/v1/docs"
          label="API reference"
          leftSection={<IconBook2 {...ICON} />}
          className={classes.link}
        />
      </Stack>
    </Stack>
  );
}
