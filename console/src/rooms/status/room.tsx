import { IconActivityHeartbeat } from '@tabler/icons-react';

import type { Room } from '../room';

export const room: Room = {
  name: 'Status',
  summary: 'Whether everything runs, and which model answers.',
  path: '/status',
  icon: IconActivityHeartbeat,
  group: 'running',
  order: 20,
  visibleWhen: () => true,
  routes: [{ index: true, lazy: () => import('./StatusPage') }],
};
