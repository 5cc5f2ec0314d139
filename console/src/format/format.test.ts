import { describe, expect, it } from 'vitest';

import { ago } from './dates';
import { bytes, compactCount, count, duration, percent, plural, rate } from './numbers';

describe('percent', () => {
  it('never claims certainty that is not there', () => {
    expect(percent(0.99996)).toBe('>99.9%');
    expect(percent(0.00004)).toBe('<0.1%');
    expect(percent(1)).toBe('100.0%');
    expect(percent(0)).toBe('0.0%');
  });
  it('keeps one decimal by default', () => {
    expect(percent(0.8767)).toBe('87.7%');
    expect(percent(0.5, 0)).toBe('50%');
  });
  it('shows a dash for what is not a number', () => {
    expect(percent(Number.NaN)).toBe('–');
  });
});

describe('duration', () => {
  it.each([
    [0.2, 'less than a second'],
    [42.4, '42 s'],
    [60, '1 min'],
    [185, '3 min 5 s'],
    [7260, '2 h 1 min'],
    [Number.POSITIVE_INFINITY, '–'],
  ])('%d seconds is %s', (seconds, words) => {
    expect(duration(seconds)).toBe(words);
  });
});

describe('counts', () => {
  it('groups thousands and agrees in number', () => {
    expect(count(1234567)).toBe('1,234,567');
    expect(plural(1, 'row')).toBe('1 row');
    expect(plural(2048, 'row')).toBe('2,048 rows');
    expect(plural(0, 'reply', 'replies')).toBe('0 replies');
    expect(compactCount(12_345)).toBe('12.3K');
  });
  it('rounds rates to what the eye can use', () => {
    expect(rate(3.14159)).toBe('3.1');
    expect(rate(1234.5)).toBe('1,235');
    expect(rate(0)).toBe('–');
  });
  it('writes sizes in decimal units', () => {
    expect(bytes(999)).toBe('999 B');
    expect(bytes(1_500)).toBe('1.5 KB');
    expect(bytes(250_000_000)).toBe('250 MB');
  });
});

describe('ago', () => {
  const now = new Date('2026-03-01T12:00:00Z');
  it.each([
    ['2026-03-01T11:59:55Z', 'just now'],
    ['2026-03-01T11:59:00Z', '1 minute ago'],
    ['2026-03-01T09:00:00Z', '3 hours ago'],
    ['2026-02-28T11:00:00Z', 'yesterday'],
  ])('%s is %s', (iso, words) => {
    expect(ago(iso, now)).toBe(words);
  });
  it('turns to a date after a week', () => {
    expect(ago('2025-12-24T12:00:00Z', now)).toBe('Dec 24, 2025');
  });
});
