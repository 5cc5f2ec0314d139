import { Alert, Group, Paper, SimpleGrid, Stack, Text, Title } from '@mantine/core';

import { AiMark } from '../../../app/AiMark';
import { bytes, count, duration } from '../../../format/numbers';
import { Bars } from './Bars';
import type { Metrics } from './running';

const QUALITIES = [
  { key: 'ndcg@10', name: 'NDCG@10' },
  { key: 'ndcg@20', name: 'NDCG@20' },
  { key: 'ndcg@100', name: 'NDCG@100' },
  { key: 'recall@10', name: 'Recall@10' },
  { key: 'recall@20', name: 'Recall@20' },
  { key: 'recall@50', name: 'Recall@50' },
] as const;
const SPREADS = [
  { key: 'coverage@10', name: 'Coverage@10' },
  { key: 'gini@10', name: 'Gini@10' },
] as const;

/** What the last fit measured on readers it had held out. */
export function Report({ model }: Pick<Metrics, 'model'>) {
  if (model === null) {
    return (
      <Alert variant="default" title="Nothing has been learned yet">
        Lists show the newest texts until a first fit stands.
      </Alert>
    );
  }
  const { report } = model;
  return (
    <Paper p={{ base: 'lg', sm: 32 }} component="section" aria-labelledby="report">
      <Stack gap="lg">
        <Group justify="space-between" gap="sm">
          <Title order={2} id="report">
            The model that answers
          </Title>
          <AiMark name={model.name} version={model.version} />
        </Group>
        <SimpleGrid cols={{ base: 1, md: 2 }} spacing="xl">
          <Plot
            title="How well it finds what held-out readers liked"
            note="1 would be every liked text, in the first places."
            among={QUALITIES}
            report={report}
          />
          <Plot
            title="How widely it suggests"
            note="Coverage: the share of all texts in at least one list. Gini: 0 if every text is suggested equally often, 1 if only one is."
            among={SPREADS}
            report={report}
          />
        </SimpleGrid>
        <Facts model={model} />
      </Stack>
    </Paper>
  );
}

interface PlotProps {
  readonly title: string;
  readonly note: string;
  readonly among: readonly { readonly key: string; readonly name: string }[];
  readonly report: Readonly<Record<string, number>>;
}

function Plot({ title, note, among, report }: PlotProps) {
  const bars = among.flatMap(({ key, name }) => {
    const value = report[key];
    return value === undefined ? [] : [{ name, value }];
  });
  return (
    <Stack gap="xs">
      <Title order={3}>{title}</Title>
      {bars.length === 0 ? (
        <Text size="sm" c="dimmed">
          There were too few readers to hold some out.
        </Text>
      ) : (
        <div role="img" aria-label={bars.map(({ name, value }) => `${name} ${value.toFixed(3)}`).join(', ')}>
          <Bars bars={bars} most={1} nameWidth={108} write={(value) => value.toFixed(3)} />
        </div>
      )}
      <Text size="sm" c="dimmed">
        {note}
      </Text>
    </Stack>
  );
}

function Facts({ model }: { readonly model: NonNullable<Metrics['model']> }) {
  const { report } = model;
  const facts = [
    { name: 'learned from', value: figure(report.interactions, (n) => `${count(n)} interactions`) },
    { name: 'readers', value: figure(report.people, count) },
    { name: 'training time', value: figure(report.fit_seconds, duration) },
    { name: 'most memory while training', value: figure(report.peak_memory_mb, (mb) => bytes(mb * 1e6)) },
    { name: 'size', value: bytes(model.model_bytes) },
  ].filter(({ value }) => value !== '');
  return (
    <Group component="dl" gap="xl" m={0}>
      {facts.map(({ name, value }) => (
        <div key={name}>
          <Text component="dt" size="sm" c="dimmed">
            {name}
          </Text>
          <Text component="dd" m={0} fz="1.3rem" fw={600} lh={1.4}>
            {value}
          </Text>
        </div>
      ))}
    </Group>
  );
}

function figure(value: number | undefined, write: (value: number) => string): string {
  return value === undefined ? '' : write(value);
}
