/**
 * What this node seals itself (protocol.md section 2): the transactions it was handed, its own sequence, and what has to be
 * sealed again. One that is no validator of the epoch seals nothing; what it was handed is told apart when the epoch ends.
 */
import { equalBytes } from '../../bytes/hex.ts';
import { type Batch, type BatchHeader, createBatch } from '../../model/batch.ts';
import { type Hash, type Height, toHeight } from '../../model/brands.ts';
import {
  sealAfterMaxMs,
  sealAfterMs,
  sealBytes,
  sealTransactions,
  unorderedBatchesMax,
  unorderedBytesMax,
} from '../constants.ts';
import type { ReplicaContext } from '../context.ts';
import { type AuthorChain, dropAll, dropSealedAgain, heldInOrder } from './author-chain.ts';

type Waiting = { readonly transactions: Uint8Array[]; bytes: number; sinceMs: number };

export class OwnBatches {
  readonly #context: ReplicaContext;
  /** The own chain; null where this node is no validator of the set. */
  readonly #chain: AuthorChain | null;
  readonly #waiting: Waiting = { transactions: [], bytes: 0, sinceMs: 0 };
  #seq: number;
  #digest: Uint8Array;
  /** Lowest own number whose transactions were not sealed again. */
  #base = 1;
  #isSealing = false;

  constructor(context: ReplicaContext, chain: AuthorChain | null) {
    this.#context = context;
    this.#chain = chain;
    this.#seq = chain?.floor ?? 0;
    this.#digest = chain?.floorDigest ?? new Uint8Array(0);
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

  // --- Sealing ------------------------------------------------------------------------------------------------------

  /** Seals waiting transactions where time, size or count says so, and own unordered batches leave room. */
  sealDue(): void {
    while (this.#maySeal) {
      const { transactions, bytes, sinceMs } = this.#waiting;
      const isDue =
        bytes >= sealBytes ||
        transactions.length >= sealTransactions ||
        this.#context.now.ms >= sinceMs + this.#sealDelayMs();
      if (!isDue) return;
      this.#seal(this.#takeWaiting());
    }
  }

  get #maySeal(): boolean {
    const chain = this.#chain;
    if (chain === null || this.#isSealing || this.#waiting.transactions.length === 0) return false;
    return this.#context.maySign && chain.held.size < unorderedBatchesMax && chain.heldBytes < unorderedBytesMax;
  }

  /** Longer while own batches wait to be ordered: under load fewer and fuller ones cost everybody less. */
  #sealDelayMs(): number {
    const waiting = this.#chain?.held.size ?? 0;
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
        seq: this.#seq + 1,
        base: Math.max(this.#base, 1),
        previous: this.#digest,
        expiryHeight: toHeight(this.#context.finalizedHeight() + this.#context.constants.retentionHeights),
      },
      transactions,
    );
    this.#seq = batch.header.seq;
    this.#digest = batch.digest;
    // The next one waits until this one is durable and signed: one seal is under way at a time.
    this.#isSealing = true;
    this.#context.emit({ type: 'seal', batch });
  }

  /** A batch is durable and signed. Whether blocks may list it; where not, its transactions wait to be sealed again. */
  onSealed({ header, transactions }: Batch): boolean {
    const isOfEpoch = header.epoch === this.#context.set.epoch;
    if (isOfEpoch) this.#isSealing = false;
    // It was being signed when its epoch ended; or what stood below it expired meanwhile: nobody may list it any more.
    const mayBeListed = isOfEpoch && header.seq >= this.#base;
    if (!mayBeListed) this.addTransactions(transactions);
    return mayBeListed;
  }

  /** When waiting transactions are next to be sealed. */
  deadline(): number {
    return this.#maySeal ? this.#waiting.sinceMs + this.#sealDelayMs() : Number.POSITIVE_INFINITY;
  }

  // --- Sealing again ------------------------------------------------------------------------------------------------

  /** Whether the transactions of an own batch were sealed again above it. Peers relay such ones back. */
  isSealedAgain({ author, seq }: BatchHeader): boolean {
    return author === this.#context.self && seq < this.#base;
  }

  /** Own batches that can't be listed any more: their transactions are sealed again, above a new base. Returns them. */
  sealExpiredAgain(height: Height): readonly Batch[] {
    const first = this.unlisted()[0];
    if (this.#chain === null || first === undefined || first.header.expiryHeight > height) return [];
    const batches = dropAll(this.#chain);
    for (const { transactions } of batches) this.addTransactions(transactions);
    this.#base = this.#seq + 1;
    return batches;
  }

  /** Own batches above the finalized floor, in order. */
  unlisted(): Batch[] {
    return this.#chain === null ? [] : heldInOrder(this.#chain).map(({ batch }) => batch);
  }

  /** What this node has been handed and no block of the epoch lists: to be sealed again, or handed over, in the next one. */
  leftovers(): Uint8Array[] {
    return [...this.unlisted().flatMap((batch) => batch.transactions), ...this.#waiting.transactions];
  }

  // --- What was sealed ----------------------------------------------------------------------------------------------

  /** A batch of this epoch from the journal. */
  restore({ header, digest }: Batch): void {
    if (header.author !== this.#context.self || header.seq <= this.#seq) return;
    this.#seq = header.seq;
    this.#digest = digest;
    this.#base = Math.max(this.#base, header.base);
  }

  /**
   * After all records: batches below the base wait no more. Held on, they would expire once more, and take those above the base with
   * them, which may still be listed. Returns them.
   */
  start(): readonly Batch[] {
    if (this.#chain === null) return [];
    const { dropped, left } = dropSealedAgain(this.#chain, this.#base);
    this.addTransactions(left);
    return dropped;
  }

  /** Finalized blocks may list own batches that this node does not know of. */
  onFloor(): void {
    const chain = this.#chain;
    if (chain === null || chain.floor <= this.#seq) return;
    this.#seq = chain.floor;
    this.#digest = chain.floorDigest!;
  }

  /** Whether a batch of its own that a peer shows is one that this node remembers, or one that nobody lists any more. */
  remembers(seq: number, digest: Hash): boolean {
    if (seq <= (this.#chain?.floor ?? 0)) return true;
    const held = this.#chain?.held.get(seq)?.batch;
    return seq <= this.#seq && (held === undefined || equalBytes(held.digest, digest));
  }
}
