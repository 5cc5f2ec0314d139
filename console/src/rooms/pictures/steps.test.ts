import { describe, expect, it } from 'vitest';

import { doing, shareDone, spokenProgress, stateWord, STEPS, summary } from './steps';
import type { Upload } from './uploads';

const box = { xmin: 0, ymin: 0, xmax: 1, ymax: 1 };
const model = { name: 'm', version: '1' };

function objects(...labels: string[]): Upload['objects'] {
  const all = labels.map((label) => ({ label, score: 0.9, box }));
  return { objects: all, width: 1, height: 1, model };
}

function text(words: string): Upload['text'] {
  return { text: words, lines: [], width: 1, height: 1, model };
}

describe('doing', () => {
  it('names each step in words', () => {
    const words = STEPS.map((step, done) =>
      doing({ state: 'processing', progress: { done, total: 4, step } }),
    );
    expect(new Set(words).size).toBe(STEPS.length);
    expect(words[1]).toBe('Looking for objects');
  });
  it('tells a first wait from a second', () => {
    const step = 'objects';
    expect(doing({ state: 'queued', progress: { done: 0, total: 4, step } })).toBe(
      'Waiting for a worker',
    );
    expect(doing({ state: 'queued', progress: { done: 1, total: 4, step } })).toBe(
      'Waiting to go on',
    );
  });
  it('ends with the state', () => {
    expect(doing({ state: 'dead', progress: { done: 1, total: 4, step: 'text' } })).toBe(
      stateWord('dead'),
    );
  });
});

describe('summary', () => {
  it('counts objects of a kind and quotes the text', () => {
    const found = { objects: objects('dog', 'person', 'person', 'bus', 'bus'), text: text('OPEN') };
    expect(summary(found, 0.5)).toBe('2 people, 2 buses, dog · “OPEN”');
  });
  it('leaves out objects that are not sure enough', () => {
    expect(summary({ objects: objects('dog'), text: null }, 0.95)).toBe('Nothing was found');
  });
  it('does not say that nothing is there where nobody looked', () => {
    const notes = { objects: { code: 'model_not_ready', message: 'No detector.' } };
    const none = { objects: null, text: null, notes } as Parameters<typeof summary>[0];
    expect(summary(none, 0.5)).toBe('Objects were not looked for');
  });
  it('shortens long texts and puts lines together', () => {
    const line = summary({ objects: null, text: text(`one\n${'word '.repeat(30)}`) }, 0.5);
    expect(line.length).toBeLessThan(45);
    expect(line).toMatch(/^“one word .*…”$/);
  });
});

describe('progress', () => {
  it('is a share of the steps', () => {
    expect(shareDone({ progress: { done: 1, total: 4, step: 'text' } })).toBe(0.25);
    expect(shareDone({ progress: { done: 0, total: 0, step: 'text' } })).toBe(0);
  });
  it('is said aloud as what is left', () => {
    expect(spokenProgress([{ state: 'queued' }, { state: 'done' }])).toBe('1 picture to go.');
    expect(spokenProgress([{ state: 'done' }])).toBe('All pictures have been read.');
  });
});
