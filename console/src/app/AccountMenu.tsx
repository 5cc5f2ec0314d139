import { Button, Menu, Skeleton } from '@mantine/core';
import { IconLogout, IconUserCircle } from '@tabler/icons-react';
import { Link, useLocation } from 'react-router';

import { useSession, useSignOut } from '../server/session';

/** Who is signed in, or the way to do so. */
export function AccountMenu() {
  const { data, isPending } = useSession();
  const signOut = useSignOut();
  const { pathname } = useLocation();
  if (isPending) return <Skeleton h={36} w={110} radius="md" />;
  if (!data?.user) {
    return (
      <Button component={Link} to={`/sign-in?next=${encodeURIComponent(pathname)}`} variant="default">
        Sign in
      </Button>
    );
  }
  return (
    <Menu position="top-start" withinPortal>
      <Menu.Target>
        <Button
          variant="subtle"
          color="gray"
          px="xs"
          leftSection={<IconUserCircle size={20} stroke={1.6} />}
        >
          {data.user.username}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item
          leftSection={<IconLogout size={16} stroke={1.6} />}
          onClick={() => signOut.mutate()}
        >
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
