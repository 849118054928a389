/** Edge thread: everything held of one height, as bytes (storage/held-height.ts), read from the proven chain. */
import { rightEdgeOf, type Tile } from '@cairn-ledger/core';
import { encodeHeldHeight } from '../storage/held-height.ts';
import { damageOf } from '../storage/storage-error.ts';
import type { ProvenChain } from './proven-chain.ts';

const hashBytes = 32;

/**
 * Null for a height that is not held. Where the chain was founded from a snapshot, its height is served without what was in it.
 *
 * @throws StorageError where what is stored is something else
 */
export function heldHeightOf(chain: ProvenChain, height: number, withEdge: boolean): Uint8Array | null {
  const founded = chain.foundedHeight();
  const stored = height < founded ? null : chain.blockByHeight(height);
  const checkpoint = stored === null ? null : chain.checkpoint(height);
  if (stored === null || checkpoint === null) return null;
  const { header, body, view, finalization, historySize, verdicts } = stored;
  const { statement, signatures } = checkpoint;
  const batches = founded > 0 && height === founded ? [] : chain.batchesOf(height);
  const edge = withEdge ? edgeOf(chain, historySize) : [];
  const block = { header, body, view, finalization, historySize, verdicts };
  return encodeHeldHeight({ ...block, statement, signatures, batches, edge });
}

/** A tile that has grown since begins with what it had then. */
function edgeOf({ tiles }: ProvenChain, historySize: number): Tile[] {
  return rightEdgeOf(historySize).map(({ level, index, count }) => {
    const hashes = tiles.get(level, index);
    if (hashes === null || hashes.length < count * hashBytes)
      throw damageOf('history', `tile ${level}/${index} of the history is missing or short`);
    return { level, index, hashes: hashes.slice(0, count * hashBytes) };
  });
}
