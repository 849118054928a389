/**
 * The batches a replica knows: its own sequence, everybody's chains, acknowledgements, what is pending, and relaying what
 * others lack (protocol.md section 2).
 */
import { equalBytes } from '../../bytes/hex.ts';
import { type Batch, createBatch } from '../../model/batch.ts';
import type { BatchReference, Block } from '../../model/block.ts';
import { type Hash, type Height, toHeight, toValidatorIndex, type ValidatorIndex } from '../../model/brands.ts';
import type { AcknowledgementRow } from '../../model/message.ts';
import { assert } from '../../result.ts';
import {
  acknowledgeAfterMs,
  retryMs,
  sealAfterMaxMs,
  sealAfterMs,
  sealBytes,
  sealTransactions,
  unorderedBatchesMax,
  unorderedBytesMax,
} from '../constants.ts';
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
  dropSealedAgain,
  type HeldBatch,
  heldInOrder,
  reachDigest,
  whoLacks,
} from './author-chain.ts';
import { type Floors, listBatches } from './listing.ts';
import type { Pending } from './pending.ts';

/** Finalized heights between two sweeps for batches that nobody needs any more. */
const sweepHeights = 16;

/** Numbers above the executed floor that a restart may bring back: more than any node was ever ahead of its ledger. */
const restoredAheadMax = 1 << 16;

type Waiting = { readonly transactions: Uint8Array[]; bytes: number; sinceMs: number };

