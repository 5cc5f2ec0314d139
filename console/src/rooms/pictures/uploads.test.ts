import { QueryClient, QueryObserver } from '@tanstack/react-query';
import { expect, it } from 'vitest';

import { LISTS, refreshLists } from './uploads';

it('asks again for a first list that was under way when a picture was accepted', async () => {
  const client = new QueryClient();
  const answers: ((names: readonly string[]) => void)[] = [];
  const list = new QueryObserver<readonly string[]>(client, {
    queryKey: [...LISTS, 'all'],
    queryFn: () =>
      new Promise((resolve) => {
        answers.push(resolve);
      }),
  });
  const stop = list.subscribe(() => undefined);
  expect(answers).toHaveLength(1);
  const refreshed = refreshLists(client);
  answers[0]?.([]);
  await expect.poll(() => answers.length).toBe(2);
  answers[1]?.(['new.png']);
  await refreshed;
  expect(list.getCurrentResult().data).toEqual(['new.png']);
  stop();
});
