/**
 * From finalization to execution: completes the chain of finalized blocks, fetches their batches and hands them to the
 * ledger in order; a node far behind asks for pages of the finalized chain (protocol.md section 7).
 *
 * A page proves itself: its blocks are linked to what this node has, and its last one is finalized. A peer's claim about
 * a height is never believed.
 */
import { equalBytes } from '../../bytes/hex.ts';
import type { Block } from '../../model/block.ts';
import { type Hash, type Height, toHeight, type ValidatorIndex } from '../../model/brands.ts';
import type { Certificate } from '../../model/certificate.ts';
import type { Proposal } from '../../model/vote.ts';
import type { BlockTree } from '../agreement/block-tree.ts';
import type { BatchBook } from '../batches/batch-book.ts';
import type { ReplicaContext } from '../context.ts';
import type { ProvenFault } from '../effects.ts';
import type { Accountability } from '../guard/accountability.ts';
import { type EvidenceReader, freshProofs } from '../guard/block-evidence.ts';
import type { PeerActivity } from '../guard/peer-activity.ts';
import type { Fetcher } from './fetcher.ts';

/** Blocks handed to the ledger and not executed yet. */
const executingMax = 8;
/** Blocks whose batches are fetched ahead. */
const fetchAheadMax = 16;
/** Finalized blocks waiting here; no further page is asked for beyond. */
const queueMax = 256;

type Finalized = {
  readonly block: Block;
  finalization: Certificate | null;
  readonly misbehaviour: readonly ProvenFault[];
};

export class Delivery {
  readonly #context: ReplicaContext;
  readonly #tree: BlockTree;
  readonly #batches: BatchBook;
  readonly #fetcher: Fetcher;
  readonly #activity: PeerActivity;
  readonly #accountability: Accountability;
  readonly #proofsIn: EvidenceReader;
  /** Finalized blocks, in order, from the first one that is not delivered. */
  readonly #queue: Finalized[] = [];
  readonly #executing: Block[] = [];
  /** The highest finalization whose block, or an ancestor of it, is not known yet. */
  #target: { readonly certificate: Certificate; readonly digest: Hash } | null = null;
  #pageAskedAtMs = Number.NEGATIVE_INFINITY;
  #pageFromPeer = 0;
  #targetSinceMs = 0;
  executedHeight: Height;

  constructor(
    context: ReplicaContext,
    tree: BlockTree,
    batches: BatchBook,
    fetcher: Fetcher,
    activity: PeerActivity,
    accountability: Accountability,
    proofsIn: EvidenceReader,
    executedHeight: Height,
  ) {
    this.#context = context;
    this.#tree = tree;
    this.#batches = batches;
    this.#fetcher = fetcher;
    this.#activity = activity;
    this.#accountability = accountability;
    this.#proofsIn = proofsIn;
    this.executedHeight = executedHeight;
  }

  get isSyncing(): boolean {
    return this.#target !== null;
  }

  onFinalized(certificate: Certificate, proposal: Proposal): void {
    this.#target = { certificate, digest: proposal.digest };
    this.#targetSinceMs = this.#context.now.ms;
  }

  /**
   * Whether a page of the chain is of use: it continues the chain known here, or it was asked for and its blocks contradict
   * that chain. Asked before the finalization is verified.
   */
  wantsChain(blocks: readonly Block[], finalization: Certificate): boolean {
    const fresh = this.#freshPart(blocks, finalization);
    if (fresh.length === 0) return false;
    return this.#continues(fresh) ? this.#queue.length < queueMax : this.isSyncing && !this.#accountability.isForked;
  }

