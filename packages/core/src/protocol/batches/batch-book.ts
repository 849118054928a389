/**
 * The batches a replica knows: everybody's chains, acknowledgements, what is pending, and relaying what others lack
 * (protocol.md section 2). Those it seals itself: own-batches.ts.
 */
import type { Batch } from '../../model/batch.ts';
import type { BatchReference, Block } from '../../model/block.ts';
import { type Hash, type Height, toValidatorIndex, type ValidatorIndex } from '../../model/brands.ts';
import type { AcknowledgementRow } from '../../model/message.ts';
import { assert } from '../../result.ts';
import { acknowledgeAfterMs, retryMs, unorderedBatchesMax, unorderedBytesMax } from '../constants.ts';
import type { ReplicaContext } from '../context.ts';
import { nameOf } from '../digest-name.ts';
import {
  type AuthorChain,
  acknowledge,
  acknowledgeOwn,
  addToChain,
  advanceFloor,
  createAuthorChain,
  dropExpired,
  type HeldBatch,
  heldInOrder,
  reachDigest,
  whoLacks,
} from './author-chain.ts';
import { type Floors, listBatches } from './listing.ts';
import { OwnBatches } from './own-batches.ts';
import type { Pending } from './pending.ts';

/** Finalized heights between two sweeps for batches that nobody needs any more. */
const sweepHeights = 16;

/** Numbers above the executed floor that a restart may bring back: more than any node was ever ahead of its ledger. */
const restoredAheadMax = 1 << 16;

export class BatchBook {
  readonly chains: AuthorChain[];
  readonly own: OwnBatches;
  /** Every batch held, by digest: unlisted ones, and listed ones until they are executed and retired. */
  readonly #byDigest = new Map<string, Batch>();
  readonly #context: ReplicaContext;
  /** Something to acknowledge since this moment; null when the last vector sent says all. */
  #acknowledgeSinceMs: number | null = null;
  #acknowledgedAtMs = Number.NEGATIVE_INFINITY;
  #vectorAtMs = Number.NEGATIVE_INFINITY;
  /** Digests that finalized blocks list, until they are executed. */
  readonly #ordered = new Set<string>();
  /** Digests of batches that stand in no author's chain: held only because a block lists them. */
  readonly #apart = new Set<string>();
  /** The last answer of `pending`, and when the first of it is to be relayed; null once anything in it may have changed. */
  #pending: { readonly floors: Floors; readonly height: Height; readonly answer: Pending } | null = null;
  #relayAtMs: number | null = null;

  constructor(context: ReplicaContext, floors: readonly { seq: number; digest: Hash | null }[]) {
    this.#context = context;
    this.chains = context.set.validators.map((_, i) =>
      createAuthorChain(
        toValidatorIndex(i),
        context.set.validators.length,
        floors[i]?.seq ?? 0,
        floors[i]?.digest ?? null,
      ),
    );
    this.own = new OwnBatches(context, this.chains[context.self] ?? null);
  }

  has(digest: Hash): boolean {
    return this.#byDigest.has(nameOf(digest));
  }

  get(digest: Hash): Batch | undefined {
    return this.#byDigest.get(nameOf(digest));
  }

  /** A batch that the caller knows to be held. */
  require(digest: Hash): Batch {
    const batch = this.get(digest);
    assert(batch !== undefined, 'listed batches are held before their block is checked');
    return batch;
  }

  onOwnBatch(batch: Batch): void {
    if (!this.own.onSealed(batch)) return;
    this.#hold(batch);
    this.#noteProgress();
  }

