import { Stack } from '@mantine/core';
import { useState } from 'react';

import { NeedsSignIn } from '../../../app/NeedsSignIn';
import { ChooseFile, type ChosenFile } from './ChooseFile';
import { ChooseColumn } from './ChooseColumn';
import { JobList } from './JobList';

export function Component() {
  return (
    <NeedsSignIn reason="Once you are signed in, a file of texts is read here in the background, and its results wait for you.">
      <Files />
    </NeedsSignIn>
  );
}

function Files() {
  const [chosen, setChosen] = useState<ChosenFile | null>(null);
  return (
    <Stack gap={56}>
      {chosen === null ? (
        <ChooseFile onChoose={setChosen} />
      ) : (
        <ChooseColumn key={chosen.file.name} chosen={chosen} onBack={() => setChosen(null)} />
      )}
      <JobList />
    </Stack>
  );
}
