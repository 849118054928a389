/**
 * Which operations exist under which rules. Every block names its rules (architecture.md); a release knows the present
 * number and the one before it.
 */
import type { Cbor } from '../../bytes/cbor.ts';
import { readShape } from '../../bytes/shape.ts';
import type { RawOperation } from '../../model/transaction.ts';
import { assert, type CairnError } from '../../result.ts';
import { errorOf } from '../errors.ts';
import { anchor } from './anchor.ts';
import { attest } from './attest.ts';
import { issue } from './issue.ts';
import type { OperationContext, OperationKind } from './operation.ts';
import { propose } from './propose.ts';
import { ready } from './ready.ts';
import { registerKey } from './register-key.ts';
import { retire } from './retire.ts';
import { revokeKey } from './revoke-key.ts';
import { rotateKey } from './rotate-key.ts';
import { transfer } from './transfer.ts';
import { vote } from './vote.ts';

export type Rules = ReadonlyMap<number, OperationKind<unknown>>;

/** The newest rules this release knows. */
export const rulesLatest = 1;

const rules1: Rules = new Map(
  [transfer, issue, retire, registerKey, rotateKey, revokeKey, anchor, propose, vote, attest, ready].map((kind) => [
    kind.code,
    kind as OperationKind<unknown>,
  ]),
);

/** True when this release can execute blocks of these rules. */
export function isKnownRules(rules: number): boolean {
  return rules === rulesLatest;
}

export function rulesOf(rules: number): Rules {
  assert(isKnownRules(rules), 'a block is executed only under rules this release knows');
  return rules1;
}

/** Applies the operations of a transaction in order; the first refusal is the verdict. */
export function applyOperations(
  rules: Rules,
  context: OperationContext,
  operations: readonly RawOperation[],
): CairnError | null {
  for (const [code, ...items] of operations) {
    const kind = rules.get(code);
    if (kind === undefined) return errorOf('tx.unknown-operation', `code ${code}`);
    const read = readShape('tx.bad-operation', items, (value) => kind.read(value as Cbor[]));
    const refusal = read.ok ? kind.apply(context, read.value) : errorOf('tx.bad-operation', read.error.message);
    if (refusal !== null) return refusal;
  }
  return null;
}
