/** The three moods: each has a word, a shape and a color, the same everywhere in the console. */

export const MOODS = ['negative', 'neutral', 'positive'] as const;
export type Mood = (typeof MOODS)[number];

interface Appearance {
  readonly word: string;
  /** Name of the outline, for those who ask what the mark looks like. */
  readonly shape: 'triangle' | 'square' | 'circle';
  /** The outline in a 20 by 20 box; filled with the mood's color. */
  readonly outline: string;
  /** The line across it, knocked out in the page's color: down, flat or up at its ends. */
  readonly mouth: string;
}

const APPEARANCES: Readonly<Record<Mood, Appearance>> = {
  negative: {
    word: 'Negative',
    shape: 'triangle',
    outline: 'M2.2 2.5h15.6a1.2 1.2 0 0 1 1.05 1.8l-7.8 13.9a1.2 1.2 0 0 1-2.1 0L1.15 4.3A1.2 1.2 0 0 1 2.2 2.5Z',
    mouth: 'M6.6 8.6q3.4-3 6.8 0',
  },
  neutral: {
    word: 'Neutral',
    shape: 'square',
    outline: 'M3.2 2h13.6A1.2 1.2 0 0 1 18 3.2v13.6a1.2 1.2 0 0 1-1.2 1.2H3.2A1.2 1.2 0 0 1 2 16.8V3.2A1.2 1.2 0 0 1 3.2 2Z',
    mouth: 'M6 10h8',
  },
  positive: {
    word: 'Positive',
    shape: 'circle',
    outline: 'M10 .8a9.2 9.2 0 1 1 0 18.4A9.2 9.2 0 0 1 10 .8Z',
    mouth: 'M5.8 10.6q4.2 4.4 8.4 0',
  },
};

export function isMood(label: string): label is Mood {
  return (MOODS as readonly string[]).includes(label);
}

/** The appearance of a label; a model with labels of its own gets its own words and the square. */
export function appearance(label: string): Appearance {
  const known = label.toLowerCase();
  if (isMood(known)) return APPEARANCES[known];
  return { ...APPEARANCES.neutral, word: label.charAt(0).toUpperCase() + label.slice(1) };
}

/** A CSS color for a label, right in light and dark. */
export function moodColor(label: string): string {
  const known = label.toLowerCase();
  return `var(--mood-${isMood(known) ? known : 'neutral'})`;
}

/** Labels in the order moods are always shown, then the model's other labels as they come. */
export function inOrder(labels: readonly string[]): string[] {
  const rank = (label: string) => {
    const place = (MOODS as readonly string[]).indexOf(label.toLowerCase());
    return place === -1 ? MOODS.length : place;
  };
  return [...labels].sort((one, other) => rank(one) - rank(other));
}
