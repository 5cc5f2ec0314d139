import { describe, expect, it } from 'vitest';

import { againAfterFailure } from './again';
import { csrfToken } from './client';
import { asFailure, explain, Failure, failureOf, offline } from './problem';

const problem = (code: string, status: number) => ({
  type: `urn:discern:problem:${code}`,
  title: 'Title',
  status,
  detail: 'One sentence.',
  code,
});

function answer(status: number, headers: Record<string, string> = {}): Response {
  return new Response(null, { status, headers });
}

describe('a failure', () => {
  it('carries the code, the sentence and the wait of the server', () => {
    const failure = failureOf(answer(503, { 'Retry-After': '7' }), problem('overloaded', 503));
    expect(failure.code).toBe('overloaded');
    expect(failure.message).toBe('One sentence.');
    expect(failure.retryAfterS).toBe(7);
    expect(failure.passing).toBe(true);
  });
  it('is made of an answer that is no problem document too', () => {
    expect(failureOf(answer(502), '<html>').passing).toBe(true);
    expect(failureOf(answer(500), null).code).toBe('unreadable_answer');
    expect(asFailure('what?').code).toBe('unreadable_answer');
  });
  it('of the input does not pass by waiting', () => {
    expect(failureOf(answer(413), problem('too_large', 413)).passing).toBe(false);
  });
});

describe('what is said about a failure', () => {
  it('promises another try only where there will be one', () => {
    expect(explain(offline(), { automatic: true }).advice).toContain('by itself');
    expect(explain(offline(), { automatic: false }).advice).toContain('Try again in a moment');
  });
  it('puts wrong input and broken servers apart', () => {
    const wrong = new Failure(problem('too_large', 413));
    const broken = new Failure(problem('internal_error', 500));
    expect(explain(wrong, { automatic: false }).title).toBe('That input cannot be used');
    expect(explain(broken, { automatic: false }).title).toBe('Something went wrong on the server');
  });
});

describe('asking again', () => {
  it('follows a passing failure, no sooner than the server says', () => {
    expect(againAfterFailure({ state: { error: offline() } })).toBe(3000);
    const slow = new Failure(problem('overloaded', 503), 20);
    expect(againAfterFailure({ state: { error: slow } })).toBe(20_000);
  });
  it('follows no other', () => {
    expect(againAfterFailure({ state: { error: null } })).toBe(false);
    const wrong = new Failure(problem('invalid_input', 400));
    expect(againAfterFailure({ state: { error: wrong } })).toBe(false);
  });
});

it('the CSRF token is read from among other cookies', () => {
  expect(csrfToken('a=1; discern_csrf=to%3Dken; b=2')).toBe('to=ken');
  expect(csrfToken('')).toBe('');
});
