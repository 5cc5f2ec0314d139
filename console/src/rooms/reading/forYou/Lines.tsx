import { Anchor, Text } from '@mantine/core';
import { Link } from 'react-router';

import type { Suggested, Verdict as Judgment } from '../reading';
import classes from '../Reading.module.css';
import { Verdict } from '../Verdict';
import { Why } from '../Why';

interface Props {
  readonly list: Pick<Suggested, 'items' | 'impression'>;
  /** True while a newer list is on its way. */
  readonly stale?: boolean;
  readonly busy?: boolean;
  /** One thing above the other, where there is little width. */
  readonly stacked?: boolean;
  readonly onJudge?: (id: string, verdict: Judgment) => void;
}

/** A list of texts, each with the reason it is there. */
export function Lines({ list, stale = false, busy = false, stacked = false, onJudge }: Props) {
  return (
    <ol className={classes.list} data-stale={stale} data-stacked={stacked} aria-busy={stale}>
      {list.items.map(({ content_id: id, title, category, reason }) => (
        <li key={id} className={classes.line}>
          <div>
            <Text size="sm" c="dimmed">
              {category}
            </Text>
            <Anchor
              component={Link}
              to={`/reading/text/${encodeURIComponent(id)}`}
              state={{ impression: list.impression }}
              className={classes.title}
              c="var(--mantine-color-text)"
            >
              {title === '' ? id : title}
            </Anchor>
            {reason?.kind !== 'similar' && <Why reason={reason} />}
          </div>
          {onJudge !== undefined && (
            <div className={classes.judge}>
              <Verdict
                compact
                title={title}
                verdict={null}
                busy={busy}
                onJudge={(verdict) => onJudge(id, verdict)}
              />
            </div>
          )}
        </li>
      ))}
    </ol>
  );
}
