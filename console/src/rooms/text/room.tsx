import { IconBlockquote } from '@tabler/icons-react';
import { lazy } from 'react';

import type { Room } from '../room';

export const room: Room = {
  name: 'Text',
  summary: 'Read the mood of one text, or of every row of a file.',
  path: '/text',
  icon: IconBlockquote,
  group: 'rooms',
  order: 10,
  visibleWhen: () => true,
  routes: [
    {
      lazy: () => import('./TextRoom'),
      children: [
        { index: true, lazy: () => import('./type/TypePage') },
        { path: 'files', lazy: () => import('./files/FilesPage') },
      ],
    },
    { path: 'files/:jobId', lazy: () => import('./files/JobPage') },
  ],
  Tile: lazy(() => import('./TextTile')),
};
