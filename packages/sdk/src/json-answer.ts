/** Reading what a node answers as JSON: it may be anything, so nothing is believed but its form. */
import { type CairnError, fail, ok, type Result } from '@cairn-ledger/core';
import type { HttpAnswer } from './http.ts';

/** Error: `client.bad-answer`. */
export function parseJson(answer: HttpAnswer, path: string): Result<unknown, CairnError> {
  try {
    return ok(JSON.parse(new TextDecoder().decode(answer.bytes)) as unknown);
  } catch {
    return badAnswer(answer.node, path, 'something that is not JSON');
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Programs decide by codes, so what a node gives as one must look like one. */
export function isErrorCode(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 64 && /^[a-z]+\.[a-z0-9-]+$/.test(value);
}

const messageMax = 1_000;

/** A message of a node as far as anybody reads it: it goes to logs. */
export function shortened(message: string): string {
  return message.length <= messageMax ? message : `${message.slice(0, messageMax)}...`;
}

export function badAnswer(node: string, path: string, what: string): Result<never, CairnError> {
  return fail({ code: 'client.bad-answer', message: `${node} answered ${path} with ${what}` });
}