  /** Takes in a batch from the journal: durable before this start. */
  restore(batch: Batch): void {
    if (batch.header.epoch !== this.#context.set.epoch) return;
    this.own.restore(batch);
    const chain = this.chains[batch.header.author];
    // At or below the floor of what is executed no block lists it again.
    if (chain === undefined || batch.header.seq <= chain.floor || this.has(batch.digest)) return;
    // A batch that never fitted was held for a block alone. The rest has been acknowledged and is kept, whatever the limits.
    const isFar = !this.#expiresInTime(batch) || batch.header.seq > chain.floor + restoredAheadMax;
    if (isFar && batch.header.base < batch.header.seq && batch.header.author !== this.#context.self)
      this.#holdApart(batch);
    else this.#hold(batch);
  }

  /** After all records: what was restored is acknowledged, and so pending, again. */
  start(): void {
    this.#forgetUnordered(this.own.start());
    this.#noteProgress();
  }

  /** The author of a batch has been proven to have signed two with one number. */
  noteEquivocation(author: ValidatorIndex): void {
    const chain = this.chains[author];
    if (chain === undefined || chain.isEquivocating) return;
    chain.isEquivocating = true;
    this.#pending = null;
  }

  /** Whether a batch could be stored or prove something: asked before its signature is checked. */
  wants(batch: Batch, isWanted: boolean): boolean {
    const chain = this.chains[batch.header.author];
    if (chain === undefined || batch.header.epoch !== this.#context.set.epoch || this.has(batch.digest)) return false;
    if (isWanted || this.#fits(chain, batch)) return true;
    return chain.held.has(batch.header.seq) && !chain.isEquivocating;
  }

  /**
   * Takes in a batch from a peer.
   *
   * @param isWanted a block that this node follows lists it: kept whatever its number and the limits say, but outside the
   *   author's chain where it does not fit, and only as long as a block that lists it is held
   */
  receive(batch: Batch, isWanted: boolean): 'stored' | 'known' | 'dropped' {
    const { header } = batch;
    const chain = this.chains[header.author];
    if (header.epoch !== this.#context.set.epoch || chain === undefined) return 'dropped';
    if (this.has(batch.digest)) return 'known';
    const other = chain.held.get(header.seq)?.batch;
    if (other !== undefined && !chain.isEquivocating) {
      this.noteEquivocation(header.author);
      this.#context.prove({ type: 'batches', accused: header.author, first: other, second: batch });
    }
    const doesFit = this.#fits(chain, batch);
    if (!doesFit && !isWanted) return 'dropped';
    this.#context.emit({ type: 'persist', record: { type: 'batch', batch } });
    if (doesFit) this.#hold(batch);
    else this.#holdApart(batch);
    this.#noteProgress();
    return 'stored';
  }

  /** Whether an author's chain has room for a batch: its number is free and near, it can be listed in time, limits hold. */
  #fits(chain: AuthorChain, batch: Batch): boolean {
    const { header, sizeBytes } = batch;
    const finalizedHeight = this.#context.finalizedHeight();
    if (chain.held.has(header.seq) || header.seq <= chain.floor) return false;
    if (header.expiryHeight < finalizedHeight) return false;
    if (this.own.isSealedAgain(header)) return false;
    if (!this.#expiresInTime(batch)) return false;
    if (header.seq > chain.floor + 4 * unorderedBatchesMax && header.base < header.seq) return false;
    if (chain.held.size < unorderedBatchesMax && chain.heldBytes + sizeBytes <= unorderedBytesMax) return true;
    // What the chain needs next still finds some room, or what came early would block it.
    if (header.seq !== chain.reach + 1) return false;
    return chain.heldBytes <= 2 * unorderedBytesMax && chain.held.size < 2 * unorderedBatchesMax;
  }

  /** An honest author lets its batches expire; twice the span leaves room for nodes at different heights. */
  #expiresInTime({ header }: Batch): boolean {
    return header.expiryHeight <= this.#context.finalizedHeight() + 2 * this.#context.constants.retentionHeights;
  }

  #hold(batch: Batch): void {
    const chain = this.chains[batch.header.author]!;
    if (batch.header.seq <= chain.floor || chain.held.has(batch.header.seq)) return this.#holdApart(batch);
    this.#byDigest.set(nameOf(batch.digest), batch);
    addToChain(chain, batch, this.#context.now.ms);
    this.#pending = null;
  }

  #holdApart(batch: Batch): void {
    const name = nameOf(batch.digest);
    this.#byDigest.set(name, batch);
    this.#apart.add(name);
  }

  /** Forgets batches that are held only for blocks, unless one of these blocks lists them. */
  retain(blocks: Iterable<Block>): void {
    if (this.#apart.size === 0) return;
    const listed = new Set<string>();
    for (const block of blocks) for (const { digest } of block.batches) listed.add(nameOf(digest));
    for (const name of this.#apart) {
      if (listed.has(name) || this.#ordered.has(name)) continue;
      this.#apart.delete(name);
      this.#byDigest.delete(name);
    }
  }

  /** Bytes of those batches of a block that are held here. */
  heldBytesOf(block: Block): number {
    let bytes = 0;
    for (const { digest } of block.batches) bytes += this.get(digest)?.sizeBytes ?? 0;
    return bytes;
  }

  #noteProgress(): void {
    for (const chain of this.chains) {
      if (chain.reach > chain.acknowledged[this.#context.self]!) {
        this.#acknowledgeSinceMs ??= this.#context.now.ms;
      }
    }
  }

  /** How far the own copy reaches, author by author. */
  vector(): AcknowledgementRow[] {
    const rows: AcknowledgementRow[] = [];
    for (const chain of this.chains) {
      const digest = reachDigest(chain);
      if (chain.reach > 0 && digest !== null) rows.push({ author: chain.author, seq: chain.reach, digest });
    }
    return rows;
  }

  onAcknowledgement(from: ValidatorIndex, rows: readonly AcknowledgementRow[]): void {
    for (const { author, seq, digest } of rows) {
      const chain = this.chains[author];
      if (chain !== undefined) acknowledge(chain, from, seq, digest);
    }
  }

  /** Sends the own vector when something is new and the last one is long enough ago; again every tRetry while not idle. */
  acknowledgeDue(isIdle: boolean): void {
    if (!this.#context.maySign) return;
    const { ms } = this.#context.now;
    const isNew = this.#acknowledgeSinceMs !== null && ms >= this.#acknowledgedAtMs + acknowledgeAfterMs;
    const isRepeat = !isIdle && ms >= this.#vectorAtMs + retryMs(this.#context.constants);
    if (isNew || isRepeat) this.sendVector('all');
  }

  sendVector(to: 'all' | readonly ValidatorIndex[]): void {
    if (!this.#context.maySign) return;
    const rows = this.vector();
    if (to === 'all') {
      // The own acknowledgement counts like another's, once it is sent: everything it says is durable by then.
      for (const chain of this.chains) {
        if (acknowledgeOwn(chain, this.#context.self, this.#context.now.ms)) this.#pending = null;
      }
      this.#acknowledgedAtMs = this.#context.now.ms;
      this.#vectorAtMs = this.#context.now.ms;
      this.#acknowledgeSinceMs = null;
    }
    if (rows.length > 0)
      this.#context.emit({
        type: 'send',
        to,
        message: { type: 'acknowledgement', epoch: this.#context.set.epoch, rows },
      });
  }

  /** Batches this validator acknowledged that no block on a chain with these floors lists yet. */
  pending(floors: Floors, height: Height): Pending {
    const last = this.#pending;
    if (last !== null && last.floors === floors && last.height === height) return last.answer;
    const batches: HeldBatch[] = [];
    let sinceMs: number | null = null;
    for (const chain of this.chains) {
      if (chain.isEquivocating) continue;
      const floor = Math.max(floors[chain.author]!, chain.floor);
      const reached = chain.acknowledged[this.#context.self] ?? 0;
      for (const held of heldInOrder(chain)) {
        const { seq, expiryHeight } = held.batch.header;
        if (seq <= floor || seq > reached || expiryHeight < height) continue;
        batches.push(held);
        if (sinceMs === null || held.sinceMs < sinceMs) sinceMs = held.sinceMs;
      }
    }
    const answer = { batches, sinceMs };
    this.#pending = { floors, height, answer };
    this.#relayAtMs = null;
    return answer;
  }

  list(floors: Floors, height: Height): BatchReference[] {
    return listBatches(this.chains, floors, this.#context.set.epoch, height, this.#context.set.quorum);
  }

  /** Sends what has been pending for Delta, and again every tRetry, to those whose vector does not cover it. */
  relayDue({ batches }: Pending): void {
    const { ms } = this.#context.now;
    if (!this.#context.maySign || ms < this.#relayDueMs(batches)) return;
    for (const held of batches) {
      if (ms < this.#relayOfMs(held)) continue;
      held.relayedAtMs = ms;
      const { batch } = held;
      const chain = this.chains[batch.header.author]!;
      const lacking = whoLacks(chain, batch.header.seq).filter((peer) => peer !== this.#context.self);
      if (lacking.length > 0) this.#context.emit({ type: 'send', to: lacking, message: { type: 'batch', batch } });
    }
    this.#relayAtMs = null;
  }

  #relayOfMs({ sinceMs, relayedAtMs }: HeldBatch): number {
    const { constants } = this.#context;
    return relayedAtMs === null ? sinceMs + constants.deltaMs : relayedAtMs + retryMs(constants);
  }

  /** When the first of these is to be relayed. */
  #relayDueMs(batches: readonly HeldBatch[]): number {
    if (this.#relayAtMs === null) {
      this.#relayAtMs = Number.POSITIVE_INFINITY;
      for (const held of batches) this.#relayAtMs = Math.min(this.#relayAtMs, this.#relayOfMs(held));
    }
    return this.#relayAtMs;
  }

  /** Sends a peer that has just connected what it is not known to hold. */
  relayTo(peer: ValidatorIndex, { batches }: Pending): void {
    for (const { batch } of batches) {
      if (this.chains[batch.header.author]!.acknowledged[peer]! < batch.header.seq)
        this.#context.emit({ type: 'send', to: [peer], message: { type: 'batch', batch } });
    }
  }

  /** A block is finalized: its batches are ordered. They stay held until `retire`. */
  onFinalized(block: Block): void {
    this.#pending = null;
    for (const { digest } of block.batches) this.#ordered.add(nameOf(digest));
    for (const { author, seq, digest } of block.batches) {
      const chain = this.chains[author];
      if (chain !== undefined) this.#forgetUnordered(advanceFloor(chain, seq, digest));
    }
    this.own.onFloor();
    this.#forgetUnordered(this.own.sealExpiredAgain(block.header.height));
    if (block.header.height % sweepHeights === 0) this.#sweep(block.header.height);
    this.#noteProgress();
  }

  #forgetUnordered(batches: readonly Batch[]): void {
    for (const { digest } of batches) {
      const name = nameOf(digest);
      if (!this.#ordered.has(name)) this.#byDigest.delete(name);
    }
  }

  /** Forgets what no later block may list: expired, or at or below a finalized floor and not listed there. */
  #sweep(height: Height): void {
    for (const chain of this.chains) dropExpired(chain, height);
    for (const [name, { header }] of this.#byDigest) {
      const isDead = header.expiryHeight <= height || header.seq <= this.chains[header.author]!.floor;
      if (!isDead || this.#ordered.has(name)) continue;
      this.#byDigest.delete(name);
      this.#apart.delete(name);
    }
  }

  /** A block is executed and stored elsewhere: its batches need no place here any more. */
  retire(block: Block): void {
    for (const { digest } of block.batches) {
      const name = nameOf(digest);
      this.#ordered.delete(name);
      this.#apart.delete(name);
      this.#byDigest.delete(name);
    }
  }

  /** The batch of an author with the highest number that is held above the finalized floor; null where there is none. */
  highestOf(author: ValidatorIndex): Batch | null {
    const chain = this.chains[author];
    return chain === undefined ? null : (heldInOrder(chain).at(-1)?.batch ?? null);
  }

  /** Batches that must survive a restart: all that are held here. */
  held(): Iterable<Batch> {
    return this.#byDigest.values();
  }

  deadline(): number {
    if (this.#acknowledgeSinceMs !== null && this.#context.maySign)
      return Math.min(this.own.deadline(), this.#acknowledgedAtMs + acknowledgeAfterMs);
    return this.own.deadline();
  }

  /** When pending batches are next to be relayed, or the vector repeated. */
  relayDeadline({ batches }: Pending): number {
    if (batches.length === 0 || !this.#context.maySign) return Number.POSITIVE_INFINITY;
    return Math.min(this.#vectorAtMs + retryMs(this.#context.constants), this.#relayDueMs(batches));
  }
}
