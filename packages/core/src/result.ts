/**
 * Expected failure is a value; a broken invariant is a bug.
 *
 * `Result` carries what a peer, user or disk can cause. `assert` guards what only our own code can break: it throws, and
 * the node stops. A peer must never be able to trigger an assertion.
 */

export type Ok<T> = { readonly ok: true; readonly value: T };
export type Failure<E> = { readonly ok: false; readonly error: E };
export type Result<T, E> = Ok<T> | Failure<E>;

export function ok<T>(value: T): Ok<T> {
  return { ok: true, value };
}

export function fail<E>(error: E): Failure<E> {
  return { ok: false, error };
}

export class AssertionFailed extends Error {
  override name = 'AssertionFailed';
}

/** Throws when an invariant of our own does not hold. Never use it on input from outside. */
export function assert(condition: unknown, claim: string): asserts condition {
  if (!condition) throw new AssertionFailed(claim);
}

/** Ends a switch over a union, so that a new member of it does not compile until it is handled. */
export function unreachable(value: never): never {
  throw new AssertionFailed(`unreachable: ${String(value)}`);
}

/** An error of the catalogue (docs/errors.md): `code` is stable, `message` says what happened and what to do next. */
export type CairnError = { readonly code: string; readonly message: string };
