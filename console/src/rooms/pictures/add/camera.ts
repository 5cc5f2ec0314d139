/** The camera, as a browser gives it to a page, and what to tell where it does not. */

export interface Trouble {
  readonly title: string;
  readonly advice: string;
}

const REFUSED: Trouble = {
  title: 'The camera was refused',
  advice: 'Allow it for this site in the address bar, then try again; or choose a picture instead.',
};

const TROUBLES: Readonly<Record<string, Trouble>> = {
  NotAllowedError: REFUSED,
  SecurityError: REFUSED,
  NotFoundError: {
    title: 'No camera was found',
    advice: 'Connect one, then try again; or choose a picture instead.',
  },
  NotReadableError: {
    title: 'The camera is in use',
    advice: 'Close whatever else uses it, then try again.',
  },
};

const OTHER: Trouble = {
  title: 'The camera does not work',
  advice: 'Try again, or choose a picture instead.',
};

/** Thrown where a page may not even ask. */
export class NoCameraHere extends Error {}

export const NOT_HERE: Trouble = {
  title: 'No camera can be used on this page',
  advice:
    'Browsers give it only to a page that comes by HTTPS or from this computer. Choose a picture instead.',
};

export const UNPLUGGED: Trouble = {
  title: 'The camera has stopped',
  advice: 'Connect it again, then try again.',
};

/** What to tell of the error that {@link openCamera} rejected with. */
export function troubleOf(error: unknown): Trouble {
  if (error instanceof NoCameraHere) return NOT_HERE;
  return (error instanceof Error ? TROUBLES[error.name] : undefined) ?? OTHER;
}

/** Asks for a camera, the one on the back where there are two. Whoever gets it must stop it. */
export async function openCamera(devices: MediaDevices | undefined): Promise<MediaStream> {
  if (devices === undefined) throw new NoCameraHere();
  return devices.getUserMedia({
    video: { facingMode: 'environment', width: { ideal: 1920 }, height: { ideal: 1080 } },
  });
}

export function stop(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

/** What the camera sees right now, as a JPEG file. */
export async function takePicture(video: HTMLVideoElement, now: Date): Promise<File> {
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext('2d')?.drawImage(video, 0, 0);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.92));
  if (blob === null) throw new Error('This browser cannot write pictures.');
  return new File([blob], nameAt(now), { type: 'image/jpeg' });
}

/** "picture 2026-11-22 09.05.01.jpg", by the clock on the wall. */
export function nameAt(now: Date): string {
  const two = (part: number) => String(part).padStart(2, '0');
  const day = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join('-');
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join('.');
  return `picture ${day} ${time}.jpg`;
}
