/**
 * Verdicts of a block as chain.db keeps them: only those that say more than "accepted", as strict CBOR
 *
 *     Verdicts = [* [ position, code, message / null, flags ] ]     flags: 1 leaf, 2 counter used, 4 signer known
 *
 * Who signed is not kept: a kid never changes hands, so it can be told from the transaction and the state.
 */
import {
  assert,
  decodeShape,
  encodeCbor,
  listOf,
  requireShape,
  type TransactionResult,
  textOf,
  tupleOf,
  uintOf,
} from '@cairn-ledger/core';

const flag = { leaf: 1, counterUsed: 2, signerKnown: 4 } as const;
const verdictsMax = 65_536;
/** Five for each verdict. */
const itemsMax = 5 * verdictsMax + 1;
const textMax = 4096;

export type Verdict = {
  /** `ok`, or why it was rejected. */
  readonly code: string;
  readonly message: string | null;
  readonly isLeaf: boolean;
  readonly isCounterUsed: boolean;
  /** The signature held, so the transaction is shown under the name of its signer. */
  readonly isSignerKnown: boolean;
};

const accepted: Verdict = { code: 'ok', message: null, isLeaf: true, isCounterUsed: true, isSignerKnown: true };

export function encodeVerdicts(results: readonly TransactionResult[]): Uint8Array {
  const rows: (number | string | null)[][] = [];
  for (const [position, result] of results.entries()) {
    const flags =
      (result.leafEntry ? flag.leaf : 0) |
      (result.isCounterUsed ? flag.counterUsed : 0) |
      (result.member === undefined ? 0 : flag.signerKnown);
    if (result.code === 'ok' && flags === 7) continue;
    rows.push([position, result.code, result.message?.slice(0, textMax) ?? null, flags]);
  }
  return encodeCbor(rows);
}

/** Verdicts of all positions of a block. The bytes are our own: what does not decode is damage. */
export function decodeVerdicts(bytes: Uint8Array, transactionCount: number): Verdict[] | null {
  const verdicts: Verdict[] = new Array(transactionCount).fill(accepted);
  const decoded = decodeShape(
    'storage.damaged',
    bytes,
    (value) =>
      listOf(value, verdictsMax, 'verdicts', (item) => {
        const [position, code, message, flags] = tupleOf(item, 4, 'verdict');
        const at = uintOf(position!, 'position', verdictsMax);
        const bits = uintOf(flags!, 'flags', 7);
        requireShape(at < transactionCount, 'a position lies within the block');
        verdicts[at] = {
          code: textOf(code!, 'code', textMax),
          message: message === null ? null : textOf(message!, 'message', 4 * textMax),
          isLeaf: (bits & flag.leaf) !== 0,
          isCounterUsed: (bits & flag.counterUsed) !== 0,
          isSignerKnown: (bits & flag.signerKnown) !== 0,
        };
      }),
    itemsMax,
  );
  return decoded.ok ? verdicts : null;
}

/** Of a result of execution, as it would be read back. */
export function verdictOf(result: TransactionResult): Verdict {
  assert(!result.leafEntry || result.member !== undefined, 'the signer of an accepted transaction is known');
  return {
    code: result.code,
    message: result.message ?? null,
    isLeaf: result.leafEntry,
    isCounterUsed: result.isCounterUsed,
    isSignerKnown: result.member !== undefined,
  };
}
