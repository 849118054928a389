/**
 * Ledger thread: the device signatures of batches that arrived are checked before the block that lists them comes; a
 * little at a time, so that blocks go first. What is not checked by then is checked at once.
 *
 * Only the verdicts are kept until then. Decoding again, when the block comes, costs less than holding thousands of
 * decoded transactions, which the collector would copy about. Where verification threads do the checking, this only holds
 * the batches.
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
  readonly verdicts: Uint8Array;
  /** How many transactions are checked. */
  checkedCount: number;
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

/** Transactions checked before other work gets its turn: 1 to 2 ms. */
const sliceTransactions = 24;
/** Keys remembered; beyond, all are forgotten and read again. */
const keysMax = 20_000;

type Key = { readonly algorithm: KeyAlgorithm; readonly publicKey: Uint8Array };

/** @param onFailed what was thrown while checking ahead of a block, as by a read that fails */
export function createBatchPreparer(
  store: Store,
  verifier: Verifier,
  onFailed: (cause: unknown) => void = rethrow,
): BatchPreparer {
  const batches = new Map<string, Preparing>();
  const keys = new Map<string, Key>();
  const counters = { checked: 0, invalid: 0 };
  let isPlanned = false;

  function begin(bytes: Uint8Array, checks: boolean): Preparing {
    const decoded = decodeBatch(bytes);
    assert(decoded.ok, 'a batch was decoded before it was handed over');
    const count = decoded.value.transactions.length;
    return { batch: decoded.value, bytes, verdicts: new Uint8Array(count), checkedCount: checks ? 0 : count };
  }

  /** Checks up to `count` more transactions. */
  function advance(preparing: Preparing, count: number): void {
    const { batch, verdicts } = preparing;
    const end = Math.min(batch.transactions.length, preparing.checkedCount + count);
    for (; preparing.checkedCount < end; preparing.checkedCount++) {
      const decoded = decodeTransaction(batch.transactions[preparing.checkedCount]!);
      if (decoded.ok) verdicts[preparing.checkedCount] = check(decoded.value);
    }
  }

  /** The batch with its transactions; the rest of the checks is done at once, on what is decoded now. */
  function finish({ batch, bytes, verdicts, checkedCount }: Preparing): PreparedBatch {
    const transactions = batch.transactions.map((transaction, i): Transaction | MalformedTransaction => {
      const decoded = decodeTransaction(transaction);
      if (!decoded.ok) return { malformed: transaction, id: sha256(transaction) };
      if (i >= checkedCount) verdicts[i] = check(decoded.value);
      return decoded.value;
    });
    return { batch, bytes, transactions, verdicts };
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
        if (preparing.checkedCount === preparing.batch.transactions.length) continue;
        try {
          advance(preparing, sliceTransactions);
        } catch (cause) {
          return onFailed(cause);
        }
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
      return finish(preparing);
    },
    open: (bytes, checks) => finish(begin(bytes, checks)),
    forget: (digest) => void batches.delete(toHex(digest)),
  };
}

function rethrow(cause: unknown): never {
  throw cause;
}
