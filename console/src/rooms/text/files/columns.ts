/** Reads the head of a table to let its owner choose the column; the server reads the whole. */

import { parse } from 'papaparse';

/** How a file's lines are to be understood. */
export type Layout = 'header' | 'no-header' | 'json' | 'lines';

export interface Column {
  readonly name: string;
  /** The first few values, as they stand. */
  readonly examples: readonly string[];
}

export interface Head {
  readonly columns: readonly Column[];
  /** The column that looks most like running text. */
  readonly likely: string;
}

/** What is read of a file to show its columns; enough for some rows of very long texts. */
export const HEAD_BYTES = 256 * 1024;
const ROWS = 20;
const EXAMPLES = 2;
const DELIMITERS = [',', ';', '\t', '|'] as const;

/** The layout a file most likely has, by its name's ending and its first lines. */
export function guessLayout(name: string, text: string): Layout {
  if (/\.(jsonl|ndjson)$/i.test(name)) return 'json';
  if (/\.(csv|tsv)$/i.test(name)) return 'header';
  if (text.trimStart().startsWith('{')) return 'json';
  return looksLikeTable(text) ? 'header' : 'lines';
}

/** The columns of a file's first part, or null when none can be made out. */
export function readHead(text: string, layout: Exclude<Layout, 'lines'>, whole: boolean): Head | null {
  const columns = (layout === 'json' ? jsonColumns(text, whole) : csvColumns(text, layout)).map(
    ({ name, examples }) => ({
      name,
      examples: examples.filter((value) => value.trim() !== '').slice(0, EXAMPLES),
    }),
  );
  const likely = mostLikeText(columns);
  return likely === null ? null : { columns, likely };
}

/** Texts on lines of their own, as the JSON lines that the server reads. */
export function linesAsJson(text: string): string {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  return lines.map((line) => JSON.stringify(line)).join('\n') + '\n';
}

function looksLikeTable(text: string): boolean {
  const [first, ...others] = csvCells(text);
  if (first === undefined || first.length < 2 || others.length === 0) return false;
  // A sentence with commas falls into pieces that begin with a space or end with a full stop.
  const names = first.every((cell) => /^\S.{0,39}$/.test(cell) && !/[.!?]$/.test(cell));
  return names && others.every((cells) => cells.length === first.length);
}

function csvCells(text: string): string[][] {
  const firstLine = text.replace(/^[\r\n ]+/, '').split('\n', 1)[0] ?? '';
  const unquoted = firstLine.replace(/"[^"]*"/g, '');
  const occurrences = (mark: string) => unquoted.split(mark).length;
  // The server's own rule: the mark that is most frequent in the first line, names in quotes aside.
  const delimiter = DELIMITERS.reduce((best, next) =>
    occurrences(next) > occurrences(best) ? next : best,
  );
  const cells = parse<string[]>(text, { delimiter, preview: ROWS + 1, skipEmptyLines: true }).data;
  // The server's rule, too: in a file of one column a comma parts nothing.
  return cells[0]?.length === 1 ? cells.map((row) => [row.join(delimiter)]) : cells;
}

function csvColumns(text: string, layout: 'header' | 'no-header'): Column[] {
  const cells = csvCells(text);
  const [first = []] = cells;
  const names = layout === 'header' ? unique(first) : first.map((_, at) => String(at + 1));
  const rows = layout === 'header' ? cells.slice(1) : cells;
  return names.map((name, at) => ({ name, examples: rows.map((row) => row[at] ?? '') }));
}

/** Names as the server makes them: a repeated one is numbered, an empty one is its place. */
function unique(names: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return names.map((name, at) => {
    const base = name.trim() || String(at + 1);
    const times = (seen.get(base) ?? 0) + 1;
    seen.set(base, times);
    return times === 1 ? base : `${base} (${times})`;
  });
}

function jsonColumns(text: string, whole: boolean): Column[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  // The last line of a cut-off head is most likely half a line.
  const complete = whole ? lines : lines.slice(0, -1);
  const rows = complete.slice(0, ROWS).map((line) => asRow(parsed(line)));
  const names = [...new Set(rows.flatMap((row) => [...row.keys()]))];
  return names.map((name) => ({
    name,
    examples: rows
      .map((row) => row.get(name))
      .filter((value): value is string => typeof value === 'string'),
  }));
}

function asRow(value: unknown): ReadonlyMap<string, unknown> {
  if (typeof value === 'string') return new Map([['text', value]]);
  return new Map(typeof value === 'object' && value !== null ? Object.entries(value) : []);
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

const TELLING = /^(text|review|comment|message|body|content|tweet|feedback|sentence)s?$/i;

function mostLikeText(columns: readonly Column[]): string | null {
  const named = columns.find((column) => TELLING.test(column.name) && column.examples.length > 0);
  if (named !== undefined) return named.name;
  const length = (column: Column) => Math.max(0, ...column.examples.map((value) => value.length));
  const [first, ...others] = columns;
  if (first === undefined) return null;
  return others.reduce((best, next) => (length(next) > length(best) ? next : best), first).name;
}
