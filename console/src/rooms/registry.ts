/** Every room of the console: a folder here with a room.tsx is a room, and nothing else is needed. */

import type { Room } from './room';

const found = import.meta.glob<{ room: Room }>('./*/room.tsx', { eager: true });

export const rooms: readonly Room[] = Object.values(found)
  .map((module) => module.room)
  .sort((one, other) => one.order - other.order);
