/** Blocks by their digest, walking down a chain: one alone is asked for by itself, many in a row by pages of the chain. */
import {
  type Block,
  type Certificate,
  chainBlocksMax,
  equalBytes,
  type Hash,
  toHeight,
  toHex,
} from '@cairn-ledger/core';
import { epochOfHeight, fetchBlock, type KnownEpoch } from './known-epochs.ts';
import { isNothing, isTrue, type Peers } from './peers.ts';

export type BlockPages = {
  /** The block of a height that has this digest; null when no peer has it. */
  get(height: number, digest: Hash): Promise<Block | null>;
  /** What a page said to be the finalization of a block; not checked. */
  finalizationOf(digest: Hash): Certificate | null;
};

/** Blocks that are lacking so near to each other are had faster as a page than one by one. */
const nearMax = 16;

export function createBlockPages(peers: Peers, epochs: readonly KnownEpoch[]): BlockPages {
  let page: readonly Block[] = [];
  /** Of the pages of late. */
  const finalizations = new Map<string, Certificate>();
  let lastHeight = -1;

  async function fetchPage(height: number): Promise<void> {
    // A page is of one epoch.
    const from = Math.max(epochOfHeight(epochs, height).genesisHeight + 1, height - chainBlocksMax + 1);
    const answer = await peers.askAny({ type: 'request-chain', from: toHeight(from) }, (message) =>
      message.type === 'chain' && message.blocks[0]?.header.height === from ? isTrue(message) : isNothing,
    );
    page = answer?.blocks ?? [];
    const vote = answer?.finalization.vote;
    if (vote?.type !== 'finalize') return;
    if (finalizations.size > 16) finalizations.clear();
    finalizations.set(toHex(vote.proposal.digest), answer!.finalization);
  }

  const inPage = (height: number, digest: Hash): Block | null =>
    page.find((block) => block.header.height === height && equalBytes(block.digest, digest)) ?? null;

  return {
    async get(height, digest) {
      const isNear = lastHeight > height && lastHeight - height <= nearMax;
      lastHeight = height;
      const held = inPage(height, digest);
      if (held !== null) return held;
      if (isNear) await fetchPage(height);
      return inPage(height, digest) ?? (await fetchBlock(digest, peers));
    },
    finalizationOf: (digest) => finalizations.get(toHex(digest)) ?? null,
  };
}
