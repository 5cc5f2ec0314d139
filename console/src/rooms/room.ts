/** What a room tells the console about itself; its folder's room.tsx exports one. */

import type { ComponentType } from 'react';
import type { RouteObject } from 'react-router';

import type { Session } from '../server/session';

export interface Room {
  readonly name: string;
  /** One sentence for the first screen: what a person does here. */
  readonly summary: string;
  /** Where it lives, such as "/text"; its routes are below it. */
  readonly path: string;
  readonly icon: ComponentType<{ size?: number; stroke?: number }>;
  /** Rooms people use stand first; what running the site needs stands below. */
  readonly group: 'rooms' | 'running';
  /** Place in its group. */
  readonly order: number;
  /** Whether this visitor sees it in the navigation. Pages decide for themselves what they show. */
  readonly visibleWhen: (session: Session | undefined) => boolean;
  /** Routes relative to `path`, each loaded when first opened. */
  readonly routes: RouteObject[];
  /** Its live tile on the first screen, if it has one. */
  readonly Tile?: ComponentType;
}
