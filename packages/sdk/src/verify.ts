/**
 * Verifying receipts offline, in Node and in browsers: the genesis document is the trust anchor, no node is asked.
 */
import {
  type CairnError,
  decodeTransaction,
  type KeyAlgorithm,
  nobleVerifier,
  ok,
  type Result,
  type TrustAnchor,
  toHex,
  type Verifier,
  verifyReceipt,
} from '@cairn-ledger/core';

export type VerifiedReceipt = {
  /** Transaction id, hexadecimal. */
  readonly id: string;
  readonly epoch: number;
  /** Height of the certified checkpoint; the transaction stands at or below it. */
  readonly height: number;
  /** Place in the history, from 0. */
  readonly leafIndex: number;
  /** Leaves of the history that the path leads to. */
  readonly historySize: number;
  readonly historyRoot: string;
  /** Ids of the validators whose signatures were verified. */
  readonly signers: readonly string[];
  /** Block time of the checkpoint, as the signers state it, to the second. */
  readonly time: string;
};

/**
 * @param transaction exactly the bytes as ordered: the receipt covers their signature, too
 * Errors: `tx.malformed`, `receipt.*`
 */
export function verifyReceiptOf(
  anchor: TrustAnchor,
  receipt: Uint8Array,
  transaction: Uint8Array,
  verifier: Verifier = nobleVerifier,
): Result<VerifiedReceipt, CairnError> {
  const decoded = decodeTransaction(transaction);
  if (!decoded.ok) return decoded;
  const verified = verifyReceipt(anchor, receipt, transaction, verifier);
  if (!verified.ok) return verified;
  const { statement, height, leafIndex, signers, issuedSeconds } = verified.value;
  return ok({
    id: toHex(decoded.value.id),
    epoch: statement.epoch,
    height,
    leafIndex,
    historySize: statement.historySize,
    historyRoot: toHex(statement.historyRoot),
    signers,
    time: new Date(issuedSeconds * 1000).toISOString(),
  });
}

/** True when a transaction is signed by this key. That the key was in force is the ledger's to say: see its receipt. */
export function isSignedBy(
  transaction: Uint8Array,
  key: { readonly algorithm: KeyAlgorithm; readonly publicKey: Uint8Array },
  verifier: Verifier = nobleVerifier,
): boolean {
  const decoded = decodeTransaction(transaction);
  if (!decoded.ok) return false;
  const { signedBytes, signature } = decoded.value;
  return verifier.verify(key.algorithm, key.publicKey, signedBytes, signature);
}
