import { Button, Group, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';

import { FailureNotice } from '../../app/FailureNotice';
import { type CreatedKey, useCreateKey } from './queries';

export function KeyForm({ onCreated }: { readonly onCreated: (key: CreatedKey) => void }) {
  const [name, setName] = useState('');
  const create = useCreateKey();
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        create.mutate(name.trim(), {
          onSuccess: (key) => {
            setName('');
            onCreated(key);
          },
        });
      }}
    >
      <Stack gap="sm">
        <Group align="flex-end" gap="sm">
          <TextInput
            label="What the key is for"
            placeholder="newsletter"
            maxLength={100}
            required
            withAsterisk={false}
            w={{ base: '100%', xs: 320 }}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <Button type="submit" loading={create.isPending} disabled={name.trim() === ''}>
            Create key
          </Button>
        </Group>
        {create.error !== null && (
          <FailureNotice error={create.error} kept="No key was made; the name is still in the field." />
        )}
      </Stack>
    </form>
  );
}
