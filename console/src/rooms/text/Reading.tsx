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

/** One text's mood: the word, the shares, the model; said aloud once when it changes. */
export function Reading({ text, mood, stale }: Props) {
  const { label, score, scores, windows, model_name: name, model_version: version } = mood;
  const spoken = `${appearance(label).word}, ${percent(score)}`;
  return (
    <Stack gap="lg" className={classes.reading} data-stale={stale}>
      <VisuallyHidden role="status">{stale ? '' : spoken}</VisuallyHidden>
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
