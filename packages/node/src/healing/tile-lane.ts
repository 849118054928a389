/** The tiles of a stored history one after the other, each held against the one above it, the last ones against a certified root. */
import {
  createHistoryReader,
  decodeCheckpointStatement,
  equalBytes,
  rightEdgeOf,
  tileCountAt,
} from '@cairn-ledger/core';
import type { ChainFile } from './chain-file.ts';
import { isFullTileTrue } from './stored-tile.ts';

export type TileLane = {
  /** Tiles of the tree, the right edge counting as one. */
  count(): number;
  /** Looks at the next one; whether a round ended with it. */
  step(): boolean;
};

const tileHashes = 256;
const hashBytes = 32;

export function createTileLane({ chain }: ChainFile, onDamage: (what: string, key: string) => void): TileLane {
  let level = 0;
  let index = 0;
  /** Everything is looked at as far as it was at the beginning of the round. */
  let size = 0;

  function lookAtEdge(): void {
    chain.consistently(() => {
      const tip = chain.tip();
      const stored = tip === null ? null : chain.checkpoint(tip.height);
      const statement = stored === null ? null : decodeCheckpointStatement(stored.statement);
      if (!statement?.ok) return;
      const { historySize, historyRoot } = statement.value;
      size = historySize;
      const isHeld = rightEdgeOf(historySize).every(
        ({ level: at, index: place, count }) => (chain.tiles.get(at, place)?.length ?? 0) >= count * hashBytes,
      );
      if (isHeld && equalBytes(createHistoryReader(chain.tiles).rootAt(historySize), historyRoot)) return;
      onDamage('the last tiles do not have the root of the history', 'edge');
    });
  }

  /** A full tile against the hash that the one above has for it. */
  function lookAt(): void {
    const hashes = chain.tiles.get(level, index);
    const isBelowFounded = hashes === null && chain.foundedHeight() > 0;
    if (isBelowFounded) return;
    if (hashes === null || !isFullTileTrue(chain, { level, index }, hashes))
      onDamage(`tile ${level}/${index} does not have its root`, `${level}/${index}`);
  }

  return {
    count: () => Math.ceil((chain.tip()?.historySize ?? 0) / tileHashes) + 1,
    step() {
      if (size === 0) {
        lookAtEdge();
        [level, index] = [0, 0];
        return size < tileHashes && endRound();
      }
      lookAt();
      index++;
      if (tileCountAt({ level, index }, size) === tileHashes) return false;
      level++;
      index = 0;
      return tileCountAt({ level, index }, size) < tileHashes && endRound();
    },
  };

  function endRound(): boolean {
    size = 0;
    return true;
  }
}
