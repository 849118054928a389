/**
 * What an operation is: `[ code, * argument ]`, its arguments read strictly, and applied to the working state.
 *
 * `apply` returns why it refuses, or null; what it changed before refusing is undone by its caller. It may read and write
 * the working state and nothing else: no clock, no order of iteration, no memory of its own.
 */
import type { Cbor, Encodable } from '../../bytes/cbor.ts';
import type { Verifier } from '../../crypto/verifier.ts';
import type { Hash } from '../../model/brands.ts';
import type { Parameters } from '../../model/parameters.ts';
import type { Validator } from '../../model/validator-set.ts';
import type { CairnError } from '../../result.ts';
import type { LedgerEvent } from '../events.ts';
import type { Actor } from '../permissions.ts';
import type { WorkingState } from '../working-state.ts';

export type OperationContext = {
  readonly state: WorkingState;
  readonly actor: Actor;
  /** Height of the block being executed. */
  readonly height: number;
  readonly transaction: Hash;
  readonly parameters: Parameters;
  /** The set of the block's epoch, ascending by id; at admission the target set, which may be ahead of it. */
  readonly validators: () => readonly Validator[];
  readonly checkPublicKey: Verifier['checkPublicKey'];
  /** Filled by operations; dropped when the transaction is refused. */
  readonly events: LedgerEvent[];
};

export interface OperationKind<T> {
  readonly code: number;
  readonly name: string;
  /** For use inside `readShape`: the items after the code. */
  read(items: readonly Cbor[]): T;
  /** The operation as it stands in a transaction. */
  toCbor(operation: T): EncodedOperation;
  apply(context: OperationContext, operation: T): CairnError | null;
}

/** An operation to be signed: what `signTransaction` takes. */
export type EncodedOperation = readonly [code: number, ...arguments: Encodable[]];

/** Optional arguments at the end are left out, never null: one content has one encoding. */
export function withOptional(operation: EncodedOperation, optional: Encodable | undefined): EncodedOperation {
  return optional === undefined ? operation : [...operation, optional];
}
