/**
 * What makes a block valid (protocol.md section 3): R3 asks whether it may be voted for now, R4 only whether it hangs
 * together, which every node answers alike, whenever and in whatever state it is asked.
 */
import { equalBytes } from '../../bytes/hex.ts';
import type { Block } from '../../model/block.ts';
import { type Hash, type Height, toHeight } from '../../model/brands.ts';
import type { BatchBook } from '../batches/batch-book.ts';
import { isValidListing } from '../batches/listing.ts';
import type { ReplicaContext } from '../context.ts';
import { type EvidenceReader, freshProofs } from '../guard/block-evidence.ts';
import type { ChainMarks, ChainTip } from './block-tree.ts';

/** `retryAtMs`: when the block's time has come; infinity where something else is waited for. */
export type BlockVerdict = { readonly type: 'ok' | 'invalid' } | { readonly type: 'wait'; readonly retryAtMs: number };

/** The height whose checkpoint a block at `height` carries. */
export function checkpointHeightOf(height: number, { constants }: ReplicaContext): Height {
  return toHeight(Math.max(0, height - constants.checkpointLag));
}

/**
 * R3: whether a new block is valid on its parent; all its batches are held. "Not yet" is never "invalid".
 *
 * @param due the checkpoint that it must carry, and the next set that it must name, if any; null while that checkpoint is not
 *   certified for this node
 */
export function checkNewBlock(
  block: Block,
  parent: ChainTip,
  { floors, accused }: ChainMarks,
  batches: BatchBook,
  proofsIn: EvidenceReader,
  due: { readonly checkpoint: Hash; readonly nextSet: Hash | null } | null,
  { constants, now, set }: ReplicaContext,
): BlockVerdict {
  const { header } = block;
  const isOfHere = header.epoch === set.epoch && header.rules === set.rules;
  if (!isOfHere || parent.isBoundary) return { type: 'invalid' };
  if (!linksTo(block, parent)) return { type: 'invalid' };
  const proofs = proofsIn(block);
  // Nobody is accused twice on a chain.
  if (proofs === null || freshProofs(accused, proofs).length < proofs.length) return { type: 'invalid' };
  if (!isValidListing(block, floors, set.epoch, ({ digest }) => batches.require(digest))) return { type: 'invalid' };
  const aheadMs = header.timeMs - Math.max(parent.timeMs + 1, now.wallMs + constants.clockDriftMs);
  if (aheadMs > 0) return { type: 'wait', retryAtMs: now.ms + aheadMs };
  if (due === null) return { type: 'wait', retryAtMs: Number.POSITIVE_INFINITY };
  const isTrue = equalBytes(due.checkpoint, header.checkpoint) && isSameDigest(due.nextSet, header.nextSet);
  return { type: isTrue ? 'ok' : 'invalid' };
}

/** R4: whether a block follows its parent, and lists the batches it says; all of them are held. */
export function hangsTogether(block: Block, parent: ChainTip, batches: BatchBook): boolean {
  const areReferencesTrue = block.batches.every(({ author, seq, digest }) => {
    const { header } = batches.require(digest);
    return header.author === author && header.seq === seq && header.epoch === block.header.epoch;
  });
  return linksTo(block, parent) && areReferencesTrue;
}

function isSameDigest(a: Hash | null, b: Hash | null): boolean {
  return a === null || b === null ? a === b : equalBytes(a, b);
}

function linksTo({ header }: Block, parent: ChainTip): boolean {
  return (
    equalBytes(header.parent, parent.digest) && header.height === parent.height + 1 && header.timeMs > parent.timeMs
  );
}
