import { expect, it } from 'vitest';

import { safeNext } from './next';

it.each([
  ['/text/files?page=2', '/text/files?page=2'],
  ['//elsewhere.example', '/'],
  ['/\\elsewhere.example', '/'],
  ['https://elsewhere.example', '/'],
  ['javascript:alert(1)', '/'],
  [null, '/'],
])('after sign-in %s leads to %s', (asked, given) => {
  expect(safeNext(asked)).toBe(given);
});
