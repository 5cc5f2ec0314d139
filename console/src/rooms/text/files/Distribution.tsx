import '@mantine/charts/styles.css';

import { BarChart } from '@mantine/charts';
import { Group, Paper, Stack, Title } from '@mantine/core';
import { Rectangle, type BarShapeProps } from 'recharts';

import { AiMark } from '../../../app/AiMark';
import { count, percent, plural } from '../../../format/numbers';
import { appearance, inOrder, moodColor } from '../../../mood/mood';
import type { TextJob } from './jobs';

const ROW_PX = 46;

/** How many texts are of each mood, as bars with their shapes, words and numbers. */
export default function Distribution({ job }: { readonly job: TextJob }) {
  const counts = job.distribution;
  const labels = inOrder(Object.keys(counts));
  const total = labels.reduce((sum, label) => sum + (counts[label] ?? 0), 0);
  const figure = (rows: number) => `${count(rows)} (${percent(total === 0 ? 0 : rows / total)})`;
  const words = labels.map((label) => `${appearance(label).word} ${figure(counts[label] ?? 0)}`);
  return (
    <Paper p={{ base: 'lg', sm: 32 }} component="section" aria-labelledby="distribution">
      <Stack gap="md">
        <Group justify="space-between" gap="sm">
          <Title order={2} id="distribution">
            How the moods are distributed
          </Title>
          {job.model_name !== null && job.model_version !== null && (
            <AiMark name={job.model_name} version={job.model_version} />
          )}
        </Group>
        <div role="img" aria-label={`Of ${plural(total, 'text')}: ${words.join(', ')}`}>
          <BarChart
            h={ROW_PX * labels.length}
            orientation="vertical"
            dataKey="label"
            data={labels.map((label) => ({ label, rows: counts[label] ?? 0 }))}
            series={[{ name: 'rows', color: 'var(--mood-neutral)' }]}
            gridAxis="none"
            withXAxis={false}
            withTooltip={false}
            maxBarWidth={22}
            barChartProps={{ margin: { right: 110 }, accessibilityLayer: false }}
            barProps={{ isAnimationActive: false, shape: MoodBar }}
            withBarValueLabel
            valueLabelProps={{
              position: 'right',
              offset: 10,
              fill: 'var(--mantine-color-text)',
              fontSize: 14,
              formatter: (rows) => figure(Number(rows)),
            }}
            yAxisProps={{ width: 112, tick: MoodTick, tickLine: false, interval: 0 }}
          />
        </div>
      </Stack>
    </Paper>
  );
}

/** A bar in its mood's color. */
function MoodBar({ x, y, width, height, payload }: BarShapeProps) {
  const { label } = payload as { readonly label: string };
  return <Rectangle x={x} y={y} width={width} height={height} radius={3} fill={moodColor(label)} />;
}

interface TickProps {
  readonly y: number | string;
  readonly payload: { readonly value: string };
}

/** An axis label as the mood's shape and word. */
function MoodTick({ y, payload }: TickProps) {
  const { word, outline, mouth } = appearance(payload.value);
  return (
    <g transform={`translate(0 ${Number(y)})`}>
      <g transform="translate(0 -8) scale(0.8)">
        <path d={outline} fill={moodColor(payload.value)} />
        <path
          d={mouth}
          fill="none"
          stroke="var(--mantine-color-body)"
          strokeWidth="2"
          strokeLinecap="round"
        />
      </g>
      <text x="26" dominantBaseline="central" fontSize="14" fill="var(--mantine-color-text)">
        {word}
      </text>
    </g>
  );
}
