/** From this score on an object is shown at first: fewer boxes, and nearly all of them right. */
export const DEFAULT_LEAST = 0.45;
