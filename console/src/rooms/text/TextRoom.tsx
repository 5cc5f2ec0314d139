import { Tabs } from '@mantine/core';
import { Outlet, useLocation, useNavigate } from 'react-router';

import { KEEPS_FOCUS } from '../../app/focus';
import { PageHeader } from '../../app/PageHeader';

/** The room's frame: one text, or a file of them. */
export function Component() {
  const { pathname } = useLocation();
  const navigate = useNavigate();
  const tab = pathname.endsWith('/files') ? '/text/files' : '/text';
  return (
    <>
      <PageHeader
        title="Text"
        lead="The mood of what people write: negative, neutral or positive, with how sure the model is of each."
      />
      <Tabs value={tab} onChange={(value) => value !== null && void navigate(value, { state: KEEPS_FOCUS, preventScrollReset: true })}>
        <Tabs.List mb="xl">
          <Tabs.Tab value="/text">One text</Tabs.Tab>
          <Tabs.Tab value="/text/files">A file of texts</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value={tab}>
          <Outlet />
        </Tabs.Panel>
      </Tabs>
    </>
  );
}
