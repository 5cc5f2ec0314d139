import { Alert, Button, Group, Modal, Stack, Text, VisuallyHidden } from '@mantine/core';
import { IconCamera, IconCameraOff } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';

import { focusIfLost } from '../../../app/focus';
import { openCamera, stop, takePicture, type Trouble, troubleOf, UNPLUGGED } from './camera';
import classes from './TakePicture.module.css';

interface Props {
  readonly onTaken: (file: File) => void;
  readonly onClose: () => void;
}

/** A dialog that shows what the camera sees, takes a picture and shows that before it is used. */
export function TakePicture({ opened, onClose, onTaken }: Props & { readonly opened: boolean }) {
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title="Take a picture"
      closeButtonProps={{ 'aria-label': 'Close' }}
      size="lg"
      centered
    >
      <Viewfinder onTaken={onTaken} onClose={onClose} />
    </Modal>
  );
}

/** The camera is on for as long as this is mounted. */
function Viewfinder({ onTaken, onClose }: Props) {
  const { video, seeing, trouble, tryAgain, fail } = useCamera();
  const [shot, setShot] = useState<File | null>(null);
  const take = () => {
    if (video.current === null || !seeing) return;
    takePicture(video.current, new Date()).then(setShot, fail);
  };
  return (
    <Stack>
      {/* Mounted before it says anything, so that screen readers tell the change. */}
      <VisuallyHidden role="status">{spoken(seeing, shot !== null)}</VisuallyHidden>
      {trouble === null ? (
        <div className={classes.frame}>
          <video
            ref={video}
            className={classes.seen}
            autoPlay
            playsInline
            muted
            aria-label="What the camera sees"
            hidden={shot !== null}
          />
          {!seeing && (
            <Text size="sm" c="gray.3" style={{ gridArea: '1 / 1' }}>
              Waiting for the camera; the browser may ask you to allow it.
            </Text>
          )}
          {shot !== null && <Shot file={shot} />}
        </div>
      ) : (
        <Alert
          role="alert"
          variant="default"
          icon={<IconCameraOff aria-hidden="true" stroke={1.6} />}
          title={trouble.title}
        >
          {trouble.advice}
        </Alert>
      )}
      <Choices
        step={trouble !== null ? 'trouble' : shot === null ? 'aim' : 'look'}
        ready={seeing}
        onTake={take}
        onRetake={() => setShot(null)}
        onUse={() => {
          if (shot !== null) onTaken(shot);
          onClose();
        }}
        onTryAgain={() => {
          setShot(null);
          tryAgain();
        }}
        onClose={onClose}
      />
    </Stack>
  );
}

function spoken(seeing: boolean, taken: boolean): string {
  if (taken) return 'Taken. Use it, or take another.';
  return seeing ? 'The camera is on.' : '';
}

/** Turns a camera on and shows it in `video`; off again when unmounted. */
function useCamera() {
  const video = useRef<HTMLVideoElement>(null);
  const [seeing, setSeeing] = useState(false);
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const [tries, setTries] = useState(0);
  useEffect(() => {
    const held: MediaStream[] = [];
    let gone = false;
    const show = async () => {
      const opened = await openCamera(navigator.mediaDevices);
      if (gone || video.current === null) {
        stop(opened);
        return;
      }
      held.push(opened);
      for (const track of opened.getTracks()) {
        track.addEventListener('ended', () => {
          setSeeing(false);
          setTrouble(UNPLUGGED);
        });
      }
      video.current.srcObject = opened;
      await video.current.play();
    };
    show().then(
      () => {
        if (!gone) setSeeing(true);
      },
      (error: unknown) => {
        if (!gone) setTrouble(troubleOf(error));
      },
    );
    return () => {
      gone = true;
      held.forEach(stop);
    };
  }, [tries]);
  const tryAgain = () => {
    setSeeing(false);
    setTrouble(null);
    setTries((before) => before + 1);
  };
  const fail = (error: unknown) => setTrouble(troubleOf(error));
  return { video, seeing, trouble, tryAgain, fail };
}

/** The picture that was taken; its address is let go of with it. */
function Shot({ file }: { readonly file: File }) {
  const image = useRef<HTMLImageElement>(null);
  useEffect(() => {
    const address = URL.createObjectURL(file);
    if (image.current !== null) image.current.src = address;
    return () => URL.revokeObjectURL(address);
  }, [file]);
  return <img ref={image} className={classes.seen} alt="What was taken" />;
}

interface ChoicesProps {
  readonly step: 'aim' | 'look' | 'trouble';
  readonly ready: boolean;
  readonly onTake: () => void;
  readonly onRetake: () => void;
  readonly onUse: () => void;
  readonly onTryAgain: () => void;
  readonly onClose: () => void;
}

/** What can be done next. The likeliest has the focus whenever the former one is gone. */
function Choices({ step, ready, onTake, onRetake, onUse, onTryAgain, onClose }: ChoicesProps) {
  const likeliest = useRef<HTMLButtonElement>(null);
  useEffect(() => focusIfLost(likeliest.current), [step]);
  return (
    <Group justify="flex-end">
      <Button variant="default" onClick={onClose}>
        Cancel
      </Button>
      {step === 'aim' && (
        // Not disabled while the camera is turned on: it would lose the focus.
        <Button
          key="take"
          ref={likeliest}
          data-autofocus
          data-disabled={!ready || undefined}
          aria-disabled={!ready}
          leftSection={<IconCamera size={17} stroke={1.6} aria-hidden="true" />}
          onClick={onTake}
        >
          Take
        </Button>
      )}
      {step === 'look' && (
        <Button key="retake" variant="default" onClick={onRetake}>
          Retake
        </Button>
      )}
      {step === 'look' && (
        <Button key="use" ref={likeliest} onClick={onUse}>
          Use
        </Button>
      )}
      {step === 'trouble' && (
        <Button key="again" ref={likeliest} onClick={onTryAgain}>
          Try again
        </Button>
      )}
    </Group>
  );
}
