/**
 * What this node holds of one author's batches in one epoch: their numbers, how far they reach without gaps, and how far
 * each validator has acknowledged them (protocol.md section 2).
 *
 * The first batch seen for a number stands; another one of the same number is kept only when a notarized block lists it,
 * and then replaces the chain from there on (`advanceFloor`).
 */
import { equalBytes, toHex } from '../../bytes/hex.ts';
import type { Batch } from '../../model/batch.ts';
import { type Hash, type Height, toValidatorIndex, type ValidatorIndex } from '../../model/brands.ts';

export type HeldBatch = {
  readonly batch: Batch;
  /** When it became pending here: covered by the own acknowledgement. Until then, when it came. Never set again. */
  sinceMs: number;
  isCovered: boolean;
  /** When it was last relayed; null before. */
  relayedAtMs: number | null;
};

type Acknowledged = { seq: number; readonly digest: Hash };

export type AuthorChain = {
  readonly author: ValidatorIndex;
  /** Highest number listed by a finalized block, and the digest of that batch (null before the first). */
  floor: number;
  floorDigest: Hash | null;
  /** Held batches above the floor, by number. */
  readonly held: Map<number, HeldBatch>;
  heldBytes: number;
  /** The held ones by ascending number; null when it must be sorted anew. */
  inOrder: readonly HeldBatch[] | null;
  /** Everything from the floor up to this number is held and linked. */
  reach: number;
  /** For each validator, how far its copy is known to reach along this chain. */
  readonly acknowledged: number[];
  /** Acknowledgements that can't be judged yet, since this node does not reach so far. */
  readonly unjudged: Map<ValidatorIndex, Acknowledged>;
  /** The author has signed two batches with one number. */
  isEquivocating: boolean;
};

export function createAuthorChain(
  author: ValidatorIndex,
  validatorsCount: number,
  floor: number,
  floorDigest: Hash | null,
): AuthorChain {
  return {
    author,
    floor,
    floorDigest,
    held: new Map(),
    heldBytes: 0,
    inOrder: null,
    reach: floor,
    acknowledged: new Array<number>(validatorsCount).fill(0),
    unjudged: new Map(),
    isEquivocating: false,
  };
}

/** Adds a batch whose number is free, and extends the reach. */
export function addToChain(chain: AuthorChain, batch: Batch, nowMs: number): void {
  chain.held.set(batch.header.seq, { batch, sinceMs: nowMs, isCovered: false, relayedAtMs: null });
  chain.heldBytes += batch.sizeBytes;
  chain.inOrder = null;
  extendReach(chain);
}

/** Held batches by ascending number. Numbers may lie far apart (`base`), so nobody counts through them. */
export function heldInOrder(chain: AuthorChain): readonly HeldBatch[] {
  chain.inOrder ??= [...chain.held.values()].sort((a, b) => a.batch.header.seq - b.batch.header.seq);
  return chain.inOrder;
}

/** Digest of the batch at the end of the reach; null when nothing has been reached yet. */
export function reachDigest(chain: AuthorChain): Hash | null {
  return digestAt(chain, chain.reach);
}

/** Records that a validator holds everything up to `seq`, if that is along this chain; judged later if it is too far. */
export function acknowledge(chain: AuthorChain, validator: ValidatorIndex, seq: number, digest: Hash): void {
  if (seq <= chain.floor) return;
  if (seq > chain.reach) {
    chain.unjudged.set(validator, { seq, digest });
    return;
  }
  const own = digestAt(chain, seq);
  if (own === null || !equalBytes(own, digest)) return;
  if (seq > chain.acknowledged[validator]!) chain.acknowledged[validator] = seq;
  const waiting = chain.unjudged.get(validator);
  if (waiting !== undefined && waiting.seq <= seq) chain.unjudged.delete(validator);
}

/** The own copy is acknowledged as far as it reaches: what it newly covers is pending from now on. */
export function acknowledgeOwn(chain: AuthorChain, self: ValidatorIndex, nowMs: number): boolean {
  const before = chain.acknowledged[self]!;
  if (before === chain.reach) return false;
  for (const held of heldInOrder(chain)) {
    if (held.isCovered || held.batch.header.seq > chain.reach) continue;
    held.isCovered = true;
    held.sinceMs = nowMs;
  }
  chain.acknowledged[self] = chain.reach;
  return true;
}

