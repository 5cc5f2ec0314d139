/** How long a text is as the API counts it: an emoji is one character, not two. */
export function characters(text: string): number {
  return Array.from(text).length;
}
