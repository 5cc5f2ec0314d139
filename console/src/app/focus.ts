/** The state of an address that a tab changed: the focus stays on the tab, not on the new page. */
export const KEEPS_FOCUS = 'keeps-focus';
