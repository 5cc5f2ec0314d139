import { Anchor, Button, Group, Stack } from '@mantine/core';
import { isRouteErrorResponse, Link, useRouteError } from 'react-router';

import { PageHeader } from './PageHeader';

export function NotFoundPage() {
  return (
    <Stack align="flex-start">
      <PageHeader
        title="There is no page here"
        lead="The address may be mistyped, or the page has moved. Everything there is stands in the list at the side."
      />
      <Anchor component={Link} to="/">
        To the overview
      </Anchor>
    </Stack>
  );
}

/** A page that broke while it was loaded or drawn; the rest of the console still works. */
export function ErrorPage() {
  const error = useRouteError();
  if (isRouteErrorResponse(error) && error.status === 404) return <NotFoundPage />;
  return (
    <Stack align="flex-start">
      <PageHeader
        title="This page could not be shown"
        lead="What was saved is still there. If the server was updated a moment ago, loading the page again helps."
      />
      <Group>
        <Button onClick={() => window.location.reload()}>Load again</Button>
        <Anchor href="/">To the overview</Anchor>
      </Group>
    </Stack>
  );
}
