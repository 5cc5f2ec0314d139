import { IconBook } from '@tabler/icons-react';
import { lazy } from 'react';

import type { Room } from '../room';

export const room: Room = {
  name: 'Reading room',
  summary: 'A list for each reader that follows what they like, and says why.',
  path: '/reading',
  icon: IconBook,
  group: 'rooms',
  order: 30,
  visibleWhen: () => true,
  routes: [
    {
      lazy: () => import('./ReadingRoom'),
      children: [
        { index: true, lazy: () => import('./forYou/ForYouPage') },
        { path: 'read', lazy: () => import('./ReadPage') },
        { path: 'catalog', lazy: () => import('./catalog/CatalogPage') },
      ],
    },
    { path: 'text/:contentId', lazy: () => import('./article/ArticlePage') },
  ],
  Tile: lazy(() => import('./ReadingTile')),
};