export class BatchBook {
  readonly chains: AuthorChain[];
  /** Every batch held, by digest: unlisted ones, and listed ones until they are executed and retired. */
  readonly #byDigest = new Map<string, Batch>();
  readonly #context: ReplicaContext;
  readonly #waiting: Waiting = { transactions: [], bytes: 0, sinceMs: 0 };
  #ownSeq: number;
  #ownDigest: Uint8Array;
  /** Lowest own number whose transactions were not sealed again. */
  #ownBase = 1;
  #isSealing = false;
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
    this.#ownSeq = floors[context.self]?.seq ?? 0;
    this.#ownDigest = floors[context.self]?.digest ?? new Uint8Array(0);
  }

  /** The own chain; null where this node is no validator of the set, and so seals nothing. */
  get #own(): AuthorChain | null {
    return this.chains[this.#context.self] ?? null;
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

  /** Bytes of transactions admitted here that no batch holds yet. */
  get waitingBytes(): number {
    return this.#waiting.bytes;
  }

  addTransactions(transactions: readonly Uint8Array[]): void {
    if (this.#waiting.transactions.length === 0) this.#waiting.sinceMs = this.#context.now.ms;
    for (const transaction of transactions) {
      this.#waiting.transactions.push(transaction);
      this.#waiting.bytes += transaction.length;
    }
  }

  /** Seals waiting transactions where time, size or count says so, and own unordered batches leave room. */
  sealDue(): void {
    const own = this.#own;
    while (own !== null && !this.#isSealing && this.#waiting.transactions.length > 0 && this.#context.maySign) {
      const { transactions, bytes, sinceMs } = this.#waiting;
      const isDue =
        bytes >= sealBytes ||
        transactions.length >= sealTransactions ||
        this.#context.now.ms >= sinceMs + this.#sealDelayMs();
      if (!isDue || own.held.size >= unorderedBatchesMax || own.heldBytes >= unorderedBytesMax) return;
      this.#seal(this.#takeWaiting());
    }
  }

  /** Longer while own batches wait to be ordered: under load fewer and fuller ones cost everybody less. */
  #sealDelayMs(): number {
    const waiting = this.#own?.held.size ?? 0;
    return Math.min(sealAfterMs * (1 + waiting), sealAfterMaxMs);
  }

  #takeWaiting(): Uint8Array[] {
    const { transactions } = this.#waiting;
    let count = 0;
    let bytes = 0;
    while (
      count < transactions.length &&
      count < sealTransactions &&
      (count === 0 || bytes + transactions[count]!.length <= sealBytes)
    ) {
      bytes += transactions[count]!.length;
      count++;
    }
    this.#waiting.bytes -= bytes;
    this.#waiting.sinceMs = this.#context.now.ms;
    return transactions.splice(0, count);
  }

  #seal(transactions: Uint8Array[]): void {
    const batch = createBatch(
      {
        epoch: this.#context.set.epoch,
        author: this.#context.self,
        seq: this.#ownSeq + 1,
        base: Math.max(this.#ownBase, 1),
        previous: this.#ownDigest,
        expiryHeight: toHeight(this.#context.finalizedHeight() + this.#context.constants.retentionHeights),
      },
      transactions,
    );
    this.#ownSeq = batch.header.seq;
    this.#ownDigest = batch.digest;
    // The next one waits until this one is durable and signed: one seal is under way at a time.
    this.#isSealing = true;
    this.#context.emit({ type: 'seal', batch });
  }

  onOwnBatch(batch: Batch): void {
    // It was being signed when its epoch ended.
    if (batch.header.epoch !== this.#context.set.epoch) return this.addTransactions(batch.transactions);
    this.#isSealing = false;
    // What stood below it expired while it was being signed: nobody may list it any more.
    if (batch.header.seq < this.#ownBase) return this.addTransactions(batch.transactions);
    this.#hold(batch);
    this.#noteProgress();
  }

  /** Takes in a batch from the journal: durable before this start. */
  restore(batch: Batch): void {
    if (batch.header.epoch !== this.#context.set.epoch) return;
    if (batch.header.author === this.#context.self && batch.header.seq > this.#ownSeq) {
      this.#ownSeq = batch.header.seq;
      this.#ownDigest = batch.digest;
      this.#ownBase = Math.max(this.#ownBase, batch.header.base);
    }
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
    // Held on, they would expire once more, and take those above the base with them, which may still be listed.
    if (this.#own !== null) {
      const { dropped, left } = dropSealedAgain(this.#own, this.#ownBase);
      this.#forgetUnordered(dropped);
      this.addTransactions(left);
    }
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
    // Peers relay own batches back that were sealed again above the own base.
    if (header.author === this.#context.self && header.seq < this.#ownBase) return false;
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
    const own = this.#own;
    if (own !== null && own.floor > this.#ownSeq) {
      this.#ownSeq = own.floor;
      this.#ownDigest = own.floorDigest!;
    }
    this.#sealExpiredAgain(block.header.height);
    if (block.header.height % sweepHeights === 0) this.#sweep(block.header.height);
    this.#noteProgress();
  }

  #forgetUnordered(batches: readonly Batch[]): void {
    for (const { digest } of batches) {
      const name = nameOf(digest);
      if (!this.#ordered.has(name)) this.#byDigest.delete(name);
    }
  }

  /** Own batches that can't be listed any more: their transactions are sealed again, above a new base. */
  #sealExpiredAgain(height: Height): void {
    const own = this.#own;
    const first = own === null ? undefined : heldInOrder(own)[0]?.batch;
    if (own === null || first === undefined || first.header.expiryHeight > height) return;
    const batches = heldInOrder(own).map(({ batch }) => batch);
    for (const { transactions } of batches) this.addTransactions(transactions);
    this.#forgetUnordered(batches);
    own.held.clear();
    own.heldBytes = 0;
    own.inOrder = null;
    this.#ownBase = this.#ownSeq + 1;
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

  /** What this node has been handed and no block of the epoch lists: to be sealed again, or handed over, in the next one. */
  leftovers(): Uint8Array[] {
    return [...this.unlisted().flatMap((batch) => batch.transactions), ...this.#waiting.transactions];
  }

  /** Own batches above the finalized floor, in order. */
  unlisted(): Batch[] {
    return this.#own === null ? [] : heldInOrder(this.#own).map(({ batch }) => batch);
  }

  /** Highest own number that this node knows of: sealed, or listed by a finalized block. */
  get ownSeq(): number {
    return this.#ownSeq;
  }

  /** Whether a batch of its own that a peer shows is one that this node remembers, or one that nobody lists any more. */
  remembers(seq: number, digest: Hash): boolean {
    if (seq <= (this.#own?.floor ?? 0)) return true;
    const held = this.#own?.held.get(seq)?.batch;
    return seq <= this.#ownSeq && (held === undefined || equalBytes(held.digest, digest));
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
    let at = Number.POSITIVE_INFINITY;
    const own = this.#own;
    const hasRoom = own !== null && own.held.size < unorderedBatchesMax && own.heldBytes < unorderedBytesMax;
    if (this.#waiting.transactions.length > 0 && !this.#isSealing && hasRoom && this.#context.maySign) {
      at = this.#waiting.sinceMs + this.#sealDelayMs();
    }
    if (this.#acknowledgeSinceMs !== null && this.#context.maySign)
      at = Math.min(at, this.#acknowledgedAtMs + acknowledgeAfterMs);
    return at;
  }

  /** When pending batches are next to be relayed, or the vector repeated. */
  relayDeadline({ batches }: Pending): number {
    if (batches.length === 0 || !this.#context.maySign) return Number.POSITIVE_INFINITY;
    return Math.min(this.#vectorAtMs + retryMs(this.#context.constants), this.#relayDueMs(batches));
  }
}
