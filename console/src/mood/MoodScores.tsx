import { Progress } from '@mantine/core';

import { percent } from '../format/numbers';
import { appearance, inOrder, moodColor } from './mood';
import { MoodMark } from './MoodMark';
import classes from './MoodScores.module.css';

interface Props {
  /** A share in [0, 1] for each label. */
  readonly scores: Readonly<Record<string, number>>;
}

/** Every mood's share as a bar with its number, always in the same order. */
export function MoodScores({ scores }: Props) {
  return (
    <ul className={classes.list}>
      {inOrder(Object.keys(scores)).map((label) => (
        <li key={label} className={classes.row}>
          <MoodMark label={label} size={15} />
          <span className={classes.word}>{appearance(label).word}</span>
          <Progress.Root size={8} aria-hidden="true" className={classes.bar}>
            <Progress.Section
              value={(scores[label] ?? 0) * 100}
              color={moodColor(label)}
              withAria={false}
              className={classes.fill}
            />
          </Progress.Root>
          <span className="figure">{percent(scores[label] ?? 0)}</span>
        </li>
      ))}
    </ul>
  );
}
