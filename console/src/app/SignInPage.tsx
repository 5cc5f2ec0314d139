import { Button, Code, Paper, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { Navigate, useSearchParams } from 'react-router';

import { asFailure } from '../server/problem';
import { useSession, useSignIn } from '../server/session';
import { FailureNotice } from './FailureNotice';
import { safeNext } from './next';
import { PageHeader } from './PageHeader';

export function Component() {
  const [params] = useSearchParams();
  const { data: session } = useSession();
  if (session?.user) return <Navigate to={safeNext(params.get('next'))} replace />;
  return (
    <>
      <PageHeader
        title="Sign in"
        lead="Accounts are made by whoever runs this site."
      />
      <Stack maw={400} gap="xl">
        <SignInForm />
        {session?.demo && <DemoHint />}
      </Stack>
    </>
  );
}

function SignInForm() {
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const signIn = useSignIn();
  const wrong = signIn.error && asFailure(signIn.error).code === 'authentication_failed';
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        signIn.mutate({ username, password });
      }}
    >
      <Stack>
        <TextInput
          label="User name"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          required
          withAsterisk={false}
          value={username}
          onChange={(event) => setUsername(event.currentTarget.value)}
        />
        <PasswordInput
          label="Password"
          autoComplete="current-password"
          required
          withAsterisk={false}
          value={password}
          error={wrong ? 'The user name or the password is wrong.' : null}
          errorProps={{ role: 'alert' }}
          aria-invalid={wrong === true}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        {signIn.error && !wrong && <FailureNotice error={signIn.error} />}
        <Button type="submit" loading={signIn.isPending} mt="xs">
          Sign in
        </Button>
      </Stack>
    </form>
  );
}

function DemoHint() {
  return (
    <Paper p="md" bg="transparent">
      <Text size="sm" c="dimmed">
        Trying it out? The demo account is <Code>demo</Code>; its password was printed where Discern
        was started.
      </Text>
    </Paper>
  );
}
