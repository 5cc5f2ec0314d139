/** From this score on an object is shown at first; the server's own drawings begin there too. */
export const DEFAULT_LEAST = 0.3;
