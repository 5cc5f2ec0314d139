import { IconPhotoScan } from '@tabler/icons-react';
import { lazy } from 'react';

import type { Room } from '../room';

export const room: Room = {
  name: 'Pictures',
  summary: 'Find the objects and the text in pictures, and the mood of that text.',
  path: '/pictures',
  icon: IconPhotoScan,
  group: 'rooms',
  order: 20,
  visibleWhen: () => true,
  routes: [
    { index: true, lazy: () => import('./gallery/GalleryPage') },
    { path: ':uploadId', lazy: () => import('./one/PicturePage') },
  ],
  Tile: lazy(() => import('./PicturesTile')),
};
