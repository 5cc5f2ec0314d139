/** A small table to try the room with, made in the browser; its texts were written for it. */

const REVIEWS: readonly (readonly [product: string, review: string])[] = [
  ['Kettle', 'Boils in two minutes and pours without a drip. I have bought a second one.'],
  ['Kettle', 'The lid cracked in the first week, and the shop told me it was my fault.'],
  ['Kettle', 'Holds 1.7 liters. The cord is 75 cm long.'],
  ['Desk lamp', 'Warm light, steady arm, and it still looks new after a year.'],
  ['Desk lamp', 'It flickers. The replacement flickers too.'],
  ['Desk lamp', 'Comes with a bulb and a printed manual in four languages.'],
  ['Rucksack', 'Carried me through three weeks of rain. Everything inside stayed dry.'],
  ['Rucksack', 'The straps cut into my shoulders after an hour, and the zip is already stuck.'],
  ['Rucksack', 'Delivered on Tuesday, as announced.'],
  ['Rucksack', 'Lovely color; the pockets are far too small for anything I own.'],
  ['Headphones', 'The best sound I have heard at this price. I forget that I am wearing them.'],
  ['Headphones', 'Battery dead after forty minutes. I sent them back.'],
  ['Headphones', 'They are black and fold flat.'],
  ['Blender', 'Loud enough to wake the street, and it leaks.'],
  ['Blender', 'Makes soup in no time, and cleaning it is a joy.'],
  ['Blender', 'The jug fits in the dishwasher.'],
];

const TURNS = ['', 'Update after a month: ', 'As my neighbor says: ', 'Second order. '] as const;

function quoted(value: string): string {
  return /[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

export const SAMPLE_NAME = 'sample-reviews.csv';

/** The sample as CSV text: 64 rows with an id, a product and a review. */
export function sampleCsv(): string {
  const rows = TURNS.flatMap((turn) => REVIEWS.map(([product, review]) => [product, turn + review]));
  const lines = rows.map((row, index) => [String(index + 1), ...row].map(quoted).join(','));
  return ['id,product,review', ...lines].join('\n') + '\n';
}
