import { Tabs } from '@mantine/core';
import { Outlet, useLocation, useNavigate } from 'react-router';

import { KEEPS_FOCUS } from '../../app/focus';
import { NeedsSignIn } from '../../app/NeedsSignIn';
import { PageHeader } from '../../app/PageHeader';

const PAGES = [
  { path: '/reading', name: 'For you' },
  { path: '/reading/read', name: 'What you read' },
  { path: '/reading/catalog', name: 'Catalog' },
] as const;

/** The room's frame: the list, what it follows from, and what it is chosen from. */
export function Component() {
  const { pathname } = useLocation();
  const navigate = useNavigate();
  const tab = PAGES.find(({ path }) => path === pathname)?.path ?? PAGES[0].path;
  return (
    <>
      <PageHeader
        title="Reading room"
        lead="Read, like, dislike: the list follows on the next request, and every line says why it is there."
      />
      <NeedsSignIn reason="Your list follows from what you read and like, so it needs to know who you are.">
        <Tabs
          value={tab}
          onChange={(value) =>
            value !== null &&
            void navigate(value, { state: KEEPS_FOCUS, preventScrollReset: true })
          }
        >
          <Tabs.List mb="xl">
            {PAGES.map(({ path, name }) => (
              <Tabs.Tab key={path} value={path}>
                {name}
              </Tabs.Tab>
            ))}
          </Tabs.List>
          <Tabs.Panel value={tab}>
            <Outlet />
          </Tabs.Panel>
        </Tabs>
      </NeedsSignIn>
    </>
  );
}
