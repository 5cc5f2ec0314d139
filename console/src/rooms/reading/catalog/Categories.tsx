import { Text } from '@mantine/core';

import { count, plural } from '../../../format/numbers';
import { Bars } from './Bars';
import { Figure } from './Figure';
import type { Metrics } from './running';

const MOST = 16;

/** How many texts each category has. */
export function Categories({ categories }: Pick<Metrics, 'categories'>) {
  const shown = categories.slice(0, MOST);
  const rest = categories.slice(MOST);
  const left = rest.reduce((sum, { contents }) => sum + contents, 0);
  const bars = shown.map(({ category, contents }) => ({
    name: category === '' ? 'none' : category,
    value: contents,
  }));
  return (
    <Figure
      title="Categories"
      spoken={`Texts in each category: ${bars.map(({ name, value }) => `${name} ${value}`).join(', ')}`}
      {...(rest.length === 0
        ? {}
        : { note: `${plural(rest.length, 'more category', 'more categories')} with ${plural(left, 'text')}.` })}
    >
      {bars.length === 0 ? (
        <Text c="dimmed">There are no texts yet.</Text>
      ) : (
        <Bars bars={bars} write={count} />
      )}
    </Figure>
  );
}
