import { Anchor, Button, Group, Skeleton, Stack, VisuallyHidden } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconArrowLeft, IconDownload, IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';

import { ConfirmDialog } from '../../../app/ConfirmDialog';
import { FailureNotice } from '../../../app/FailureNotice';
import { NeedsSignIn } from '../../../app/NeedsSignIn';
import { PageHeader } from '../../../app/PageHeader';
import { PageSkeleton } from '../../../app/PageSkeleton';
import { plural } from '../../../format/numbers';
import { ending, JobProgress, spokenState } from './JobProgress';
import { job as jobQuery, type TextJob, useDeleteJob } from './jobs';
import { RowTable } from './RowTable';

const Distribution = lazy(() => import('./Distribution'));

export function Component() {
  const { jobId = '' } = useParams();
  return (
    <NeedsSignIn reason="Files belong to the account that sent them.">
      <Job id={jobId} />
    </NeedsSignIn>
  );
}

function Job({ id }: { readonly id: string }) {
  const { data: job, error, isPending, refetch } = useQuery(jobQuery(id));
  if (isPending) return <PageSkeleton />;
  if (job === undefined) {
    return (
      <Stack gap="lg">
        <Back />
        <FailureNotice error={error} onRetry={() => void refetch()} />
      </Stack>
    );
  }
  return (
    <>
      <Back />
      <PageHeader title={job.name} lead={describe(job)} actions={<Actions job={job} />} />
      <VisuallyHidden role="status">{spokenState(job)}</VisuallyHidden>
      <Stack gap={48}>
        {error !== null && (
          <FailureNotice
            error={error}
            kept="The work goes on without this page."
            onRetry={() => void refetch()}
          />
        )}
        {job.state !== 'done' && <JobProgress job={job} />}
        {Object.keys(job.distribution).length > 0 && (
          <Suspense fallback={<Skeleton h={190} radius="lg" />}>
            <Distribution job={job} />
          </Suspense>
        )}
        {job.progress.done > 0 && <RowTable job={job} />}
      </Stack>
    </>
  );
}

function describe(job: TextJob): string {
  const source = `${plural(job.progress.total, 'text')} from the column “${job.column}”`;
  return job.state === 'done' ? `${source}, ${ending(job)}` : `${source}.`;
}

function Back() {
  return (
    <Anchor component={Link} to="/text/files" size="sm" underline="hover" mb="sm" display="inline-block">
      <Group gap={6} component="span">
        <IconArrowLeft size={16} aria-hidden="true" /> All files
      </Group>
    </Anchor>
  );
}

function Actions({ job }: { readonly job: TextJob }) {
  const [asking, setAsking] = useState(false);
  const remove = useDeleteJob();
  const navigate = useNavigate();
  const close = () => {
    remove.reset();
    setAsking(false);
  };
  const confirm = () =>
    remove.mutate(job.id, {
      onSuccess: () => {
        notifications.show({ message: `“${job.name}” and its results are deleted.` });
        void navigate('/text/files');
      },
    });
  return (
    <Group gap="sm">
      {job.state === 'done' && (
        <Button
          component="a"
          href={job.links.result}
          download
          leftSection={<IconDownload size={17} stroke={1.6} />}
        >
          Download CSV
        </Button>
      )}
      <Button
        variant="default"
        leftSection={<IconTrash size={17} stroke={1.6} />}
        onClick={() => setAsking(true)}
      >
        Delete
      </Button>
      <ConfirmDialog
        opened={asking}
        title={`Delete “${job.name}”?`}
        keep="Keep it"
        confirm="Delete"
        busy={remove.isPending}
        error={remove.error}
        kept="The file and its results are still there."
        onConfirm={confirm}
        onClose={close}
      >
        The file and its results are removed from the server for good.
      </ConfirmDialog>
    </Group>
  );
}
