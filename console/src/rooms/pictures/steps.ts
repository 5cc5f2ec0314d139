/** What is said of a picture on its way: its state, the step being done, and how it ended. */

import { plural } from '../../format/numbers';
import { DEFAULT_LEAST } from './one/least';
import { isRunning, type State, type Upload } from './uploads';

type Step = NonNullable<Upload['progress']['step']>;

export const STEPS: readonly Step[] = ['cleaned', 'objects', 'text', 'mood'];

const DOING: Readonly<Record<Step, string>> = {
  cleaned: 'Removing place and camera data',
  objects: 'Looking for objects',
  text: 'Reading text',
  mood: 'Reading the mood of the text',
};

const STATES: Readonly<Record<State, string>> = {
  queued: 'Waiting',
  processing: 'Being read',
  done: 'Done',
  failed: 'Could not be read',
  dead: 'Set aside',
};

export function stateWord(state: State): string {
  return STATES[state];
}

/** What is happening to a picture right now. */
export function doing({ state, progress }: Pick<Upload, 'state' | 'progress'>): string {
  if (state === 'queued' && progress.done > 0) return 'Waiting to go on';
  if (state === 'queued') return 'Waiting for a worker';
  if (state !== 'processing') return stateWord(state);
  // There is none between the last step and the end.
  return progress.step === null ? 'Finishing' : DOING[progress.step];
}

export function shareDone({ progress }: Pick<Upload, 'progress'>): number {
  return progress.total === 0 ? 0 : Math.min(1, progress.done / progress.total);
}

/** What was found, as one short line: "2 dogs, 1 person · text". */
export function summary(
  upload: Pick<Upload, 'objects' | 'text'> & Partial<Pick<Upload, 'notes'>>,
  least: number,
): string {
  const counts = new Map<string, number>();
  for (const { label, score } of upload.objects?.objects ?? []) {
    if (score >= least) counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  const objects = [...counts]
    .sort(([, one], [, other]) => other - one)
    .map(([label, count]) => (count === 1 ? label : plural(count, label, manyOf(label))));
  const text = upload.text?.text.trim() ?? '';
  const parts = [objects.slice(0, 4).join(', '), text === '' ? '' : `“${shortened(text)}”`];
  const found = parts.filter((part) => part !== '').join(' · ');
  if (found !== '') return found;
  const left = Object.keys(upload.notes ?? {});
  if (left.length === 0) return 'Nothing was found';
  return left.includes('objects') ? 'Objects were not looked for' : 'A step was left out';
}

/** How far a picture is, or what was found in it. */
export function standing(upload: Upload): string {
  if (isRunning(upload)) return doing(upload);
  return upload.state === 'done' ? summary(upload, DEFAULT_LEAST) : stateWord(upload.state);
}

const IRREGULAR: Readonly<Record<string, string>> = {
  person: 'people',
  mouse: 'mice',
  knife: 'knives',
  sheep: 'sheep',
  skis: 'skis',
  scissors: 'scissors',
  broccoli: 'broccoli',
};

function manyOf(label: string): string {
  return IRREGULAR[label] ?? `${label}${/(s|sh|ch|x)$/.test(label) ? 'es' : 's'}`;
}

function shortened(text: string, most = 40): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length <= most ? line : `${line.slice(0, most - 1).trimEnd()}…`;
}

/** Said aloud when the number of finished pictures changes. */
export function spokenProgress(uploads: readonly Pick<Upload, 'state'>[]): string {
  const waiting = uploads.filter(({ state }) => state === 'queued' || state === 'processing').length;
  return waiting === 0 ? 'All pictures have been read.' : `${plural(waiting, 'picture')} to go.`;
}
