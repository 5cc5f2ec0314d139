import { describe, expect, it } from 'vitest';

import sheet from './mantine.ts?raw';

const sources = import.meta.glob<string>(['../**/*.tsx', '../**/*.ts'], {
  query: '?raw',
  import: 'default',
  eager: true,
});
const styles = Object.keys(import.meta.glob('/node_modules/@mantine/core/styles/*.css'));

function componentsUsed(): Set<string> {
  const used = new Set<string>();
  for (const text of Object.values(sources)) {
    for (const [, names] of text.matchAll(/import \{([^}]*)\} from '@mantine\/core'/g)) {
      for (const name of (names ?? '').split(',')) used.add(name.trim());
    }
  }
  return used;
}

describe('the component library’s styles', () => {
  const needed = [...componentsUsed()].filter((name) =>
    styles.some((path) => path.endsWith(`/${name}.css`)),
  );
  it('are there to be checked', () => {
    expect(needed.length).toBeGreaterThan(5);
  });
  it.each(needed)('%s has its styles loaded', (name) => {
    expect(sheet).toContain(`styles/${name}.css'`);
  });
});