  /** The blocks of a page above the finalized chain known here, linked up to the one that the finalization names. */
  #freshPart(blocks: readonly Block[], { vote }: Certificate): readonly Block[] {
    const last = blocks.at(-1);
    if (last === undefined || vote.type !== 'finalize' || vote.proposal.epoch !== this.#context.set.epoch) return [];
    if (!equalBytes(last.digest, vote.proposal.digest)) return [];
    const first = blocks.findIndex((block) => block.header.height === this.#tree.root.height + 1);
    if (first < 0) return [];
    const fresh = blocks.slice(first);
    const isLinked = fresh.every((block, i) => i === 0 || equalBytes(block.header.parent, fresh[i - 1]!.digest));
    return isLinked ? fresh : [];
  }

  #continues(fresh: readonly Block[]): boolean {
    return equalBytes(fresh[0]!.header.parent, this.#tree.root.digest);
  }

  /** Takes in a page of the finalized chain; its finalization is verified. Returns whether it was of use. */
  onChain(blocks: readonly Block[], finalization: Certificate): boolean {
    if (!this.wantsChain(blocks, finalization)) return false;
    const fresh = this.#freshPart(blocks, finalization);
    if (!this.#continues(fresh)) {
      this.#accountability.onFork(finalization);
      return false;
    }
    const last = fresh.at(-1)!;
    for (const block of fresh) {
      this.#tree.add(block);
      this.#append(block, block === last ? finalization : null);
    }
    this.#pageAskedAtMs = Number.NEGATIVE_INFINITY;
    return true;
  }

  /** The next block is executed; returns it, null where it was not delivered from here. */
  onExecuted(height: Height): Block | null {
    this.executedHeight = height;
    const block = this.#executing.shift() ?? null;
    if (block !== null) this.#batches.retire(block);
    this.#tree.prune(toHeight(Math.min(height, this.#tree.root.height) - 1));
    return block;
  }

  /** Completes, fetches and delivers as far as possible. */
  react(): void {
    this.#followTarget();
    this.#fetchBatches();
    this.#deliver();
  }

  #followTarget(): void {
    if (this.#target === null) return;
    const { certificate, digest } = this.#target;
    if (equalBytes(digest, this.#tree.root.digest)) {
      this.#nameFinalization(certificate);
      this.#target = null;
      return;
    }
    const path = this.#tree.pathFromRoot(digest);
    if (path === null) {
      // The newest finalization is of a block that does not stand on the finalized ones. One below the root may well be
      // an ancestor of it: a node that lost its journal remembers more blocks than finalizations.
      const height = this.#tree.get(digest)?.header.height;
      if (height !== undefined && height >= this.#tree.root.height) this.#accountability.onFork(certificate);
      this.#target = null;
    } else if ('blocks' in path) {
      const last = path.blocks.at(-1)!;
      for (const block of path.blocks) this.#append(block, block === last ? certificate : null);
      this.#target = null;
    } else {
      const isNear = path.height !== null && path.height <= this.#tree.root.height + 3;
      const isNew = this.#context.now.ms < this.#targetSinceMs + this.#context.constants.deltaMs;
      if (isNear || (path.height === null && isNew)) this.#fetcher.want('block', path.missing, certificate.signers);
      else this.#askPage();
    }
  }

  /** A later finalization of the block at the root: remembered with it if it is not delivered yet. */
  #nameFinalization(certificate: Certificate): void {
    const last = this.#queue.at(-1);
    if (last !== undefined) last.finalization ??= certificate;
  }

  #append(block: Block, finalization: Certificate | null): void {
    const proofs = freshProofs(this.#tree.rootAccused, this.#proofsIn(block));
    const misbehaviour = proofs.map(({ accused, proof }) => ({ accused, kind: proof.type }));
    this.#tree.advance(block);
    this.#batches.onFinalized(block);
    this.#queue.push({ block, finalization, misbehaviour });
  }

  #askPage(): void {
    if (
      this.#queue.length >= queueMax ||
      this.#context.now.ms < this.#pageAskedAtMs + 2 * this.#context.constants.deltaMs
    )
      return;
    const count = this.#context.set.validators.length;
    for (let tried = 0; tried < count; tried++) {
      const peer = this.#pageFromPeer++ % count;
      if (peer === this.#context.self || !this.#activity.isConnected(peer as ValidatorIndex)) continue;
      this.#pageAskedAtMs = this.#context.now.ms;
      const from = toHeight(this.#tree.root.height + 1);
      this.#context.emit({ type: 'send', to: [peer as ValidatorIndex], message: { type: 'request-chain', from } });
      this.#context.emit({ type: 'report', fact: { type: 'syncing', from } });
      return;
    }
  }

  #fetchBatches(): void {
    for (const { block, finalization } of this.#queue.slice(0, fetchAheadMax)) {
      for (const { digest, author } of block.batches) {
        if (!this.#batches.has(digest)) this.#fetcher.want('batch', digest, finalization?.signers ?? [author]);
      }
    }
  }

  #deliver(): void {
    while (this.#executing.length < executingMax) {
      const next = this.#queue[0];
      if (next === undefined) return;
      const batches = next.block.batches.map((reference) => this.#batches.get(reference.digest));
      if (batches.some((batch) => batch === undefined)) return;
      this.#queue.shift();
      this.#executing.push(next.block);
      this.#context.emit({
        type: 'deliver',
        block: next.block,
        batches: batches.map((batch) => batch!),
        finalization: next.finalization,
        misbehaviour: next.misbehaviour,
      });
    }
  }

  deadline(): number {
    if (this.#target === null) return Number.POSITIVE_INFINITY;
    const { deltaMs } = this.#context.constants;
    return Math.max(this.#context.now.ms + deltaMs / 4, this.#pageAskedAtMs + 2 * deltaMs);
  }
}
