import { Group, Slider, Stack, Text, Title, UnstyledButton } from '@mantine/core';

import { AiMark } from '../../../app/AiMark';
import { percent, plural } from '../../../format/numbers';
import { type Found, lookOf } from '../boxes';
import type { Upload } from '../uploads';
import classes from './Objects.module.css';

interface Props {
  readonly result: NonNullable<Upload['objects']>;
  readonly objects: readonly Found[];
  readonly least: number;
  readonly onLeast: (least: number) => void;
  readonly pointed: Found | null;
  readonly onPoint: (found: Found | null) => void;
}

/** The objects found, with how sure the model is of each; pointing at one shows where it is. */
export function Objects({ result, objects, least, onLeast, pointed, onPoint }: Props) {
  const hidden = result.objects.length - objects.length;
  return (
    <Stack component="section" aria-labelledby="objects" gap="md">
      <Group justify="space-between" align="baseline">
        <Title order={2} id="objects">
          {objects.length === 0 ? 'No objects' : plural(objects.length, 'object')}
        </Title>
        <AiMark {...result.model} />
      </Group>
      {result.objects.length > 0 && <Least least={least} onLeast={onLeast} hidden={hidden} />}
      <ul className={classes.list}>
        {objects.map((found, place) => (
          <li key={place}>
            <UnstyledButton
              className={classes.row}
              aria-pressed={pointed === found}
              onClick={() => onPoint(pointed === found ? null : found)}
              onMouseEnter={() => onPoint(found)}
              onMouseLeave={() => onPoint(null)}
              onFocus={() => onPoint(found)}
              onBlur={() => onPoint(null)}
            >
              <span className={classes.swatch} style={{ background: lookOf(found.label).line }} />
              <span>{found.label}</span>
              <span className="figure">{percent(found.score)}</span>
            </UnstyledButton>
          </li>
        ))}
      </ul>
    </Stack>
  );
}

function Least({ least, onLeast, hidden }: Pick<Props, 'least' | 'onLeast'> & { hidden: number }) {
  return (
    <div>
      <Group justify="space-between" gap="xs" mb={6}>
        <Text size="sm" id="least">
          At least {percent(least, 0)} sure
        </Text>
        <Text size="sm" c="dimmed" role="status">
          {hidden === 0 ? '' : `${plural(hidden, 'object')} less sure`}
        </Text>
      </Group>
      <Slider
        min={25}
        max={95}
        step={5}
        size="sm"
        label={null}
        value={Math.round(least * 100)}
        onChange={(value) => onLeast(value / 100)}
        thumbProps={{
          'aria-labelledby': 'least',
          'aria-valuetext': `at least ${percent(least, 0)} sure`,
        }}
      />
    </div>
  );
}
