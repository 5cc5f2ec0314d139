import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { MemoryRouter } from 'react-router';
import { describe, expect, it } from 'vitest';

import { Fitting } from './reading/catalog/Fitting';
import { type Fit, fits } from './reading/catalog/running';
import { Component as ForYouPage } from './reading/forYou/ForYouPage';
import { type Suggested, suggestions } from './reading/reading';
import { health } from './status/health';
import { Component as StatusPage } from './status/StatusPage';

/** What each status of a page says, in their order. */
function statuses(page: ReactNode, client = new QueryClient()): string[] {
  const markup = renderToStaticMarkup(
    <MantineProvider>
      <QueryClientProvider client={client}>
        <MemoryRouter>{page}</MemoryRouter>
      </QueryClientProvider>
    </MantineProvider>,
  );
  return [...markup.matchAll(/role="status"[^>]*>([^<]*)</g)].map(([, said]) => said ?? '');
}

function knowing(key: readonly unknown[], data: unknown): QueryClient {
  const client = new QueryClient();
  client.setQueryData(key, data);
  return client;
}

const none: Suggested = { items: [], source: 'newest', impression: null, model: null } as never;
const fit: Fit = { state: 'processing', stage: 'searching', started_at: null, finished_at: null, version: '' } as never;

describe('a status is there, and empty, before there is anything to say, and then says it', () => {
  it('where readers are suggested texts', () => {
    const { queryKey } = suggestions({ categories: [], diversity: 0 });
    expect(statuses(<ForYouPage />)).toEqual(['']);
    expect(statuses(<ForYouPage />, knowing(queryKey, none))[0]).toContain('newest come first');
    // The API says the same of both causes, so neither is to be claimed alone.
    for (const cause of ['model server is away', 'nothing has been learned']) {
      expect(statuses(<ForYouPage />, knowing(queryKey, none))[0]).toContain(cause);
    }
  });
  it('where the model learns again', () => {
    const known = (last: Fit) => knowing(fits.queryKey, { results: [last] });
    expect(statuses(<Fitting />)).toEqual(['']);
    expect(statuses(<Fitting />, known(fit))).toEqual(['Waiting for a worker; it begins by itself.']);
    expect(statuses(<Fitting />, known({ ...fit, state: 'done', version: '7' }))).toEqual([
      'Version 7 stands.',
    ]);
  });
  it('where every part of the site is shown', () => {
    const known = (state: string) =>
      knowing(health.queryKey, { ready: state === 'ok', checks: { database: 'ok', model_server: state } });
    expect(statuses(<StatusPage />)).toEqual(['']);
    expect(statuses(<StatusPage />, known('ok'))[0]).toMatch(/^Everything runs\./);
    expect(statuses(<StatusPage />, known('away'))[0]).toMatch(/Model server: away\.$/);
  });
});