/** Forgets batches that no later block may list. Returns them. */
export function dropExpired(chain: AuthorChain, finalizedHeight: Height): Batch[] {
  const dropped: Batch[] = [];
  for (const [seq, { batch }] of chain.held) {
    if (batch.header.expiryHeight <= finalizedHeight) remove(chain, seq, batch, dropped);
  }
  return dropped;
}

/** Forgets all that is held. Returns it, in order. */
export function dropAll(chain: AuthorChain): Batch[] {
  const dropped: Batch[] = [];
  for (const { batch } of heldInOrder(chain)) remove(chain, batch.header.seq, batch, dropped);
  return dropped;
}

/**
 * Forgets batches below the base that their author has set since: their transactions were sealed again above it.
 *
 * @returns what was forgotten, in order, and the transactions of it that no batch held above the base has
 */
export function dropSealedAgain(chain: AuthorChain, base: number): { dropped: Batch[]; left: Uint8Array[] } {
  const dropped: Batch[] = [];
  for (const { batch } of heldInOrder(chain)) {
    if (batch.header.seq < base) remove(chain, batch.header.seq, batch, dropped);
  }
  if (dropped.length === 0) return { dropped, left: [] };
  const sealedAgain = new Set(heldInOrder(chain).flatMap(({ batch }) => batch.transactions.map(toHex)));
  const transactions = dropped.flatMap((batch) => batch.transactions);
  return { dropped, left: transactions.filter((transaction) => !sealedAgain.has(toHex(transaction))) };
}

/** How many validators are known to hold the batch with this number, and all before it. */
export function countAcknowledged(chain: AuthorChain, seq: number): number {
  let count = 0;
  for (const reached of chain.acknowledged) if (reached >= seq) count++;
  return count;
}

/** Who is not known to hold the batch with this number. */
export function whoLacks(chain: AuthorChain, seq: number): ValidatorIndex[] {
  return chain.acknowledged.flatMap((reached, i) => (reached < seq ? [toValidatorIndex(i)] : []));
}

/** A finalized block lists this batch: numbers up to it are done. Returns the batches that fell below the floor. */
export function advanceFloor(chain: AuthorChain, seq: number, digest: Hash): Batch[] {
  if (seq <= chain.floor) return [];
  const own = digestAt(chain, seq);
  const isOther = own !== null && !equalBytes(own, digest);
  chain.floor = seq;
  chain.floorDigest = digest;
  const dropped: Batch[] = [];
  for (const [number, { batch }] of chain.held) {
    if (number <= seq) remove(chain, number, batch, dropped);
  }
  if (isOther) {
    // What is held above links to the other branch: forget how far it reached, and how far others did.
    chain.acknowledged.fill(0);
    chain.reach = seq;
    for (const [number, { batch }] of chain.held) {
      if (number === seq + 1 && !equalBytes(batch.header.previous, digest)) remove(chain, number, batch, dropped);
    }
  }
  chain.reach = Math.max(chain.reach, seq);
  extendReach(chain);
  return dropped;
}

function remove(chain: AuthorChain, seq: number, batch: Batch, dropped: Batch[]): void {
  chain.held.delete(seq);
  chain.heldBytes -= batch.sizeBytes;
  chain.inOrder = null;
  dropped.push(batch);
}

function digestAt(chain: AuthorChain, seq: number): Hash | null {
  if (seq === chain.floor) return chain.floorDigest;
  return chain.held.get(seq)?.batch.digest ?? null;
}

function extendReach(chain: AuthorChain): void {
  for (;;) {
    const next = nextLinked(chain);
    if (next === null) break;
    chain.reach = next;
  }
  for (const [validator, { seq, digest }] of [...chain.unjudged]) {
    if (seq <= chain.reach) {
      chain.unjudged.delete(validator);
      acknowledge(chain, validator, seq, digest);
    }
  }
}

/** The number that continues the reach: the next one, or one whose `base` passes over what lies between. */
function nextLinked(chain: AuthorChain): number | null {
  const following = chain.held.get(chain.reach + 1)?.batch;
  if (following !== undefined) {
    const before = digestAt(chain, chain.reach);
    const isLinked = before === null ? chain.reach === 0 : equalBytes(following.header.previous, before);
    if (isLinked || following.header.base === following.header.seq) return following.header.seq;
    return null;
  }
  let lowest: number | null = null;
  for (const [seq, { batch }] of chain.held) {
    if (seq > chain.reach && batch.header.base === seq && (lowest === null || seq < lowest)) lowest = seq;
  }
  return lowest;
}
