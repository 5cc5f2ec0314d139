import { Anchor } from '@mantine/core';
import { Link } from 'react-router';

import classes from './Shell.module.css';

/** The name and its mark: the three moods' lines, one above the other. */
export function Brand() {
  return (
    <Anchor component={Link} to="/" underline="never" className={classes.brand}>
      <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true" focusable="false">
        <g
          fill="none"
          stroke="var(--accent)"
          strokeWidth="3.2"
          strokeLinecap="round"
        >
          <path d="M6 10q10-7 20 0" />
          <path d="M6 16h20" />
          <path d="M6 22q10 7 20 0" />
        </g>
      </svg>
      Discern
    </Anchor>
  );
}
