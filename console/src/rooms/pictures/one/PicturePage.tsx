import { Anchor, Button, Group, Stack, VisuallyHidden } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconArrowLeft, IconDownload, IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';

import { ConfirmDialog } from '../../../app/ConfirmDialog';
import { FailureNotice } from '../../../app/FailureNotice';
import { NeedsSignIn } from '../../../app/NeedsSignIn';
import { PageHeader } from '../../../app/PageHeader';
import { PageSkeleton } from '../../../app/PageSkeleton';
import { bytes, count } from '../../../format/numbers';
import { type Found, shown } from '../boxes';
import { Follow } from '../Follow';
import { standing } from '../steps';
import { type Upload, uploadOf, useDeleteUpload } from '../uploads';
import { DEFAULT_LEAST } from './least';
import { Marked } from './Marked';
import { Notes } from './Notes';
import { Objects } from './Objects';
import classes from './PicturePage.module.css';
import { Underway } from './Underway';
import { Words } from './Words';

export function Component() {
  const { uploadId = '' } = useParams();
  return (
    <NeedsSignIn reason="Pictures belong to the account that sent them.">
      <Picture id={uploadId} />
    </NeedsSignIn>
  );
}

function Picture({ id }: { readonly id: string }) {
  const [least, setLeast] = useState(DEFAULT_LEAST);
  const { data: upload, error, isPending, refetch } = useQuery(uploadOf(id));
  if (isPending) return <PageSkeleton />;
  if (upload === undefined) {
    return (
      <Stack gap="lg">
        <Back />
        <FailureNotice error={error} onRetry={() => void refetch()} />
      </Stack>
    );
  }
  return (
    <>
      <Follow uploads={[upload]} />
      <Back />
      <PageHeader title={upload.name} lead={describe(upload)} actions={<Actions upload={upload} least={least} />} />
      <VisuallyHidden role="status">{standing(upload)}</VisuallyHidden>
      <Stack gap="xl">
        {error !== null && (
          <FailureNotice
            error={error}
            kept="The work goes on without this page."
            onRetry={() => void refetch()}
          />
        )}
        <Underway upload={upload} />
        <Result upload={upload} least={least} onLeast={setLeast} />
      </Stack>
    </>
  );
}

interface ResultProps {
  readonly upload: Upload;
  readonly least: number;
  readonly onLeast: (least: number) => void;
}

function Result({ upload, least, onLeast }: ResultProps) {
  const [pointed, setPointed] = useState<Found | null>(null);
  const [outlined, setOutlined] = useState(true);
  const objects = shown(upload.objects?.objects ?? [], least);
  return (
    <div className={classes.result}>
      <Marked upload={upload} objects={objects} pointed={pointed} withText={outlined} />
      <Stack gap={36}>
        {upload.objects !== null && (
          <Objects
            result={upload.objects}
            objects={objects}
            least={least}
            onLeast={onLeast}
            pointed={pointed}
            onPoint={setPointed}
          />
        )}
        <Words upload={upload} outlined={outlined} onOutlined={setOutlined} />
        <Notes upload={upload} />
      </Stack>
    </div>
  );
}

function describe({ width, height, bytes: size }: Upload): string {
  const sent = `${bytes(size)} as sent`;
  return width === null || height === null
    ? `${sent}.`
    : `${count(width)} by ${count(height)} pixels, ${sent}.`;
}

function Back() {
  return (
    <Anchor component={Link} to="/pictures" size="sm" underline="hover" mb="sm" display="inline-block">
      <Group gap={6} component="span">
        <IconArrowLeft size={16} aria-hidden="true" /> All pictures
      </Group>
    </Anchor>
  );
}

function Actions({ upload, least }: Omit<ResultProps, 'onLeast'>) {
  const [asking, setAsking] = useState(false);
  const remove = useDeleteUpload();
  const navigate = useNavigate();
  const close = () => {
    remove.reset();
    setAsking(false);
  };
  const confirm = () =>
    remove.mutate(upload.id, {
      onSuccess: () => {
        notifications.show({ message: `“${upload.name}” is deleted.` });
        void navigate('/pictures');
      },
    });
  return (
    <Group gap="sm">
      {upload.state === 'done' && upload.links.annotated !== null && (
        <Button
          component="a"
          href={`${upload.links.annotated}?threshold=${least}`}
          download={`${upload.name}.png`}
          variant="default"
          leftSection={<IconDownload size={17} stroke={1.6} />}
        >
          Download with boxes
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
        title={`Delete “${upload.name}”?`}
        keep="Keep it"
        confirm="Delete"
        busy={remove.isPending}
        error={remove.error}
        kept="The picture is still there."
        onConfirm={confirm}
        onClose={close}
      >
        The picture and everything found in it are removed from the server for good.
      </ConfirmDialog>
    </Group>
  );
}
