import { Anchor, Button, Group, Paper, Progress, Stack, Text, Title, VisuallyHidden } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';

import { MoodWord } from '../../mood/MoodWord';
import { useSession } from '../../server/session';
import { AddPictures } from './add/AddPictures';
import { Parcels } from './add/Parcels';
import { shown } from './boxes';
import { Follow } from './Follow';
import { DEFAULT_LEAST } from './one/least';
import { Marked } from './one/Marked';
import { outbox } from './outbox';
import { shareDone, standing } from './steps';
import { isRunning, put, refreshLists, type Upload, uploadOf } from './uploads';

/** The first screen's tile: drop a picture and watch it being read. */
export default function PicturesTile() {
  const { data: session } = useSession();
  return (
    <Paper p={{ base: 'lg', sm: 32 }} component="section" aria-labelledby="pictures-tile">
      <Stack gap="lg">
        <Group justify="space-between" align="baseline">
          <Title order={2} id="pictures-tile">
            Drop a picture
          </Title>
          <Anchor component={Link} to="/pictures" size="sm">
            Open Pictures
          </Anchor>
        </Group>
        {session?.user ? <Live /> : <SignInPrompt />}
      </Stack>
    </Paper>
  );
}

function Live() {
  const client = useQueryClient();
  const [latest, setLatest] = useState<string | null>(null);
  const accept = (upload: Upload) => {
    put(client, upload);
    void refreshLists(client);
    setLatest(upload.id);
  };
  const { data: upload } = useQuery({ ...uploadOf(latest ?? ''), enabled: latest !== null });
  return (
    <>
      {/* Mounted before there is anything to say, or a screen reader would miss the first. */}
      <VisuallyHidden role="status">{upload !== undefined && standing(upload)}</VisuallyHidden>
      {upload !== undefined && <Latest upload={upload} />}
      <AddPictures compact onFiles={(files, find) => outbox.add(files, find, accept)} />
      <Parcels onAccepted={accept} />
    </>
  );
}

function Latest({ upload }: { readonly upload: Upload }) {
  const objects = shown(upload.objects?.objects ?? [], DEFAULT_LEAST);
  return (
    <Stack gap="sm">
      <Follow uploads={[upload]} />
      <Marked upload={upload} objects={objects} pointed={null} withText />
      {isRunning(upload) && (
        <Progress size={6} value={shareDone(upload) * 100} aria-label="Steps done" />
      )}
      <Group justify="space-between" gap="sm">
        <Text size="sm">{standing(upload)}</Text>
        {upload.mood !== null && <MoodWord label={upload.mood.label} />}
        <Anchor component={Link} to={`/pictures/${upload.id}`} size="sm">
          See all of it
        </Anchor>
      </Group>
    </Stack>
  );
}

function SignInPrompt() {
  return (
    <Group justify="space-between" gap="md">
      <Text c="dimmed" maw="38ch">
        Sign in and drop a picture here: its objects, its words and their mood appear as they are
        found.
      </Text>
      <Button component={Link} to="/sign-in?next=/">
        Sign in
      </Button>
    </Group>
  );
}
