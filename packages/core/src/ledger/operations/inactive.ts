/**
 * Operations that have a code (wire-format.md section 3) but no effect under the present rules. They are refused by name,
 * so that a client learns that it is early and not wrong. Their arguments are not read: rules to come define them.
 */
import { errorOf } from '../errors.ts';
import type { OperationKind } from './operation.ts';

export const propose = inactiveOperation(7, 'propose');
export const vote = inactiveOperation(8, 'vote');
export const attest = inactiveOperation(9, 'attest');
export const ready = inactiveOperation(10, 'ready');

function inactiveOperation(code: number, name: string): OperationKind<null> {
  return {
    code,
    name,
    toCbor: () => [code],
    read: () => null,
    apply: () => errorOf('tx.operation-inactive', name),
  };
}
