import { Chip, Group, Text } from '@mantine/core';

import { type Find, FINDS } from '../find';

const NAMES: Readonly<Record<Find, string>> = { objects: 'Objects', text: 'Text and its mood' };

interface Props {
  readonly find: readonly Find[];
  readonly onChange: (find: readonly Find[]) => void;
}

/** What the next pictures are looked at for; one of the two always stays. */
export function LookFor({ find, onChange }: Props) {
  return (
    <Group gap="xs" role="group" aria-label="What to look for">
      <Text size="sm" c="dimmed">
        Look for
      </Text>
      {FINDS.map((name) => {
        const checked = find.includes(name);
        return (
          <Chip
            key={name}
            size="sm"
            variant="outline"
            checked={checked}
            disabled={checked && find.length === 1}
            onChange={(wanted) =>
              onChange(FINDS.filter((other) => (other === name ? wanted : find.includes(other))))
            }
          >
            {NAMES[name]}
          </Chip>
        );
      })}
    </Group>
  );
}
