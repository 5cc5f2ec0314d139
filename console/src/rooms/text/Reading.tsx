import { Group, Stack, Text, VisuallyHidden } from '@mantine/core';
import type { ReactNode } from 'react';

import { AiMark } from '../../app/AiMark';
import { percent, plural } from '../../format/numbers';
import { appearance } from '../../mood/mood';
import { MoodScores } from '../../mood/MoodScores';
import { MoodWord } from '../../mood/MoodWord';
import type { Analysis } from './analyze';
import classes from './Reading.module.css';

interface Props {
  readonly analysis: Analysis;
  /** True while a newer reading is on its way. */
  readonly stale: boolean;
  /** What can be done with the result, such as saying that it is wrong. */
  readonly children?: ReactNode;
}

/** One text's mood: the word, the shares, the model; said aloud once when it changes. */
export function Reading({ analysis, stale, children }: Props) {
  const { label, score, scores, windows, model } = analysis;
  const spoken = `${appearance(label).word}, ${percent(score)}`;
  return (
    <Stack gap="lg" className={classes.reading} data-stale={stale}>
      <VisuallyHidden role="status">{stale ? '' : spoken}</VisuallyHidden>
      <Group justify="space-between" align="baseline" gap="xs">
        <MoodWord label={label} size="lg" />
        <Text className="figure" c="dimmed" aria-hidden="true">
          {percent(score)}
        </Text>
      </Group>
      <MoodScores scores={scores} />
      {windows > 1 && (
        <Text size="sm" c="dimmed">
          A long text, read in {plural(windows, 'overlapping part')}.
        </Text>
      )}
      <Group justify="space-between" gap="sm">
        <AiMark name={model.name} version={model.version} />
        {children}
      </Group>
    </Stack>
  );
}
