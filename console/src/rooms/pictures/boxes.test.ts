import { describe, expect, it } from 'vitest';

import { crc32, type Found, lookOf, share, shown } from './boxes';

const found = (label: string, score: number): Found => ({
  label,
  score,
  box: { xmin: 0, ymin: 0, xmax: 1, ymax: 1 },
});

describe('colors', () => {
  it('are chosen by the checksum the server uses, so that a word has one color everywhere', () => {
    expect(crc32('dog')).toBe(0x812c397d);
    expect(crc32('')).toBe(0);
    expect(lookOf('dog')).toEqual(lookOf('dog'));
  });
  it('have an ink that can be read on them', () => {
    for (const label of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'person', 'dog']) {
      const { line, ink } = lookOf(label);
      expect(contrast(line, ink)).toBeGreaterThanOrEqual(4.5);
    }
  });
});

describe('shown', () => {
  it('leaves out what the model is less sure of, and begins with the surest', () => {
    const objects = [found('cat', 0.3), found('dog', 0.9), found('cup', 0.29)];
    expect(shown(objects, 0.3).map(({ label }) => label)).toEqual(['dog', 'cat']);
  });
});

describe('share', () => {
  it('stays on the picture', () => {
    expect(share(50, 200)).toBe('25.000%');
    expect(share(-3, 200)).toBe('0.000%');
    expect(share(300, 200)).toBe('100.000%');
    expect(share(1, 0)).toBe('0.000%');
  });
});

/** WCAG 2.2, relative luminance and contrast ratio. */
function contrast(one: string, other: string): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return ((light ?? 0) + 0.05) / ((dark ?? 0) + 0.05);
}

function luminance(color: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * (red ?? 0) + 0.7152 * (green ?? 0) + 0.0722 * (blue ?? 0);
}
