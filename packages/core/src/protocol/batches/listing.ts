/**
 * Which batches a block may list, and which a leader does list (protocol.md section 2).
 *
 * `Floors` holds, for each author, the highest number listed on one chain of blocks. It is computed from the bodies of
 * that chain's own blocks, never from executed state.
 */

import type { Batch, BatchHeader } from '../../model/batch.ts';
import type { BatchReference, Block } from '../../model/block.ts';
import { blockBatchBytesMax, blockBatchesMax } from '../../model/block.ts';
import type { Epoch, Height } from '../../model/brands.ts';
import { type AuthorChain, countAcknowledged, heldInOrder } from './author-chain.ts';

export type Floors = readonly number[];

/** Floors after a block that stands on `floors`. */
export function floorsAfter(floors: Floors, block: Block): Floors {
  if (block.batches.length === 0) return floors;
  const next = [...floors];
  for (const { author, seq } of block.batches) if (author < next.length && seq > next[author]!) next[author] = seq;
  return next;
}

/** Whether a block at `height` on a chain with these floors may list this batch next. */
export function mayList(header: BatchHeader, floors: Floors, epoch: Epoch, height: Height): boolean {
  const floor = floors[header.author];
  if (floor === undefined || header.epoch !== epoch || header.expiryHeight < height) return false;
  if (header.seq <= floor) return false;
  return header.seq === floor + 1 || header.base === header.seq;
}

/**
 * Checks a block's whole listing against the batches it names.
 *
 * @param batchOf the batch of a digest; all of them are held
 */
export function isValidListing(
  block: Block,
  floors: Floors,
  epoch: Epoch,
  batchOf: (reference: BatchReference) => Batch,
): boolean {
  const next = [...floors];
  let bytes = 0;
  for (const reference of block.batches) {
    const batch = batchOf(reference);
    const { header } = batch;
    if (header.author !== reference.author || header.seq !== reference.seq) return false;
    if (!mayList(header, next, epoch, block.header.height)) return false;
    next[header.author] = header.seq;
    bytes += batch.sizeBytes;
  }
  return bytes <= blockBatchBytesMax;
}

/**
 * What a leader lists: batches a quorum has acknowledged, oldest first, taking turns over the authors.
 *
 * Those of an author caught with two batches of one number are listed like any other: acknowledgements count for one digest,
 * so a quorum holds exactly this one, and its transactions are as good as anybody's. Only waiting for them is nobody's duty
 * any more (`BatchBook.pending`).
 */
export function listBatches(
  chains: readonly AuthorChain[],
  floors: Floors,
  epoch: Epoch,
  height: Height,
  quorum: number,
): BatchReference[] {
  const next = [...floors];
  const listed: BatchReference[] = [];
  let bytes = 0;
  let queue = [...chains];
  while (queue.length > 0 && listed.length < blockBatchesMax) {
    const round = queue
      .map((chain) => ({ chain, candidate: nextCandidate(chain, next, epoch, height, quorum) }))
      .filter((entry) => entry.candidate !== null)
      .sort((a, b) => a.candidate!.sinceMs - b.candidate!.sinceMs || a.chain.author - b.chain.author);
    for (const { chain, candidate } of round) {
      const { header, digest, sizeBytes } = candidate!.batch;
      if (listed.length >= blockBatchesMax || bytes + sizeBytes > blockBatchBytesMax) return listed;
      listed.push({ author: chain.author, seq: header.seq, digest });
      next[chain.author] = header.seq;
      bytes += sizeBytes;
    }
    queue = round.map((entry) => entry.chain);
  }
  return listed;
}

function nextCandidate(chain: AuthorChain, floors: Floors, epoch: Epoch, height: Height, quorum: number) {
  const floor = floors[chain.author]!;
  for (const held of heldInOrder(chain)) {
    const { seq } = held.batch.header;
    if (seq <= floor) continue;
    if (seq > chain.reach) return null;
    if (!mayList(held.batch.header, floors, epoch, height)) {
      if (held.batch.header.expiryHeight < height) continue;
      return null;
    }
    return countAcknowledged(chain, seq) >= quorum ? held : null;
  }
  return null;
}
