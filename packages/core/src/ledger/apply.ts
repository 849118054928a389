/** What a transaction does: its readings find their device, then its operations apply in order; all of it, or nothing. */

import type { Transaction } from '../model/transaction.ts';
import type { CairnError } from '../result.ts';
import type { OperationContext } from './operations/operation.ts';
import { applyOperations, type Rules } from './operations/rules.ts';
import { namesRefusal, readingSourceOf, recordSource } from './readings.ts';

/** To be run within an attempt, which undoes what was changed before a refusal. */
export function applyTransaction(rules: Rules, transaction: Transaction, context: OperationContext): CairnError | null {
  const { header, body } = transaction;
  if (body.senml !== undefined) {
    const source = readingSourceOf(context.actor, header.sub);
    if (!source.ok) return source.error;
    const refusal = namesRefusal(context.state, transaction, source.value) ?? recordSource(context, source.value);
    if (refusal !== null) return refusal;
  }
  return body.operations.length === 0 ? null : applyOperations(rules, context, body.operations);
}
