import { Anchor, Group, Progress, Text } from '@mantine/core';
import { IconAlertTriangle, IconPhoto } from '@tabler/icons-react';
import { Link } from 'react-router';

import { MoodMark } from '../../../mood/MoodMark';
import { appearance } from '../../../mood/mood';
import { DEFAULT_LEAST } from '../one/least';
import { doing, shareDone, stateWord, summary } from '../steps';
import { isRunning, type Upload } from '../uploads';
import classes from './Card.module.css';

/** One picture in the gallery: what it looks like and what was found, or how far it is. */
export function Card({ upload }: { readonly upload: Upload }) {
  const { thumbnail } = upload.links;
  return (
    <li className={classes.card} data-state={upload.state}>
      <div className={classes.frame}>
        {thumbnail === null ? (
          <IconPhoto size={34} stroke={1.2} aria-hidden="true" />
        ) : (
          <img src={thumbnail} alt="" loading="lazy" className={classes.picture} />
        )}
      </div>
      <Anchor
        component={Link}
        to={`/pictures/${upload.id}`}
        size="sm"
        fw={550}
        c="inherit"
        underline="hover"
        className={classes.link}
        lineClamp={1}
        title={upload.name}
      >
        {upload.name}
      </Anchor>
      <Below upload={upload} />
    </li>
  );
}

function Below({ upload }: { readonly upload: Upload }) {
  if (isRunning(upload)) {
    return (
      <>
        <Progress size={5} value={shareDone(upload) * 100} aria-label={`Progress of ${upload.name}`} />
        <Text size="xs" c="dimmed">
          {doing(upload)}
        </Text>
      </>
    );
  }
  if (upload.state !== 'done') {
    return (
      <Group gap={6} wrap="nowrap" c="var(--failure)">
        <IconAlertTriangle size={14} aria-hidden="true" />
        <Text size="xs">{stateWord(upload.state)}</Text>
      </Group>
    );
  }
  return (
    <Group gap={6} wrap="nowrap" align="flex-start">
      {upload.mood !== null && (
        <span role="img" aria-label={`${appearance(upload.mood.label).word} text`}>
          <MoodMark label={upload.mood.label} size={15} />
        </span>
      )}
      <Text size="xs" c="dimmed" lineClamp={2} className="wraps">
        {summary(upload, DEFAULT_LEAST)}
      </Text>
    </Group>
  );
}
