import { Anchor, Paper, Stack, Tabs, Text, Title } from '@mantine/core';
import { Link } from 'react-router';

import { CopyField } from '../app/CopyField';
import { snippets } from './snippets';

/** The same answer from a program: four ways in, each whole. */
export function FromCode() {
  const ways = snippets(window.location.origin);
  return (
    <Paper p={{ base: 'lg', sm: 32 }} component="section" aria-labelledby="from-code">
      <Stack gap="lg">
        <Title order={2} id="from-code">
          The same from your code
        </Title>
        <Tabs defaultValue={ways[0]?.name ?? null}>
          <Tabs.List mb="lg">
            {ways.map(({ name }) => (
              <Tabs.Tab key={name} value={name}>
                {name}
              </Tabs.Tab>
            ))}
          </Tabs.List>
          {ways.map(({ name, note, code }) => (
            <Tabs.Panel key={name} value={name}>
              <CopyField label={name} note={note} value={code} />
            </Tabs.Panel>
          ))}
        </Tabs>
        <Text size="sm" c="dimmed">
          Programs sign in with a key. <Anchor component={Link} to="/keys" underline="always">Make one</Anchor>.
        </Text>
      </Stack>
    </Paper>
  );
}
