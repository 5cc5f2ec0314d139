import { Button, EmptyState } from '@mantine/core';
import { IconLock } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { Link, useLocation } from 'react-router';

import { useSession } from '../server/session';
import { FailureNotice } from './FailureNotice';
import { PageSkeleton } from './PageSkeleton';

interface Props {
  /** What signing in opens here, as a sentence. */
  readonly reason: string;
  readonly children: ReactNode;
}

/** Shows its children to people who are signed in, and the way to sign in to all others. */
export function NeedsSignIn({ reason, children }: Props) {
  const { data, isPending, error, refetch } = useSession();
  const { pathname } = useLocation();
  if (isPending) return <PageSkeleton />;
  if (data === undefined) return <FailureNotice error={error} onRetry={() => void refetch()} />;
  if (data.user) return children;
  return (
    <EmptyState
      py={48}
      icon={<IconLock stroke={1.4} />}
      title="Sign in to go on"
      description={reason}
    >
      <EmptyState.Actions>
        <Button component={Link} to={`/sign-in?next=${encodeURIComponent(pathname)}`}>
          Sign in
        </Button>
      </EmptyState.Actions>
    </EmptyState>
  );
}
