import '@mantine/charts/styles.css';

import { BarChart } from '@mantine/charts';

const ROW_PX = 30;

export interface Bar {
  readonly name: string;
  readonly value: number;
}

interface Props {
  readonly bars: readonly Bar[];
  /** The value that fills the width; the largest if left out. */
  readonly most?: number;
  readonly nameWidth?: number;
  readonly write: (value: number) => string;
}

/** Named bars with their numbers at the end. */
export function Bars({ bars, most, nameWidth = 120, write }: Props) {
  return (
    <BarChart
      h={ROW_PX * bars.length + 8}
      orientation="vertical"
      dataKey="name"
      data={bars.map((bar) => ({ ...bar }))}
      series={[{ name: 'value', color: 'var(--accent)' }]}
      gridAxis="none"
      withXAxis={false}
      withTooltip={false}
      maxBarWidth={14}
      xAxisProps={{ domain: [0, most ?? 'dataMax'] }}
      yAxisProps={{
        width: nameWidth,
        interval: 0,
        tickLine: false,
        tick: { fontSize: 13, fill: 'var(--mantine-color-text)' },
      }}
      barChartProps={{ margin: { right: 56 }, accessibilityLayer: false }}
      barProps={{ isAnimationActive: false, radius: 3 }}
      withBarValueLabel
      valueLabelProps={{
        position: 'right',
        offset: 8,
        fontSize: 13,
        fill: 'var(--mantine-color-text)',
        formatter: (value) => write(Number(value)),
      }}
    />
  );
}
