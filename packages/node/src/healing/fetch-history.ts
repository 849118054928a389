/** The right edge of the history tree, and the floors of authors: what a chain needs of its past to go on. */
import {
  type Block,
  chainBlocksMax,
  equalBytes,
  type FloorClaim,
  type Hash,
  isRightEdge,
  quorum,
  type Tile,
  toHeight,
  toHex,
} from '@cairn-ledger/core';
import type { Floor } from '../storage/chain-db.ts';
import { fetchBlock, type KnownEpoch } from './known-epochs.ts';
import { isNothing, isTrue, isWrong, type Peers } from './peers.ts';
import type { VerifiedSnapshot } from './verify-snapshot.ts';

/** Null when no peer has it. */
export function fetchRightEdge(size: number, root: Hash, peers: Peers): Promise<readonly Tile[] | null> {
  return peers.askAny({ type: 'request-tiles', size, places: [] }, (answer) => {
    if (answer.type !== 'tiles' || answer.size !== size || answer.tiles === null) return isNothing;
    const { tiles } = answer;
    return isRightEdge(tiles, size, root) ? isTrue(tiles) : isWrong('tiles that do not have the root of the history');
  });
}

/** Blocks looked through for the last batches of authors. */
export const floorBlocksMax = 1_024;

/**
 * The last batch of each author that the chain up to a snapshot lists in its epoch. No root covers these. So the chain is followed
 * down, block by block, each proven by the one above it, until every author's last batch has been seen, or the epoch's
 * beginning; that is near where authors are active. Of those silent for longer f+1 peers must say the same: they say it
 * whatever height they are at. Where they do not, the author's floor is told as 0, and a block that lists a batch of it
 * cannot be judged here until others have finalized it.
 */
export async function fetchFloors({ heights, next, height }: VerifiedSnapshot, peers: Peers): Promise<Floor[]> {
  if (next.genesisHeight >= height) return [];
  const seen = new Map<number, Floor>();
  const note = (block: Block): void => {
    // The last one of an author in a block counts, so lists are read backwards like blocks.
    for (const { author, seq, digest } of [...block.batches].reverse())
      if (!seen.has(author)) seen.set(author, { epoch: next.epoch, author, seq, digest });
  };
  let lowest = heights.at(-1)!.block;
  for (const { block } of [...heights].reverse()) {
    if (block.header.height <= next.genesisHeight) return sorted(seen);
    note(block);
    lowest = block;
  }
  const bottom = Math.max(next.genesisHeight, lowest.header.height - floorBlocksMax);
  for await (const block of blocksBelow(lowest, bottom, peers)) {
    note(block);
    lowest = block;
    if (seen.size === next.validators.length) break;
  }
  const isComplete = seen.size === next.validators.length || lowest.header.height === next.genesisHeight + 1;
  if (isComplete) return sorted(seen);
  for (const claim of await confirmedClaims(next, peers)) {
    const { author, seq, digest } = claim;
    if (!seen.has(author)) seen.set(author, { epoch: next.epoch, author, seq, digest });
  }
  return sorted(seen);
}

function sorted(floors: ReadonlyMap<number, Floor>): Floor[] {
  return [...floors.values()].sort((a, b) => a.author - b.author);
}

/**
 * The blocks under one, downwards to above `bottom`, each proven by the one above it; ends early where no peer has the next.
 */
export async function* blocksBelow(top: Block, bottom: number, peers: Peers): AsyncGenerator<Block> {
  let above = top;
  let page: readonly Block[] = [];
  while (above.header.height - 1 > bottom) {
    const height = above.header.height - 1;
    const digest = above.header.parent;
    let block = page.find((each) => each.header.height === height && equalBytes(each.digest, digest)) ?? null;
    if (block === null) {
      const from = Math.max(bottom + 1, height - chainBlocksMax + 1);
      page = (await fetchPage(from, peers)) ?? [];
      block = page.find((each) => equalBytes(each.digest, digest)) ?? (await fetchBlock(digest, peers));
    }
    if (block === null || block.header.height !== height) return;
    yield block;
    above = block;
  }
}

/** Not checked: what is taken of it is found by its digest. */
function fetchPage(from: number, peers: Peers): Promise<readonly Block[] | null> {
  return peers.askAny({ type: 'request-chain', from: toHeight(from) }, (answer) =>
    answer.type === 'chain' && answer.blocks[0]?.header.height === from ? isTrue(answer.blocks) : isNothing,
  );
}

/** The claims that f+1 peers make, in snapshots of whatever height in this epoch. */
async function confirmedClaims({ epoch, genesisHeight, validators }: KnownEpoch, peers: Peers): Promise<FloorClaim[]> {
  const answers = await peers.askAll({ type: 'request-snapshot', from: toHeight(genesisHeight + 1) }, (answer) =>
    answer.type === 'snapshot' && answer.snapshot !== null ? isTrue(answer.snapshot) : isNothing,
  );
  const needed = validators.length - quorum(validators.length) + 1;
  const counts = new Map<string, { readonly claim: FloorClaim; count: number }>();
  for (const { blocks, floors } of answers.values()) {
    if (blocks.at(-1)?.header.epoch !== epoch) continue;
    const byAuthor = new Map(floors.map((claim) => [claim.author, claim]));
    for (const claim of byAuthor.values()) {
      const name = `${claim.author}/${claim.seq}/${toHex(claim.digest)}`;
      const known = counts.get(name);
      if (known === undefined) counts.set(name, { claim, count: 1 });
      else known.count++;
    }
  }
  return [...counts.values()].flatMap(({ claim, count }) => (count >= needed ? [claim] : []));
}
