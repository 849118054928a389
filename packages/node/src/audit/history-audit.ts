/** The history tree grown again from the leaves of each block: its roots, and the stored tiles. */
import {
  type CheckpointStatement,
  createHistoryTree,
  equalBytes,
  type Hash,
  type HistoryTree,
  type TileStore,
  type TileWrite,
} from '@cairn-ledger/core';
import type { AuditedCheckpoint } from './checkpoint-audit.ts';
import type { Findings } from './finding.ts';

const tileBytesMax = 256 * 32;

export type HistoryAudit = {
  size(): number;
  /** Adds the leaves of a height and compares with its checkpoint. */
  add(height: number, entries: readonly Hash[], checkpoint: AuditedCheckpoint): void;
  /** Compares the tiles that are not full. */
  end(): void;
};

/** @param tiles read where a tree is continued, and compared unless `areCompared` is false */
export function createHistoryAudit(
  tiles: TileStore,
  size: number,
  findings: Findings,
  areCompared = true,
): HistoryAudit {
  const tree: HistoryTree = createHistoryTree(tiles, size);
  /** The last tile of each level, as it must be stored now. */
  const growing = new Map<number, TileWrite>();
  let isLost = false;

  return {
    size: () => tree.size(),
    add(height, entries, { own, certified }) {
      const { tileWrites } = tree.append(entries);
      for (const tile of tileWrites) {
        if (!areCompared) continue;
        if (tile.hashes.length === tileBytesMax) compareTile(tile);
        else growing.set(tile.level, tile);
      }
      for (const { level, index } of tileWrites) {
        const kept = growing.get(level);
        if (kept !== undefined && kept.index < index) growing.delete(level);
      }
      // Whatever follows a wrong leaf is wrong too: it is told once.
      if (!isLost) isLost = !compareRoot(height, own, certified);
    },
    end() {
      for (const tile of growing.values()) compareTile(tile);
    },
  };

  function compareRoot(
    height: number,
    own: CheckpointStatement | null,
    certified: CheckpointStatement | null,
  ): boolean {
    const expected = certified ?? own;
    if (expected === null) return true;
    if (expected.historySize === tree.size() && equalBytes(expected.historyRoot, tree.root())) return true;
    const who = certified === null ? 'the own checkpoint has' : 'a quorum signed';
    const what = `the transactions accepted up to height ${height} give another history root than ${who}`;
    findings.add(certified === null ? 'checkpoint' : 'history', 'audit.root-differs', what, { height });
    return false;
  }

  function compareTile({ level, index, hashes }: TileWrite): void {
    const where = { table: 'history_tiles', key: `${level}/${index}` };
    const stored = findings.guard('history', where, () => tiles.get(level, index));
    if (stored === null) findings.add('history', 'audit.missing', `tile ${level}/${index} is missing`, where);
    else if (!equalBytes(stored, hashes)) {
      const what = `tile ${level}/${index} differs from the tree over the accepted transactions`;
      findings.add('history', 'audit.differs', what, where);
    }
  }
}
