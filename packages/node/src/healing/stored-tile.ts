/** Whether a stored tile of the history is what the hashes above it say; those of the right edge, what the checkpoint of the tip says. */
import {
  AssertionFailed,
  createHistoryReader,
  decodeCheckpointStatement,
  equalBytes,
  fullTileRoot,
  type TilePlace,
} from '@cairn-ledger/core';
import type { ChainDb } from '../storage/chain-db.ts';

const tileHashes = 256;
const hashBytes = 32;
export const fullTileBytes = tileHashes * hashBytes;

/** @param hashes as stored at the place, all of them */
export function isStoredTileTrue(chain: ChainDb, place: TilePlace, hashes: Uint8Array): boolean {
  return hashes.length < fullTileBytes ? isRightEdgeTrue(chain) : isFullTileTrue(chain, place, hashes);
}

/** Whether it is full, and has the root that the tile above it says. */
export function isFullTileTrue(chain: ChainDb, { level, index }: TilePlace, hashes: Uint8Array): boolean {
  const above = chain.tiles.get(level + 1, Math.floor(index / tileHashes));
  const at = (index % tileHashes) * hashBytes;
  return (
    hashes.length === fullTileBytes &&
    above !== null &&
    above.length >= at + hashBytes &&
    equalBytes(fullTileRoot(hashes), above.subarray(at, at + hashBytes))
  );
}

function isRightEdgeTrue(chain: ChainDb): boolean {
  const tip = chain.tip();
  const stored = tip === null ? null : chain.checkpoint(tip.height);
  const statement = stored === null ? null : decodeCheckpointStatement(stored.statement);
  if (!statement?.ok) return false;
  try {
    const { historySize, historyRoot } = statement.value;
    return equalBytes(createHistoryReader(chain.tiles).rootAt(historySize), historyRoot);
  } catch (cause) {
    // A tile that it needs is too short, or not there.
    if (cause instanceof AssertionFailed) return false;
    throw cause;
  }
}
