/** The snapshot of a chain at its tip, as a node that has verified it would found its own chain with. */
import type { ChainDb } from '../chain-db.ts';
import type { ChainSnapshot } from '../snapshot-import.ts';

/** Every tile up to this level and index is looked for. */
const tilesMax = { levels: 4, index: 1000 };

/** @param signatures stand for those of the last checkpoint and of the boundaries where the chain has none */
export function snapshotOf(chain: ChainDb, lag: number, signatures: Uint8Array): ChainSnapshot {
  const tip = chain.tip()!;
  const heights = Array.from({ length: lag + 1 }, (_, i) => tip.height - lag + i);
  const checkpointAt = (height: number) => chain.checkpoint(height)!;
  const certifiedAt = (height: number) => {
    const { statement, signatures: own } = checkpointAt(height);
    return own === null ? { statement } : { statement, signatures: own };
  };
  const epochs = chain.epochs.page(1, 100);
  const tiles = [];
  for (let level = 0; level < tilesMax.levels; level++) {
    for (let index = 0; index < tilesMax.index; index++) {
      const hashes = chain.tiles.get(level, index);
      if (hashes === null) break;
      // Only the right edge is needed.
      if (hashes.length < 256 * 32) tiles.push({ level, index, hashes });
    }
  }
  return {
    blocks: heights.map((height) => {
      const { header, body, view, finalization } = chain.blockByHeight(height)!;
      const { statement } = checkpointAt(height);
      return {
        header,
        body,
        view,
        finalization,
        statement,
        signatures: checkpointAt(height).signatures ?? (height === tip.height ? signatures : null),
      };
    }),
    epochs: epochs.map((epoch, i) => ({
      ...epoch,
      ...(i < epochs.length - 2 && { genesis: null, rules: null }),
      boundary: i === 0 ? null : { signatures, block: null, ...certifiedAt(epoch.genesisHeight) },
    })),
    targets: [chain.epochs.targetAt(heights[0]!), ...chain.epochs.targetsAfter(heights[0]!)],
    floors: epochs.slice(-2).flatMap(({ epoch }) => chain.floors(epoch)),
    state: [...chain.store.list(new Uint8Array(0))],
    tiles,
  };
}
