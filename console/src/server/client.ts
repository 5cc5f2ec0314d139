/** The one way to the web API: typed by its OpenAPI document, failing with `Failure` only. */

import createClient, { type Middleware } from 'openapi-fetch';

import type { paths } from '../api/schema';
import { failureOf, offline } from './problem';

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);
const CSRF_COOKIE = 'discern_csrf';

export function csrfToken(cookies: string = document.cookie): string {
  const pair = cookies.split('; ').find((part) => part.startsWith(`${CSRF_COOKIE}=`));
  return pair === undefined ? '' : decodeURIComponent(pair.slice(CSRF_COOKIE.length + 1));
}

const carryToken: Middleware = {
  onRequest({ request }) {
    if (!SAFE.has(request.method)) request.headers.set('X-CSRFToken', csrfToken());
    return request;
  },
};

const failLoudly: Middleware = {
  async onResponse({ response }) {
    if (response.ok) return undefined;
    const body: unknown = await response
      .clone()
      .json()
      .catch(() => null);
    throw failureOf(response, body);
  },
  onError({ error }) {
    if (error instanceof DOMException && error.name === 'AbortError') return error;
    return offline();
  },
};

export const api = createClient<paths>({ baseUrl: '/', credentials: 'same-origin' });
api.use(carryToken, failLoudly);

/** The body of an answer that the API promises to have. */
export async function read<T>(answer: Promise<{ data?: T }>): Promise<T> {
  const { data } = await answer;
  if (data === undefined) throw new Error('The answer was empty.');
  return data;
}
