/** Sends one file and tells how far it is, which `fetch` cannot. */

import type { components } from '../../api/schema';
import { csrfToken } from '../../server/client';
import { Failure, failureOf, offline } from '../../server/problem';
import type { Find } from './find';
import type { Upload } from './uploads';

type Accepted = components['schemas']['Accepted'];

export const MAX_BYTES = 20 * 2 ** 20;

interface Sending {
  readonly file: File;
  /** Sent again with the same key, a file is stored once. */
  readonly key: string;
  readonly find: readonly Find[];
  readonly onProgress: (share: number) => void;
}

/** The picture's row; rejects with a {@link Failure} only. */
export async function send({ file, key, find, onProgress }: Sending): Promise<Upload> {
  if (file.size > MAX_BYTES) {
    throw new Failure({
      code: 'too_large',
      status: 413,
      detail: 'A picture may have 20 MiB at most. It was not sent.',
    });
  }
  const { uploads, rejected } = await post({ file, key, find, onProgress });
  const [accepted] = uploads;
  if (accepted !== undefined) return accepted;
  const [refused] = rejected;
  throw new Failure({
    code: refused?.code ?? 'unreadable_answer',
    status: 422,
    detail: refused?.detail ?? 'The answer held no picture.',
  });
}

function post({ file, key, find, onProgress }: Sending): Promise<Accepted> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', `/api/v1/uploads?find=${find.join(',')}`);
    request.responseType = 'json';
    request.setRequestHeader('X-CSRFToken', csrfToken());
    request.setRequestHeader('Idempotency-Key', key);
    request.upload.addEventListener('progress', ({ loaded, total }) => onProgress(loaded / total));
    request.addEventListener('error', () => reject(offline()));
    request.addEventListener('load', () => {
      const body: unknown = request.response;
      if (request.status === 202) resolve(body as Accepted);
      else reject(failureOf(answerOf(request), body));
    });
    const form = new FormData();
    form.set('files', file);
    request.send(form);
  });
}

function answerOf(request: XMLHttpRequest): Response {
  const wait = request.getResponseHeader('Retry-After');
  return new Response(null, {
    status: request.status,
    headers: wait === null ? {} : { 'Retry-After': wait },
  });
}
