/** Where to go after signing in: only addresses of this console, whatever a link says. */
export function safeNext(next: string | null): string {
  return next !== null && /^\/(?![/\\])/.test(next) ? next : '/';
}
