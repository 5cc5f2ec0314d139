import { Chip, Group, Skeleton, Slider, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useSearchParams } from 'react-router';

import { categories as allCategories, type Taste as Chosen } from '../reading';

/** What the list may hold stands in the address, so that a reload and the way back keep it. */
export function useTaste(): [Chosen, (taste: Chosen) => void] {
  const [params, setParams] = useSearchParams();
  const asked = Number(params.get('variety') ?? '0');
  const diversity = asked > 0 && asked <= 1 ? asked : 0;
  const choose = (taste: Chosen) => {
    const next = new URLSearchParams(taste.categories.map((name) => ['category', name]));
    if (taste.diversity > 0) next.set('variety', String(taste.diversity));
    setParams(next, { replace: true, preventScrollReset: true });
  };
  return [{ categories: params.getAll('category'), diversity }, choose];
}

interface Props {
  readonly taste: Chosen;
  readonly onChange: (taste: Chosen) => void;
}

/** How varied the list is, and of which categories. */
export function Taste({ taste, onChange }: Props) {
  return (
    <Stack gap="xl">
      <Variety
        value={taste.diversity}
        onChange={(diversity) => onChange({ ...taste, diversity })}
      />
      <Categories
        chosen={taste.categories}
        onChange={(categories) => onChange({ ...taste, categories })}
      />
    </Stack>
  );
}

interface VarietyProps {
  readonly value: number;
  readonly onChange: (value: number) => void;
}

/** The thumb keeps its own place: nothing else moves it, and it must not lose the focus. */
function Variety({ value, onChange }: VarietyProps) {
  const [moving, setMoving] = useState(value * 100);
  return (
    <div>
      <Text fw={550} size="sm" id="variety" mb={10}>
        Variety
      </Text>
      <Slider
        min={0}
        max={100}
        step={10}
        size="sm"
        label={null}
        value={moving}
        onChange={setMoving}
        onChangeEnd={(end) => onChange(end / 100)}
        thumbProps={{ 'aria-labelledby': 'variety' }}
      />
      <Group justify="space-between" mt={8} fz="sm" c="dimmed" aria-hidden="true">
        <span>Closest to your taste</span>
        <span>Most varied</span>
      </Group>
    </div>
  );
}

interface CategoriesProps {
  readonly chosen: readonly string[];
  readonly onChange: (chosen: readonly string[]) => void;
}

function Categories({ chosen, onChange }: CategoriesProps) {
  const { data } = useQuery(allCategories);
  if (data === undefined) return <Skeleton h={140} radius="md" />;
  if (data.categories.length < 2) return null;
  return (
    <div>
      <Text fw={550} size="sm" id="categories" mb={10}>
        Only these categories
      </Text>
      <Group gap={8} role="group" aria-labelledby="categories">
        {data.categories.map(({ category }) => (
          <Chip
            key={category}
            size="sm"
            variant="outline"
            checked={chosen.includes(category)}
            onChange={(checked) =>
              onChange(
                checked ? [...chosen, category] : chosen.filter((other) => other !== category),
              )
            }
          >
            {category}
          </Chip>
        ))}
      </Group>
    </div>
  );
}
