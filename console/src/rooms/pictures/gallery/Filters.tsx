import { Chip, Group, SegmentedControl, Stack, Text } from '@mantine/core';
import { useSearchParams } from 'react-router';

import { DEFAULT_LEAST } from '../one/least';
import { stateWord } from '../steps';
import type { Filter, State, Upload } from '../uploads';

const ALL = 'all';
const STATES: readonly State[] = ['done', 'failed', 'dead'];
const MOST_LABELS = 12;

/** The filter lives in the address, so that a reload and the way back keep it. */
export function useFilter(): [Filter, (filter: Filter) => void] {
  const [params, setParams] = useSearchParams();
  const state = STATES.find((known) => known === params.get('state')) ?? null;
  const change = (filter: Filter) => {
    const next = new URLSearchParams();
    if (filter.state !== null) next.set('state', filter.state);
    if (filter.label !== null) next.set('label', filter.label);
    setParams(next, { replace: true, preventScrollReset: true });
  };
  return [{ state, label: params.get('label') }, change];
}

interface Props {
  readonly filter: Filter;
  readonly onChange: (filter: Filter) => void;
  readonly uploads: readonly Upload[];
}

export function Filters({ filter, onChange, uploads }: Props) {
  const labels = labelsOf(uploads, filter.label);
  return (
    <Stack gap="sm">
      <SegmentedControl
        w="fit-content"
        maw="100%"
        size="sm"
        aria-label="Which pictures"
        value={filter.state ?? ALL}
        onChange={(value) =>
          onChange({ ...filter, state: STATES.find((state) => state === value) ?? null })
        }
        data={[
          { value: ALL, label: 'All' },
          ...STATES.map((state) => ({ value: state, label: shortWord(state) })),
        ]}
      />
      {labels.length > 0 && (
        <Group gap="xs" role="group" aria-label="Only pictures with">
          <Text size="sm" c="dimmed">
            With
          </Text>
          {labels.map((label) => (
            <Chip
              key={label}
              size="sm"
              variant="outline"
              checked={label === filter.label}
              onChange={(checked) => onChange({ ...filter, label: checked ? label : null })}
            >
              {label}
            </Chip>
          ))}
        </Group>
      )}
    </Stack>
  );
}

function shortWord(state: State): string {
  return state === 'failed' ? 'Failed' : stateWord(state);
}

/** The objects most often found in the pictures in sight, and the one that is asked for. */
function labelsOf(uploads: readonly Upload[], asked: string | null): string[] {
  const counts = new Map<string, number>(asked === null ? [] : [[asked, Number.MAX_SAFE_INTEGER]]);
  for (const { objects } of uploads) {
    const sure = objects?.objects.filter(({ score }) => score >= DEFAULT_LEAST) ?? [];
    for (const label of new Set(sure.map((found) => found.label))) {
      counts.set(label, (counts.get(label) ?? 0) + 1);
    }
  }
  return [...counts]
    .sort(([, one], [, other]) => other - one)
    .slice(0, MOST_LABELS)
    .map(([label]) => label)
    .sort((one, other) => one.localeCompare(other));
}
