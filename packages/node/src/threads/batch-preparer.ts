/**
 * Ledger thread: batches that arrived are opened, and their device signatures checked, before the block that lists them
 * comes; a little at a time, so that blocks go first. What is not ready by then is finished at once.
 *
 * Where verification threads do the checking, their verdicts come with the block and this only opens the batches.
 */
import {
  assert,
  type Batch,
  decodeBatch,
  decodeTransaction,
  type KeyAlgorithm,
  type MalformedTransaction,
  readKey,
  type Store,
  sha256,
  type Transaction,
  toHex,
  type Verifier,
} from '@cairn-ledger/core';
import { verdict } from './messages.ts';

export type PreparedBatch = {
  readonly batch: Batch;
  readonly bytes: Uint8Array;
  readonly transactions: readonly (Transaction | MalformedTransaction)[];
  /** One byte for each transaction, see `verdict`. */
  readonly verdicts: Uint8Array;
};

type Preparing = {
  readonly batch: Batch;
  readonly bytes: Uint8Array;
  readonly transactions: (Transaction | MalformedTransaction)[];
  readonly verdicts: Uint8Array;
  readonly checks: boolean;
};

export type BatchPreparer = {
  /** @param checks whether to check device signatures here; else they count as unknown until verdicts come */
  add(bytes: Uint8Array, checks: boolean): void;
  /** Takes a batch out, ready; null when it was never added or is forgotten. */
  take(digest: Uint8Array): PreparedBatch | null;
  /** Opens a batch at once. */
  open(bytes: Uint8Array, checks: boolean): PreparedBatch;
  forget(digest: Uint8Array): void;
  readonly counters: { checked: number; invalid: number };
};

/** Transactions opened before other work gets its turn: 1 to 2 ms. */
const sliceTransactions = 24;
/** Keys remembered; beyond, all are forgotten and read again. */
const keysMax = 20_000;

type Key = { readonly algorithm: KeyAlgorithm; readonly publicKey: Uint8Array };

export function createBatchPreparer(store: Store, verifier: Verifier): BatchPreparer {
  const batches = new Map<string, Preparing>();
  const keys = new Map<string, Key>();
  const counters = { checked: 0, invalid: 0 };
  let isPlanned = false;

  function begin(bytes: Uint8Array, checks: boolean): Preparing {
    const batch = decodeBatch(bytes);
    assert(batch.ok, 'a batch was decoded before it was handed over');
    return {
      batch: batch.value,
      bytes,
      transactions: [],
      verdicts: new Uint8Array(batch.value.transactions.length),
      checks,
    };
  }

  /** Opens up to `count` more transactions; true when none is left. */
  function advance(preparing: Preparing, count: number): boolean {
    const { batch, transactions, verdicts, checks } = preparing;
    const end = Math.min(batch.transactions.length, transactions.length + count);
    for (let i = transactions.length; i < end; i++) {
      const bytes = batch.transactions[i]!;
      const decoded = decodeTransaction(bytes);
      transactions.push(decoded.ok ? decoded.value : { malformed: bytes, id: sha256(bytes) });
      if (decoded.ok && checks) verdicts[i] = check(decoded.value);
    }
    return end === batch.transactions.length;
  }

  function check({ header, signedBytes, signature }: Transaction): number {
    const key = keyOf(header.kid);
    if (key === null) return verdict.unknownKey;
    counters.checked++;
    if (verifier.verify(key.algorithm, key.publicKey, signedBytes, signature)) return verdict.valid;
    counters.invalid++;
    return verdict.invalid;
  }

  /** The key of a kid. It never stands for another one, so what was read once stays true. */
  function keyOf(kid: Uint8Array): Key | null {
    const name = toHex(kid);
    const known = keys.get(name);
    if (known !== undefined) return known;
    const record = readKey(store, kid);
    if (record === null) return null;
    if (keys.size >= keysMax) keys.clear();
    const key = { algorithm: record.algorithm, publicKey: record.publicKey.slice() };
    keys.set(name, key);
    return key;
  }

  function plan(): void {
    if (isPlanned) return;
    isPlanned = true;
    setImmediate(() => {
      isPlanned = false;
      for (const preparing of batches.values()) {
        if (preparing.transactions.length === preparing.batch.transactions.length) continue;
        advance(preparing, sliceTransactions);
        return plan();
      }
    });
  }

  return {
    counters,
    add(bytes, checks) {
      const preparing = begin(bytes, checks);
      batches.set(toHex(preparing.batch.digest), preparing);
      plan();
    },
    take(digest) {
      const name = toHex(digest);
      const preparing = batches.get(name);
      if (preparing === undefined) return null;
      batches.delete(name);
      advance(preparing, Number.POSITIVE_INFINITY);
      return preparing;
    },
    open(bytes, checks) {
      const preparing = begin(bytes, checks);
      advance(preparing, Number.POSITIVE_INFINITY);
      return preparing;
    },
    forget: (digest) => void batches.delete(toHex(digest)),
  };
}
