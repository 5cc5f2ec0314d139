/** The state of an address that a tab changed: the focus stays on the tab, not on the new page. */
export const KEEPS_FOCUS = 'keeps-focus';

/** Gives `next` the focus where it was lost, because what had it is gone; never takes it away from
 * where somebody has gone on to. */
export function focusIfLost(next: HTMLElement | null): void {
  const { activeElement: focused, body } = document;
  if (focused === null || focused === body) next?.focus();
}
