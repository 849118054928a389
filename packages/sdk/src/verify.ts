/**
 * Verifying receipts offline, in Node and in browsers: no node is asked. The genesis document is the trust anchor; receipts
 * of later epochs need the proofs that lead there, as a chain (`followEpochs`).
 */
import {
  anchorOfEpoch,
  anchorToChain,
  type CairnError,
  decodeTransaction,
  type EpochChain,
  type KeyAlgorithm,
  nobleVerifier,
  ok,
  type Result,
  type TrustAnchor,
  toHex,
  type Verifier,
  verifyReceiptOverEpochs,
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
  /** How many validators the epoch has, and how many signatures are a quorum of them. */
  readonly validators: number;
  readonly quorum: number;
  /** The epoch that was trusted to begin with, and the changes of validators from there to the epoch of the receipt. */
  readonly anchorEpoch: number;
  readonly membershipChanges: number;
  /** Block time of the checkpoint, as the signers state it, to the second. */
  readonly time: string;
};

/**
 * @param trust the anchor of the receipt's own epoch, or a chain that reaches it
 * @param transaction exactly the bytes as ordered: the receipt covers their signature, too
 * Errors: `tx.malformed`, `receipt.*`
 */
export function verifyReceiptOf(
  trust: TrustAnchor | EpochChain,
  receipt: Uint8Array,
  transaction: Uint8Array,
  verifier: Verifier = nobleVerifier,
): Result<VerifiedReceipt, CairnError> {
  const decoded = decodeTransaction(transaction);
  if (!decoded.ok) return decoded;
  const chain = 'anchors' in trust ? trust : anchorToChain(trust);
  const verified = verifyReceiptOverEpochs(chain, receipt, transaction, verifier);
  if (!verified.ok) return verified;
  const { statement, height, leafIndex, signers, issuedSeconds } = verified.value;
  const anchor = anchorOfEpoch(chain, statement.epoch)!;
  const anchorEpoch = chain.anchors[0]!.epoch;
  return ok({
    id: toHex(decoded.value.id),
    epoch: statement.epoch,
    height,
    leafIndex,
    historySize: statement.historySize,
    historyRoot: toHex(statement.historyRoot),
    signers,
    validators: anchor.validators.length,
    quorum: anchor.quorum,
    anchorEpoch,
    membershipChanges: statement.epoch - anchorEpoch,
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
