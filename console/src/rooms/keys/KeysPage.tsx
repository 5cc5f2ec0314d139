import { EmptyState, Skeleton, Stack } from '@mantine/core';
import { IconKey } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useRef, useState } from 'react';

import { FailureNotice } from '../../app/FailureNotice';
import { NeedsSignIn } from '../../app/NeedsSignIn';
import { PageHeader } from '../../app/PageHeader';
import { KeyForm } from './KeyForm';
import { KeyTable } from './KeyTable';
import { NewKey } from './NewKey';
import { type CreatedKey, keys } from './queries';

export function Component() {
  return (
    <>
      <PageHeader
        title="API keys"
        lead="A key lets a program call this site as you. Give each program its own, so that one can be revoked without stopping the others."
      />
      <NeedsSignIn reason="Keys belong to an account: yours are listed here once you are signed in.">
        <Keys />
      </NeedsSignIn>
    </>
  );
}

function Keys() {
  const [created, setCreated] = useState<CreatedKey | null>(null);
  const { data, isPending, error, refetch } = useQuery(keys);
  const table = useRef<HTMLTableElement>(null);
  const put = () => {
    table.current?.focus(); // the button that has the focus goes with the notice
    setCreated(null);
  };
  return (
    <Stack gap="xl">
      <KeyForm onCreated={setCreated} />
      {created !== null && <NewKey created={created} onDone={put} />}
      {isPending && <Skeleton h={160} radius="lg" />}
      {error !== null && data === undefined && (
        <FailureNotice error={error} kept="Your keys are unchanged." onRetry={() => void refetch()} />
      )}
      {data?.length === 0 && (
        <EmptyState
          py="xl"
          icon={<IconKey stroke={1.4} />}
          title="No keys yet"
          description="Name the program that will use it, such as “newsletter”, and create the first one above."
        />
      )}
      {data !== undefined && data.length > 0 && <KeyTable ref={table} keys={data} />}
    </Stack>
  );
}
