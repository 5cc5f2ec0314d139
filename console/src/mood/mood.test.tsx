import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, it } from 'vitest';

import { appearance, inOrder, MOODS, moodColor } from './mood';
import { MoodMark } from './MoodMark';

describe('the three moods', () => {
  it('differ in word, shape, outline, mouth and color, so that no one of them carries the meaning', () => {
    const looks = MOODS.map(appearance);
    for (const part of ['word', 'shape', 'outline', 'mouth'] as const) {
      expect(new Set(looks.map((look) => look[part])).size).toBe(3);
    }
    expect(new Set(MOODS.map(moodColor)).size).toBe(3);
  });
  it('look the same whatever the case a model writes its labels in', () => {
    expect(appearance('POSITIVE')).toEqual(appearance('positive'));
    expect(moodColor('Negative')).toBe('var(--mood-negative)');
  });
  it('leave a foreign label its own word', () => {
    expect(appearance('mixed').word).toBe('Mixed');
    expect(moodColor('mixed')).toBe('var(--mood-neutral)');
  });
  it('are always shown from negative to positive', () => {
    expect(inOrder(['positive', 'mixed', 'negative', 'neutral'])).toEqual([
      'negative',
      'neutral',
      'positive',
      'mixed',
    ]);
  });
  it('are drawn as marks hidden from screen readers, which hear the word', () => {
    const markup = renderToStaticMarkup(<MoodMark label="negative" />);
    expect(markup).toContain('aria-hidden="true"');
    expect(markup).toContain('data-shape="triangle"');
  });
});
