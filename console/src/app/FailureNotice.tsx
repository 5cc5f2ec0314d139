import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { Link, useLocation } from 'react-router';

import { asFailure, explain } from '../server/problem';
import classes from './FailureNotice.module.css';

interface Props {
  readonly error: unknown;
  /** What was kept, in a sentence; every failure leaves something standing. */
  readonly kept?: string;
  /** Asks again now; given for queries, which also do so by themselves. */
  readonly onRetry?: () => void;
}

/** A failure: what happened, what was kept, and what to do. */
export function FailureNotice({ error, kept, onRetry }: Props) {
  const failure = asFailure(error);
  const { title, advice } = explain(failure, { automatic: onRetry !== undefined });
  const { pathname } = useLocation();
  return (
    <Alert
      role="alert"
      color="red"
      variant="default"
      title={title}
      icon={<IconAlertTriangle aria-hidden="true" stroke={1.8} />}
      classNames={{ root: classes.notice, icon: classes.icon, title: classes.title }}
    >
      <Stack gap="xs" align="flex-start">
        <Text size="sm">
          {failure.message} {kept} {advice}
        </Text>
        <Group gap="md">
          {failure.status === 401 && (
            <Button
              component={Link}
              to={`/sign-in?next=${encodeURIComponent(pathname)}`}
              size="compact-sm"
              variant="default"
            >
              Sign in
            </Button>
          )}
          {onRetry !== undefined && failure.status !== 401 && (
            <Button size="compact-sm" variant="default" onClick={onRetry}>
              Try again
            </Button>
          )}
          {failure.requestId !== undefined && failure.status >= 500 && (
            <Text size="xs" c="dimmed">
              Request {failure.requestId}
            </Text>
          )}
        </Group>
      </Stack>
    </Alert>
  );
}
