/**
 * Verifies a receipt offline: that a transaction, byte for byte, was accepted by the ledger (wire-format.md section 4).
 *
 * Nothing is believed but the anchor. The path leads from the transaction to a root; a quorum of the anchor's validators has
 * signed that root together with the size of the tree, so the leaf's index can't be shifted either.
 */
import { sha256 } from '../crypto/hash.ts';
import { leafHash, rootFromInclusionProof } from '../crypto/merkle.ts';
import type { Verifier } from '../crypto/verifier.ts';
import type { Epoch, Height } from '../model/brands.ts';
import { type DecodedBundle, decodeBundle } from '../model/receipt.ts';
import { type CairnError, fail, ok, type Result } from '../result.ts';
import { type VerifiedCheckpoint, verifyCheckpoint } from './checkpoint.ts';
import { anchorOfEpoch, type EpochChain, newestAnchor } from './epochs.ts';
import type { TrustAnchor } from './trust-anchor.ts';

export type VerifiedReceipt = VerifiedCheckpoint & {
  /** Height of the checkpoint; the transaction stands at this height or below it. */
  readonly height: Height;
  /** Place of the transaction in the history, from 0. */
  readonly leafIndex: number;
};

/**
 * Verifies a receipt bundle.
 *
 * @param transaction the bytes exactly as ordered; another signature of the same content is another leaf
 *
 * Errors: `receipt.malformed`, those of `verifyCheckpoint`, and `receipt.not-included`: it is not of this transaction.
 */
export function verifyReceipt(
  anchor: TrustAnchor,
  receipt: Uint8Array,
  transaction: Uint8Array,
  verifier: Verifier,
): Result<VerifiedReceipt, CairnError> {
  const bundle = decodeBundle(receipt);
  return bundle.ok ? verifyBundle(anchor, bundle.value, transaction, verifier) : bundle;
}

/** The same with the anchor of the receipt's own epoch, as far as the chain leads. */
export function verifyReceiptOverEpochs(
  chain: EpochChain,
  receipt: Uint8Array,
  transaction: Uint8Array,
  verifier: Verifier,
): Result<VerifiedReceipt, CairnError> {
  const bundle = decodeBundle(receipt);
  if (!bundle.ok) return bundle;
  const epoch = epochOfReceipt(bundle.value);
  // Without an anchor of that epoch, the nearest one refuses and tells what is missing.
  const nearest = epoch < chain.anchors[0]!.epoch ? chain.anchors[0]! : newestAnchor(chain);
  return verifyBundle(anchorOfEpoch(chain, epoch) ?? nearest, bundle.value, transaction, verifier);
}

/** The epoch whose validators signed a receipt, as it says itself. */
export function epochOfReceipt(bundle: DecodedBundle): Epoch {
  return bundle.headers[0]!.statement.epoch;
}

/** The same for a decoded bundle, as `receiptsToBundle` makes one of standard receipts. */
export function verifyBundle(
  anchor: TrustAnchor,
  bundle: DecodedBundle,
  transaction: Uint8Array,
  verifier: Verifier,
): Result<VerifiedReceipt, CairnError> {
  const { leafIndex, treeSize, path } = bundle.proof;
  const root = rootFromInclusionProof(leafIndex, treeSize, leafHash(sha256(transaction)), path);
  if (!root.ok) {
    return fail({
      code: 'receipt.malformed',
      message: `The receipt does not verify. Its path can't be one: ${root.error.message}.`,
    });
  }
  if (!bundle.headers.every(({ statement }) => statement.historySize === treeSize)) {
    return fail({
      code: 'receipt.wrong-size',
      message:
        'The receipt does not verify. Its path is for a tree of another size than the one signed. Ask another node.',
    });
  }
  const checkpoint = verifyCheckpoint(anchor, bundle, root.value, verifier);
  if (checkpoint.ok) return ok({ ...checkpoint.value, height: checkpoint.value.statement.height, leafIndex });
  if (checkpoint.error.code !== 'receipt.no-signature-fits') return checkpoint;
  return fail({
    code: 'receipt.not-included',
    message:
      'The receipt does not verify. It is not of this transaction: the path does not lead to what the validators signed. ' +
      'Take the transaction bytes from a node, exactly as ordered, and its receipt with them.',
  });
}
