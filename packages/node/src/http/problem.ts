/**
 * Errors as answers: problem details (RFC 9457) with the code of the catalogue, the particular case, and what to do. No
 * answer ever holds a stack trace or a path of this machine.
 */
import type { CairnError } from '@cairn-ledger/core';
import type { FastifyReply } from 'fastify';
import { describeError, type NodeErrorCode, statusOf } from '../errors.ts';

export const PROBLEM_TYPE = 'application/problem+json';

export type Problem = CairnError & {
  /** Transaction that the problem is about, hex. */
  readonly transaction?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  /** Of `history.not-held`: the lowest height that the node has all of. */
  readonly heldFrom?: number | undefined;
};

/** A problem with a code of the node's own. */
export function problemOf(code: NodeErrorCode, message: string, more?: { readonly retryAfterMs: number }): Problem {
  return { code, message, ...more };
}

/** What a node says of a transaction it does not know; one that was founded later cannot tell that there is none. */
export function unknownTransaction(heldFrom: number): Problem {
  if (heldFrom === 0) return problemOf('http.not-found', 'no transaction with this id is known here');
  const message = `no transaction with this id is known here, where the chain is held from block ${heldFrom} on: ask another node`;
  return { ...problemOf('history.not-held', message), heldFrom };
}

/** Likewise of a height: it may not be executed yet, or be older than what is held. */
export function unknownHeight(height: number, heldFrom: number, what: string): Problem {
  if (height >= heldFrom) return problemOf('http.not-found', `no ${what} ${height} is executed here`);
  const message = `${what} ${height} is not held here, where the chain is held from block ${heldFrom} on: ask another node`;
  return { ...problemOf('history.not-held', message), heldFrom };
}

/** Whole seconds for Retry-After: at least 1. */
export function retryAfterSeconds(retryAfterMs: number): number {
  return Math.max(1, Math.ceil(retryAfterMs / 1000));
}

export function problemText(problem: Problem): string {
  const entry = describeError(problem.code);
  return JSON.stringify({
    type: `urn:cairn:error:${problem.code}`,
    title: entry?.title ?? 'The ledger refuses it',
    status: statusOf(problem.code),
    detail: problem.message,
    code: problem.code,
    // The ledger's messages already hold it.
    whatToDo: entry === null || problem.message.includes(entry.whatToDo) ? undefined : entry.whatToDo,
    transaction: problem.transaction,
    retryAfterSeconds: problem.retryAfterMs === undefined ? undefined : retryAfterSeconds(problem.retryAfterMs),
    heldFrom: problem.heldFrom,
  });
}

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  if (problem.retryAfterMs !== undefined) reply.header('retry-after', retryAfterSeconds(problem.retryAfterMs));
  return reply
    .code(statusOf(problem.code))
    .headers({ 'content-type': PROBLEM_TYPE, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    .send(problemText(problem));
}
