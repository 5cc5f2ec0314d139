import { Group, Stack, Text, VisuallyHidden } from '@mantine/core';

import { AiMark } from '../../app/AiMark';
import { percent, plural } from '../../format/numbers';
import { appearance } from '../../mood/mood';
import { MoodScores } from '../../mood/MoodScores';
import { MoodWord } from '../../mood/MoodWord';
import { WrongMood } from '../../mood/WrongMood';
import type { Mood } from './analyze';
import classes from './Reading.module.css';

interface Props {
  readonly text: string;
  readonly mood: Mood;
  /** True while a newer reading is on its way. */
  readonly stale: boolean;
}

/** Says a mood aloud when it changes. It is mounted before there is one: a screen reader tells
 * what changes in a status, not what a status already holds when it appears. */
export function SpokenMood({ mood, stale }: { readonly mood: Mood | undefined; readonly stale: boolean }) {
  return (
    <VisuallyHidden role="status">
      {mood !== undefined && !stale && `${appearance(mood.label).word}, ${percent(mood.score)}`}
    </VisuallyHidden>
  );
}

/** One text's mood: the word, the shares, the model. */
export function Reading({ text, mood, stale }: Props) {
  const { label, scores, windows, model_name: name, model_version: version } = mood;
  return (
    <Stack gap="lg" className={classes.reading} data-stale={stale}>
      <MoodWord label={label} size="lg" />
      <MoodScores scores={scores} />
      {windows > 1 && (
        <Text size="sm" c="dimmed">
          A long text, read in {plural(windows, 'overlapping part')}.
        </Text>
      )}
      <Group justify="space-between" gap="sm">
        <AiMark name={name} version={version} />
        <WrongMood key={text} text={text} label={label} labels={Object.keys(scores)} />
      </Group>
    </Stack>
  );
}
