import { describe, expect, it } from 'vitest';

import { guessLayout, linesAsJson, readHead } from './columns';

describe('the columns of a table’s head', () => {
  it('are found in a CSV, quotes, commas and line breaks included', () => {
    const head = readHead('id,review\n1,"Good, very\ngood"\n2,Bad\n', 'header', true);
    expect(head?.columns.map((column) => column.name)).toEqual(['id', 'review']);
    expect(head?.columns[1]?.examples).toEqual(['Good, very\ngood', 'Bad']);
    expect(head?.likely).toBe('review');
  });
  it('are found with semicolons or tabs between them', () => {
    expect(readHead('id;note\n1;fine, really\n', 'header', true)?.likely).toBe('note');
    expect(readHead('id\ttext\n1\tfine\n', 'header', true)?.likely).toBe('text');
  });
  it('are parted by what stands between the names, not by what is in one', () => {
    const head = readHead('"a,b,c";text\n1;fine\n', 'header', true);
    expect(head?.columns.map((column) => column.name)).toEqual(['a,b,c', 'text']);
  });
  it('keep the commas of a file that has one column', () => {
    const head = readHead('text\nGood, but it broke\n', 'header', true);
    expect(head?.columns).toEqual([{ name: 'text', examples: ['Good, but it broke'] }]);
  });
  it('are named as the server names them: by place without a header, numbered when repeated', () => {
    const bare = readHead('1,fine\n2,bad\n', 'no-header', true);
    expect(bare?.columns.map((column) => column.name)).toEqual(['1', '2']);
    const twice = readHead('note,note,\na,b,c\n', 'header', true);
    expect(twice?.columns.map((column) => column.name)).toEqual(['note', 'note (2)', '3']);
  });
  it('are found in JSON lines, leaving out a last line that was cut off', () => {
    const head = readHead('{"id":1,"body":"Nice"}\n{"id":2,"bo', 'json', false);
    expect(head?.columns.map((column) => column.name)).toEqual(['id', 'body']);
    expect(head?.likely).toBe('body');
  });
  it('fall back to the longest values when no name tells', () => {
    expect(readHead('a,b\nx,"a longer piece of writing"\n', 'header', true)?.likely).toBe('b');
  });
  it('are null when there are none', () => {
    expect(readHead('', 'header', true)).toBeNull();
    expect(readHead('not json\n', 'json', true)).toBeNull();
  });
});

describe('the layout', () => {
  it.each([
    ['a.csv', 'x', 'header'],
    ['a.jsonl', '"x"', 'json'],
    ['pasted', '{"text":"x"}', 'json'],
    ['pasted', 'id\treview\n1\tfine\n2\tbad', 'header'],
    ['pasted', 'id,review\n1,fine\n2,bad', 'header'],
    ['pasted', 'It was late, cold and wet.\nI loved it.', 'lines'],
    ['pasted', 'Well, no.\nWell, yes, then.', 'lines'],
    ['pasted', 'I love it, truly.\nAwful, all of it.', 'lines'],
    ['notes.txt', 'One line.', 'lines'],
  ] as const)('of %s holding %j is %s', (name, text, layout) => {
    expect(guessLayout(name, text)).toBe(layout);
  });
});

it('lines become JSON strings, whatever is in them', () => {
  expect(linesAsJson('One, "two"\r\n\n  \nthree\n')).toBe('"One, \\"two\\""\n"three"\n');
});
