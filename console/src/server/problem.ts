/** What the API says when something goes wrong (RFC 9457), and what the console says about it. */

import type { components } from '../api/schema';

export type Problem = components['schemas']['Problem'];

/** Codes of failures that never reached the API, beside the API's own. */
export type FailureCode = 'offline' | 'unreadable_answer' | (string & {});

export class Failure extends Error {
  override readonly name = 'Failure';
  readonly code: FailureCode;
  readonly status: number;
  readonly field: string | undefined;
  readonly requestId: string | undefined;
  /** Seconds after which trying again makes sense, when the server said so. */
  readonly retryAfterS: number | undefined;

  constructor(problem: Pick<Problem, 'code' | 'detail' | 'status'> & Partial<Problem>, retryAfterS?: number) {
    super(problem.detail);
    this.code = problem.code;
    this.status = problem.status;
    this.field = problem.field;
    this.requestId = problem.request_id;
    this.retryAfterS = retryAfterS;
  }

  /** True when the same request may well succeed a little later. */
  get passing(): boolean {
    return PASSING.has(this.code);
  }
}

const PASSING = new Set<FailureCode>([
  'offline',
  'unavailable',
  'model_not_ready',
  'overloaded',
  'draining',
  'engine_unreachable',
  'deadline_exceeded',
  'throttled',
]);

function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'code' in value && 'detail' in value;
}

/** The failure an answer of the API stands for. */
export function failureOf(response: Response, body: unknown): Failure {
  const wait = Number(response.headers.get('Retry-After'));
  const retryAfterS = Number.isFinite(wait) && wait > 0 ? wait : undefined;
  if (isProblem(body)) return new Failure(body, retryAfterS);
  return new Failure(
    {
      code: response.status >= 502 ? 'unavailable' : 'unreadable_answer',
      status: response.status,
      detail: `The server answered with status ${response.status} and nothing more.`,
    },
    retryAfterS,
  );
}

/** The failure of a request that got no answer at all. */
export function offline(): Failure {
  return new Failure({
    code: 'offline',
    status: 0,
    detail: 'There is no connection to the web server, or it has stopped.',
  });
}

export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure({
    code: 'unreadable_answer',
    status: 0,
    detail: error instanceof Error ? error.message : 'The answer could not be read.',
  });
}

interface Explanation {
  /** What happened, in a few words. */
  readonly title: string;
  /** What to do now, beside trying again. */
  readonly advice: string;
}

const EXPLANATIONS: Readonly<Record<string, Explanation>> = {
  offline: {
    title: 'The web server does not answer',
    advice: 'Check the connection.',
  },
  engine_unreachable: {
    title: 'The model server is away',
    advice: 'If it stays away, whoever runs this site can start it again.',
  },
  model_not_ready: {
    title: 'The model is still loading',
    advice: 'Loading takes some seconds.',
  },
  overloaded: {
    title: 'The model server has too much to do',
    advice: '',
  },
  draining: {
    title: 'The model server is restarting',
    advice: '',
  },
  unavailable: {
    title: 'The server cannot answer right now',
    advice: '',
  },
  deadline_exceeded: {
    title: 'The model took too long',
    advice: 'Less text is quicker.',
  },
  throttled: {
    title: 'Too many requests in a short time',
    advice: '',
  },
  not_authenticated: {
    title: 'You are signed out',
    advice: 'Sign in to go on.',
  },
  csrf_failed: {
    title: 'This page has been open too long',
    advice: 'Load it again, then repeat the last step.',
  },
  permission_denied: {
    title: 'Your account may not do this',
    advice: 'Ask whoever runs this site.',
  },
  not_found: {
    title: 'There is nothing here',
    advice: 'It may have been deleted, or it belongs to someone else.',
  },
};

const WRONG_INPUT: Explanation = {
  title: 'That input cannot be used',
  advice: 'Change it and try again.',
};
const UNEXPECTED: Explanation = {
  title: 'Something went wrong on the server',
  advice: 'Try again. If it happens again, tell whoever runs this site the request id.',
};

/** `automatic` says that the page itself asks again, as every query does and no press of a button. */
export function explain(failure: Failure, { automatic } = { automatic: false }): Explanation {
  const known = EXPLANATIONS[failure.code];
  if (known === undefined) {
    return failure.status >= 400 && failure.status < 500 ? WRONG_INPUT : UNEXPECTED;
  }
  if (!failure.passing) return known;
  const again = automatic ? 'It is tried again by itself.' : 'Try again in a moment.';
  return { title: known.title, advice: `${again} ${known.advice}`.trim() };
}
