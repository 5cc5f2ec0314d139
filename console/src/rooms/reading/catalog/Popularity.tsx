import '@mantine/charts/styles.css';

import { AreaChart } from '@mantine/charts';
import { Text } from '@mantine/core';

import { count, percent, plural } from '../../../format/numbers';
import { Figure } from './Figure';

const TICK = { fontSize: 12, fill: 'var(--mantine-color-dimmed)' };

interface Props {
  /** Of the best known texts only. */
  readonly popularity: readonly number[];
  /** What the best known fifth of all texts has of all meetings. */
  readonly share: number;
}

/** How many readers met each text, the best known first: a steep curve means a few texts have most. */
export function Popularity({ popularity, share }: Props) {
  const [most = 0] = popularity;
  const fifth = `Of all texts the best known fifth has ${percent(share, 0)} of all meetings.`;
  return (
    <Figure
      title="Who knows what"
      spoken={`The best known text was met by ${plural(most, 'reader')}. ${fifth}`}
      note={`${fifth} The plot shows the ${count(popularity.length)} best known.`}
    >
      {popularity.length === 0 ? (
        <Text c="dimmed">Nobody has met a text yet.</Text>
      ) : (
        <AreaChart
          h={300}
          data={popularity.map((readers, place) => ({ place: place + 1, readers }))}
          dataKey="place"
          series={[{ name: 'readers', color: 'var(--accent)', label: 'Readers' }]}
          curveType="stepAfter"
          withDots={false}
          withGradient={false}
          fillOpacity={0.18}
          strokeWidth={1.5}
          withTooltip={false}
          gridAxis="x"
          xAxisLabel="Place of the text"
          yAxisLabel="Readers"
          xAxisProps={{ tick: TICK, interval: 'preserveStartEnd', minTickGap: 40 }}
          yAxisProps={{ tick: TICK, width: 44, allowDecimals: false, interval: 0 }}
          areaProps={{ isAnimationActive: false }}
          areaChartProps={{ accessibilityLayer: false }}
        />
      )}
    </Figure>
  );
}
