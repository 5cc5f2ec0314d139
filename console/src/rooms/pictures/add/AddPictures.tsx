import '@mantine/dropzone/styles.css';

import { Button, Group, Stack, Text, VisuallyHidden } from '@mantine/core';
import { Dropzone } from '@mantine/dropzone';
import { IconCamera, IconPhotoPlus, IconPhotoScan } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';

import { type Find, useFind } from '../find';
import { samplePicture } from '../sample';
import classes from './AddPictures.module.css';
import { LookFor } from './LookFor';
import { TakePicture } from './TakePicture';

interface Props {
  readonly onFiles: (files: readonly File[], find: readonly Find[]) => void;
  readonly compact?: boolean;
}

type OnFiles = (files: readonly File[]) => void;

/** Every way to bring a picture: drop, choose, paste, take, or try the sample. */
export function AddPictures({ onFiles: onChosen, compact = false }: Props) {
  const [find, setFind] = useFind();
  const onFiles: OnFiles = (files) => onChosen(files, find);
  usePastedPictures(onFiles);
  return (
    <Stack gap="sm">
      <Dropzone
        onDrop={onFiles}
        className={classes.drop}
        data-compact={compact}
        inputProps={{ 'aria-label': 'Pictures to read' }}
        aria-label="Drop pictures here, or press Enter to choose them"
      >
        <Stack align="center" gap="xs" className={classes.inside}>
          <IconPhotoPlus size={36} stroke={1.3} aria-hidden="true" />
          <Text fw={550}>Drop pictures here, or click to choose them</Text>
          <Text size="sm" c="dimmed">
            JPEG, PNG, WebP or GIF, and HEIC where this site can read it; up to 20 MiB each. Pasting
            works too.
          </Text>
        </Stack>
      </Dropzone>
      <Group justify="space-between" gap="sm">
        <LookFor find={find} onChange={setFind} />
        <Group gap={6}>
          <Camera onFiles={onFiles} />
          <Sample onFiles={onFiles} />
        </Group>
      </Group>
    </Stack>
  );
}

/** A telephone's own camera takes better pictures than a page can; elsewhere a dialog takes them. */
function Camera({ onFiles }: { readonly onFiles: OnFiles }) {
  const input = useRef<HTMLInputElement>(null);
  const [opened, setOpened] = useState(false);
  const open = () => {
    if (window.matchMedia('(pointer: coarse)').matches) input.current?.click();
    else setOpened(true);
  };
  return (
    <>
      <VisuallyHidden>
        <input
          ref={input}
          type="file"
          accept="image/*"
          capture="environment"
          tabIndex={-1}
          aria-label="A picture from the camera"
          onChange={({ currentTarget }) => {
            onFiles([...(currentTarget.files ?? [])]);
            currentTarget.value = '';
          }}
        />
      </VisuallyHidden>
      <Button
        size="compact-sm"
        variant="subtle"
        leftSection={<IconCamera size={16} stroke={1.6} />}
        onClick={open}
      >
        Take a picture
      </Button>
      <TakePicture
        opened={opened}
        onTaken={(file) => onFiles([file])}
        onClose={() => setOpened(false)}
      />
    </>
  );
}

function Sample({ onFiles }: { readonly onFiles: OnFiles }) {
  const [broken, setBroken] = useState(false);
  const tryIt = () => {
    samplePicture().then(
      (file) => onFiles([file]),
      () => setBroken(true),
    );
  };
  return (
    <>
      <Button
        size="compact-sm"
        variant="subtle"
        leftSection={<IconPhotoScan size={16} stroke={1.6} />}
        onClick={tryIt}
      >
        Try the sample
      </Button>
      {broken && (
        <Text size="sm" c="var(--failure)" role="alert">
          This browser cannot draw the sample. Choose a picture of yours.
        </Text>
      )}
    </>
  );
}

/** Pictures pasted anywhere on the page, unless something is being written. */
function usePastedPictures(onFiles: OnFiles) {
  const latest = useRef(onFiles);
  useEffect(() => {
    latest.current = onFiles;
  }, [onFiles]);
  useEffect(() => {
    const paste = ({ clipboardData, target }: ClipboardEvent) => {
      if (target instanceof Element && target.closest('input, textarea, [contenteditable]')) return;
      const files = [...(clipboardData?.files ?? [])].filter(({ type }) => type.startsWith('image/'));
      if (files.length > 0) latest.current(files);
    };
    document.addEventListener('paste', paste);
    return () => document.removeEventListener('paste', paste);
  }, []);
}
