/**
 * A receipt is verified before it is given, as whoever gets it will: rot in a signature, a path or the transaction itself is this
 * node's trouble, and not that of a device that would have to ask again.
 *
 * Receipts of one checkpoint have the same signatures: a verifier that remembers verifies them once. So is the anchor of an epoch made.
 */
import { type Hash, setToTrustAnchor, type TrustAnchor, type Verifier, verifyReceipt } from '@cairn-ledger/core';
import { type EpochTable, storedToEpochSet } from '../storage/epoch-table.ts';

/** @param height of the checkpoint that covers the transaction */
export type ReceiptCheck = (receipt: Uint8Array, transaction: Uint8Array, height: number) => boolean;

/** Receipts are mostly asked for in the epoch they are of. */
const anchorsMax = 4;

export function createReceiptCheck(
  chain: { readonly epochs: Pick<EpochTable, 'at'> },
  ledgerHash: Hash,
  verifier: Verifier,
): ReceiptCheck {
  const anchors = new Map<number, TrustAnchor>();

  function anchorAt(height: number): TrustAnchor {
    const { epoch, validators } = storedToEpochSet(chain.epochs.at(height));
    let anchor = anchors.get(epoch);
    if (anchor === undefined) {
      // How old it is is for those to judge who trust it from far away.
      anchor = setToTrustAnchor(ledgerHash, epoch, validators, 0);
      anchors.set(epoch, anchor);
      if (anchors.size > anchorsMax) anchors.delete(anchors.keys().next().value!);
    }
    return anchor;
  }

  return (receipt, transaction, height) => verifyReceipt(anchorAt(height), receipt, transaction, verifier).ok;
}
