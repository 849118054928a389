/**
 * The tiles of the history tree held against a signed root, from the right edge upwards and then down level by level: each full tile
 * must have the root that the tile above has for it. What differs is fetched.
 */
import {
  equalBytes,
  fullTileRoot,
  isRightEdge,
  rightEdgeOf,
  type Tile,
  type TilePlace,
  tilePlacesMax,
  toHash,
} from '@cairn-ledger/core';
import { orNull } from './chain-top.ts';
import { fetchRightEdge } from './fetch-history.ts';
import { isNothing, isTrue, isWrong, type Peers } from './peers.ts';

export type TileMend = {
  readonly size: number;
  readonly root: Uint8Array;
  /** Leaves below this one are not held here, and need not be. */
  readonly firstLeaf: number;
  readonly read: (level: number, index: number) => Uint8Array | null;
  /** Told each tile that is true; `isFetched` where the stored one was not. */
  readonly onTile: (tile: Tile, isFetched: boolean) => void;
  /** Told each tile that is damaged, before it is fetched. */
  readonly onDamage: (place: TilePlace) => void;
  /** Null: damage is only told. */
  readonly peers: Peers | null;
};

const hashBytes = 32;
const tileHashes = 256;

/** False when something could not be had. */
export async function mendTiles(mend: TileMend): Promise<boolean> {
  const { size, root, read, onTile, onDamage, peers } = mend;
  const edge = rightEdgeOf(size);
  const stored = edge.flatMap(({ level, index, count }): Tile[] => {
    const hashes = orNull(() => read(level, index));
    return hashes === null || hashes.length !== count * hashBytes ? [] : [{ level, index, hashes }];
  });
  let top: readonly Tile[] = stored;
  const isEdgeTrue = isRightEdge(stored, size, toHash(root));
  if (!isEdgeTrue) {
    const fetched = peers === null ? null : await fetchRightEdge(size, toHash(root), peers);
    for (const place of edge) {
      const own = stored.find(({ level }) => level === place.level);
      const other = fetched?.find(({ level }) => level === place.level);
      if (other === undefined || own === undefined || !equalBytes(own.hashes, other.hashes)) onDamage(place);
    }
    if (fetched === null) return false;
    top = fetched;
  }
  for (const tile of top) onTile(tile, !isEdgeTrue);
  let isWhole = true;
  const levels = Math.max(0, ...edge.map(({ level }) => level));
  /** Tiles of the level under way that are true, with children below. */
  let parents: readonly Tile[] = [];
  for (let level = levels; level >= 1; level--) {
    parents = [...parents, ...top.filter((tile) => tile.level === level)];
    const children: Tile[] = [];
    for (const parent of parents) {
      const mended = await mendChildren(parent, mend);
      isWhole &&= mended.isWhole;
      // Leaves have nothing below them, so they need not be kept.
      if (level > 1) children.push(...mended.tiles);
      // Others have their turn between tiles.
      await new Promise(setImmediate);
    }
    parents = children;
  }
  return isWhole;
}

async function mendChildren(parent: Tile, mend: TileMend): Promise<{ tiles: Tile[]; isWhole: boolean }> {
  const { size, firstLeaf, read, onTile, onDamage, peers } = mend;
  const tiles: Tile[] = [];
  const damaged: (TilePlace & { readonly root: Uint8Array })[] = [];
  const level = parent.level - 1;
  const leavesOfTile = tileHashes ** parent.level;
  for (let i = 0; i * hashBytes < parent.hashes.length; i++) {
    const index = parent.index * tileHashes + i;
    if ((index + 1) * leavesOfTile <= firstLeaf) continue;
    const expected = parent.hashes.subarray(i * hashBytes, (i + 1) * hashBytes);
    const hashes = orNull(() => read(level, index));
    const isFull = hashes?.length === tileHashes * hashBytes;
    if (isFull && equalBytes(fullTileRoot(hashes), expected)) {
      tiles.push({ level, index, hashes });
      onTile({ level, index, hashes }, false);
    } else {
      damaged.push({ level, index, root: expected });
      onDamage({ level, index });
    }
  }
  let isWhole = true;
  for (let from = 0; from < damaged.length; from += tilePlacesMax) {
    const wanted = damaged.slice(from, from + tilePlacesMax);
    const places = wanted.map(({ level: at, index }) => ({ level: at, index }));
    const fetched = await peers?.askAny({ type: 'request-tiles', size, places }, (answer) => {
      if (answer.type !== 'tiles' || answer.size !== size || answer.tiles === null) return isNothing;
      const { tiles: given } = answer;
      const areTrue =
        given.length === wanted.length &&
        given.every(
          ({ level: at, index, hashes }, i) =>
            at === level &&
            index === wanted[i]!.index &&
            hashes.length === tileHashes * hashBytes &&
            equalBytes(fullTileRoot(hashes), wanted[i]!.root),
        );
      return areTrue ? isTrue(given) : isWrong('tiles that do not have the root of the history');
    });
    if (fetched == null) isWhole = false;
    else
      for (const tile of fetched) {
        tiles.push(tile);
        onTile(tile, true);
      }
  }
  return { tiles, isWhole };
}
