import { describe, expect, it } from 'vitest';

import { nameAt, NOT_HERE, openCamera, troubleOf } from './camera';

describe('a camera that cannot be used', () => {
  it('is told with its reason and a way on', () => {
    const titles = ['NotAllowedError', 'NotFoundError', 'NotReadableError', 'AbortError'].map(
      (name) => troubleOf(new DOMException('', name)),
    );
    expect(new Set(titles.map(({ title }) => title)).size).toBe(4);
    expect(titles.every(({ advice }) => advice.includes('try again') || advice.includes('Try again'))).toBe(
      true,
    );
  });
  it('is not asked for where the browser gives pages none', async () => {
    const refusal: unknown = await openCamera(undefined).catch((error: unknown) => error);
    expect(troubleOf(refusal)).toBe(NOT_HERE);
  });
});

describe('a picture that was taken', () => {
  it('is named by when, in an order that sorts', () => {
    expect(nameAt(new Date(2026, 0, 2, 3, 4, 5))).toBe('picture 2026-01-02 03.04.05.jpg');
  });
});
