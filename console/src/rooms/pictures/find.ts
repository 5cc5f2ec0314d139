/** What pictures are looked at for; a browser remembers its choice. */

import { useLocalStorage } from '@mantine/hooks';

import type { Upload } from './uploads';

export type Find = Upload['find'][number];

export const FINDS: readonly Find[] = ['objects', 'text'];

/** The choice as it was stored; both, where that cannot be read or names neither. */
export function remembered(stored: string | undefined): readonly Find[] {
  const names = (stored ?? '').split(',');
  const known = FINDS.filter((name) => names.includes(name));
  return known.length === 0 ? FINDS : known;
}

export function useFind(): [readonly Find[], (find: readonly Find[]) => void] {
  const [find, setFind] = useLocalStorage<readonly Find[]>({
    key: 'discern-find',
    defaultValue: FINDS,
    serialize: (value) => value.join(','),
    deserialize: remembered,
  });
  return [find, setFind];
}
