import { describe, expect, it } from 'vitest';

import sheet from './mantine.ts?raw';

const CORE = '/node_modules/@mantine/core';

const sources = import.meta.glob<string>(['../**/*.tsx', '../**/*.ts'], {
  query: '?raw',
  import: 'default',
  eager: true,
});
const modules = import.meta.glob<string>('/node_modules/@mantine/core/esm/components/**/*.mjs', {
  query: '?raw',
  import: 'default',
  eager: true,
});
const styles = import.meta.glob('/node_modules/@mantine/core/styles/*.css');

function imported(): string[] {
  const texts = Object.values(sources);
  const lists = texts.flatMap((text) => [
    ...text.matchAll(/import \{([^}]*)\} from '@mantine\/core'/g),
  ]);
  return lists.flatMap(([, names = '']) => names.split(',').map((name) => name.trim()));
}

/** Components that a component of the library draws itself with. */
function drawnWith(component: string): string[] {
  const folder = `${CORE}/esm/components/${component}/`;
  const own = Object.entries(modules).filter(([path]) => path.startsWith(folder));
  const used = own.flatMap(([, text]) => [...text.matchAll(/from "(?:\.\.\/)+(\w+)\/\1\.mjs"/g)]);
  return used.flatMap(([, name]) => (name === undefined || name === component ? [] : [name]));
}

function needed(): string[] {
  const found = new Set(imported());
  for (const name of found) for (const inner of drawnWith(name)) found.add(inner);
  return [...found].filter((name) => `${CORE}/styles/${name}.css` in styles).sort();
}

describe('the component library’s styles', () => {
  const components = needed();
  it('are there to be checked, inner components included', () => {
    expect(components).toContain('SegmentedControl');
    expect(components).toContain('FloatingIndicator');
  });
  it.each(components)('%s has its styles loaded', (name) => {
    expect(sheet).toContain(`styles/${name}.css'`);
  });
});
