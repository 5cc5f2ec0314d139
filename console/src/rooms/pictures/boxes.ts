/** Where boxes lie on a picture and how they look. */

import type { Upload } from './uploads';

export type Found = NonNullable<Upload['objects']>['objects'][number];

export interface Look {
  readonly line: string;
  /** The color of words on a ground of `line`. */
  readonly ink: string;
}

/** Okabe and Ito's colors, told apart with any color vision (jfly.uni-koeln.de/color). */
const PALETTE: readonly Look[] = [
  { line: '#0072b2', ink: '#ffffff' },
  { line: '#d55e00', ink: '#101014' },
  { line: '#009e73', ink: '#101014' },
  { line: '#cc79a7', ink: '#101014' },
  { line: '#e69f00', ink: '#101014' },
  { line: '#56b4e9', ink: '#101014' },
];

/** CRC-32, by which the server's own drawings choose colors too. */
export function crc32(text: string): number {
  let rest = 0xffffffff;
  for (const byte of new TextEncoder().encode(text)) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit += 1) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0);
  }
  return (rest ^ 0xffffffff) >>> 0;
}

/** The same word looks the same in every picture. */
export function lookOf(label: string): Look {
  return PALETTE[crc32(label) % PALETTE.length] ?? { line: '#0072b2', ink: '#ffffff' };
}

/** Objects with at least this score, the surest first. */
export function shown(objects: readonly Found[], least: number): Found[] {
  return objects
    .filter(({ score }) => score >= least)
    .sort((one, other) => other.score - one.score);
}

/** A length as a share of the picture's side, for CSS. */
export function share(length: number, side: number): string {
  return `${((Math.max(0, Math.min(length, side)) / Math.max(1, side)) * 100).toFixed(3)}%`;
}
