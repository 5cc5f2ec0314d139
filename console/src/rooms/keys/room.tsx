import { IconKey } from '@tabler/icons-react';

import type { Room } from '../room';

export const room: Room = {
  name: 'API keys',
  summary: 'Make a key, and call the same models from any program.',
  path: '/keys',
  icon: IconKey,
  group: 'running',
  order: 10,
  visibleWhen: () => true,
  routes: [{ index: true, lazy: () => import('./KeysPage') }],
};
