import { Group, Stack, Switch, Text, Title } from '@mantine/core';

import { AiMark } from '../../../app/AiMark';
import { percent } from '../../../format/numbers';
import { MoodScores } from '../../../mood/MoodScores';
import { MoodWord } from '../../../mood/MoodWord';
import { WrongMood } from '../../../mood/WrongMood';
import type { Upload } from '../uploads';
import classes from './Words.module.css';

interface Props {
  readonly upload: Upload;
  readonly outlined: boolean;
  readonly onOutlined: (outlined: boolean) => void;
}

/** The text found in the picture, line by line, and its mood. */
export function Words({ upload, outlined, onOutlined }: Props) {
  const { text, mood } = upload;
  if (text === null) return null;
  return (
    <Stack component="section" aria-labelledby="words" gap="md">
      <Group justify="space-between" align="baseline">
        <Title order={2} id="words">
          {text.lines.length === 0 ? 'No text' : 'Text'}
        </Title>
        <AiMark {...text.model} />
      </Group>
      {text.lines.length > 0 && (
        <>
          <ul className={classes.lines}>
            {text.lines.map((line, place) => (
              <li key={place} title={`${percent(line.score)} sure`}>
                {line.text}
              </li>
            ))}
          </ul>
          <Switch
            size="sm"
            label="Show where the text is"
            checked={outlined}
            onChange={(event) => onOutlined(event.currentTarget.checked)}
          />
        </>
      )}
      {mood !== null && (
        <Stack gap="md" className={classes.mood}>
          <Group gap="sm">
            <Text size="sm" c="dimmed">
              Its mood
            </Text>
            <MoodWord label={mood.label} />
          </Group>
          <MoodScores scores={mood.scores} />
          <Group justify="space-between" gap="sm">
            <AiMark {...mood.model} />
            <WrongMood text={text.text} label={mood.label} labels={Object.keys(mood.scores)} />
          </Group>
        </Stack>
      )}
    </Stack>
  );
}
