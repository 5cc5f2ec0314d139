/** A command that works as it stands in a shell, with the key in it. */
export function curlFor(key: string, origin: string): string {
  return [
    `curl ${origin}/api/v1/analyze \\`,
    `  -H 'Authorization: Bearer ${key}' \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  -d '{"text": "The soup was cold, but the people were lovely."}'`,
  ].join('\n');
}
