import { parse } from 'papaparse';
import { expect, it } from 'vitest';

import { readHead } from './columns';
import { sampleCsv } from './sample';

it('the sample is a table that the room itself can read', () => {
  const { data, errors } = parse<Record<string, string>>(sampleCsv(), {
    header: true,
    skipEmptyLines: true,
  });
  expect(errors).toEqual([]);
  expect(data).toHaveLength(64);
  expect(data.every((row) => row.review !== undefined && row.review.length > 10)).toBe(true);
  expect(readHead(sampleCsv(), 'header', true)?.likely).toBe('review');
});
