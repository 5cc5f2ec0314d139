import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { useEffect, useRef } from 'react';

import { CopyField } from '../../app/CopyField';
import { curlFor } from './curl';
import classes from './NewKey.module.css';
import type { CreatedKey } from './queries';

interface Props {
  readonly created: CreatedKey;
  readonly onDone: () => void;
}

/** A key just made. It cannot be shown again, so it stays until the person says they have it. */
export function NewKey({ created, onDone }: Props) {
  const notice = useRef<HTMLDivElement>(null);
  useEffect(() => notice.current?.focus(), [created.id]);
  return (
    <Alert
      ref={notice}
      tabIndex={-1}
      role="region"
      variant="default"
      classNames={{ root: classes.notice, body: classes.body }}
      title={`“${created.name}” is ready`}
    >
      <Stack gap="md">
        <Text size="sm">Copy it now: for your safety it is shown this once and never again.</Text>
        <CopyField label="Key" value={created.key} />
        <CopyField label="Try it" value={curlFor(created.key, window.location.origin)} />
        <Group>
          <Button variant="default" onClick={onDone}>
            I have copied it
          </Button>
        </Group>
      </Stack>
    </Alert>
  );
}
