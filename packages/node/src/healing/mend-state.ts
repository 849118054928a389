/**
 * A state that does not have the root that was signed for its height, mended where it is. Peers have the state of a later height,
 * as a rule; a bucket that differs there has either changed since or is damaged here. Which, the own root tells: the right ones of
 * the peer's buckets put in give exactly that root, and no others do. That finds itself while few differ; a chain that has
 * gone far ahead is better taken over as it is now.
 */
import {
  bucketHashOf,
  createStateTree,
  equalBytes,
  type Hash,
  isEmptyStatePart,
  nodeHashOf,
  type StatePart,
  type StateTree,
  stateBucketDepth,
} from '@cairn-ledger/core';
import type { ChainFile } from './chain-file.ts';
import { orNull } from './chain-top.ts';
import type { LocalState } from './fetch-state.ts';

/** Buckets that differ of which every choice is tried: 1,024. */
export const differingMax = 10;
const leafCount = 65_536;

/** The state of a file as far as it can be read; null where nothing of it can. */
export function localStateOf(file: ChainFile): (LocalState & { readonly tree: StateTree }) | null {
  const tree = orNull(() => createStateTree(file.chain.entries));
  if (tree === null) return null;
  return {
    tree,
    partAt: (path): StatePart | null =>
      orNull(() => {
        const children = tree.childrenOf([...path].map((nibble) => Number.parseInt(nibble, 16)));
        if (children !== null) return { type: 'node', path, children };
        return path.length < stateBucketDepth ? null : { type: 'bucket', path, entries: file.stateRows(path) };
      }),
  };
}

/**
 * The buckets, of 65,536, that are to be taken from a peer's state so that the own root comes out; null when no choice gives it.
 *
 * @param theirs hashes of the peer's state by paths of 4 nibbles, where anything lies
 */
export function bucketsToMend(own: StateTree, root: Hash, theirs: ReadonlyMap<string, Hash>): number[] | null {
  const leaves = leavesOf(own);
  const differing: number[] = [];
  for (let bucket = 0; bucket < leafCount; bucket++) {
    const other = theirs.get(pathOf(bucket));
    const isSame =
      other === undefined ? isEmptyStatePart(stateBucketDepth, leaves[bucket]!) : equalBytes(other, leaves[bucket]!);
    if (!isSame) differing.push(bucket);
  }
  const empty = bucketHashOf([]);
  const rows = rowsOver(leaves);
  const withTheirs = (chosen: readonly number[]): boolean => {
    const changes = new Map(chosen.map((bucket) => [bucket, theirs.get(pathOf(bucket)) ?? empty]));
    return equalBytes(rootWith(rows, changes), root);
  };
  // All of them: the peer is at the same height, or nothing has changed that is not damaged as well.
  if (withTheirs(differing)) return differing;
  if (differing.length > differingMax) return null;
  for (let choice = 1; choice < 2 ** differing.length - 1; choice++) {
    const chosen = differing.filter((_, i) => (choice & (1 << i)) !== 0);
    if (withTheirs(chosen)) return chosen;
  }
  return null;
}

function leavesOf(tree: StateTree): Hash[] {
  const leaves: Hash[] = [];
  for (let above = 0; above < leafCount / 16; above++) {
    leaves.push(...tree.childrenOf([above >> 8, (above >> 4) & 15, above & 15])!);
  }
  return leaves;
}

/** All nodes, the leaves first and the root last. */
function rowsOver(leaves: readonly Hash[]): (readonly Hash[])[] {
  const rows = [leaves];
  for (let row = leaves; row.length > 1; row = rows.at(-1)!) {
    const above: Hash[] = [];
    for (let at = 0; at < row.length; at += 16) above.push(nodeHashOf(row.slice(at, at + 16)));
    rows.push(above);
  }
  return rows;
}

/** The root with some leaves changed: only what lies above them is hashed. */
function rootWith(rows: readonly (readonly Hash[])[], changes: ReadonlyMap<number, Hash>): Hash {
  let changed = changes;
  for (const row of rows.slice(0, -1)) {
    const above = new Map<number, Hash>();
    for (const index of changed.keys()) {
      const parent = index >> 4;
      if (above.has(parent)) continue;
      const children = row.slice(parent * 16, parent * 16 + 16).map((hash, i) => changed.get(parent * 16 + i) ?? hash);
      above.set(parent, nodeHashOf(children));
    }
    changed = above;
  }
  return changed.get(0) ?? rows.at(-1)![0]!;
}

export function pathOf(bucket: number): string {
  return bucket.toString(16).padStart(stateBucketDepth, '0');
}
