/**
 * Questions to the common view that need the bytes of transactions as well: a transaction by its id, the readings of a device
 * in order of time, the transactions of an account. Bytes come from chain.db and are checked against the history tree, so a
 * byte that changed on disk is noticed; whether the tree itself is right, a receipt tells.
 *
 * Pages continue by cursors, which name a place in the order and stay good while the chain grows.
 */
import {
  type CairnError,
  decodeTransaction,
  equalBytes,
  fail,
  leafHash,
  ok,
  type Provenance,
  type Reading,
  type Result,
  readingsOf,
  sha256,
} from '@cairn-ledger/core';
import type { ChainDb } from './chain-db.ts';
import { StorageError } from './storage-error.ts';
import { createStoredTransactions } from './stored-transactions.ts';
import { transactionIdOf } from './transaction-place.ts';
import { type CheckedChain, createRowCheck } from './view-check.ts';
import { comparePacks, type PackKey, type TransactionRow, type ViewDb, viewDamaged } from './view-db.ts';

export type FoundTransaction = TransactionRow & {
  readonly id: Uint8Array;
  /** Exactly as ordered. */
  readonly bytes: Uint8Array;
};

export type FoundReading = {
  readonly reading: Reading;
  readonly device: string;
  readonly provenance: Provenance;
  /** Id of the transaction that brought it. */
  readonly transaction: Uint8Array;
  readonly height: number;
  readonly position: number;
};

export type Page<T> = { readonly items: readonly T[]; readonly next: string | null };
/** Times in ms since 1970: from (inclusive), to (exclusive); null where there is no bound. */
export type ReadingsQuery = {
  readonly fromMs: number | null;
  readonly toMs: number | null;
  readonly limit: number;
  readonly cursor: string | null;
};

/** Rows of a series fetched at once. */
const packsAtOnceMax = 1000;
/** Transactions opened for one page. Only a device whose transactions all overlap in time can come near it. */
const packsOpenedMax = 20_000;

export type ViewQueries = ReturnType<typeof createViewQueries>;

type QueriedChain = Pick<ChainDb, 'batchPart' | 'tiles'> &
  CheckedChain & {
    /** Whether a block is executed, and what proves it is still to come: until then nothing of it is shown. Absent: none is. */
    awaitsProof?(height: number): boolean;
  };

export function createViewQueries(chain: QueriedChain, view: ViewDb) {
  const stored = createStoredTransactions(chain);
  const check = createRowCheck(chain, view);

  return {
    /**
     * The occurrence of a transaction whose verdict stands: the one that used up its counter, else the first one.
     *
     * @throws StorageError `storage.damaged` when a stored transaction is not the one that was written
     */
    transactionById(id: Uint8Array): FoundTransaction | null {
      const found = view
        .candidatesFor(id)
        .flatMap(openShown)
        .filter((candidate) => equalBytes(candidate.id, id));
      return found.find(({ isCounterUsed }) => isCounterUsed) ?? found[0] ?? null;
    },

    transactionAt(height: number, position: number): FoundTransaction | null {
      const row = view.transactionAt(height, position);
      return row === null ? null : (openShown(row)[0] ?? null);
    },

    /** In order of position. */
    transactionsOfBlock(height: number): FoundTransaction[] {
      const rows = view.transactionsOfBlock(height);
      check.requireAll(height, rows);
      return rows.map(open);
    },

    /** Newest first. Errors: `http.bad-cursor`. */
    transactionsOf(
      account: string,
      page: { limit: number; cursor: string | null },
    ): Result<Page<FoundTransaction>, CairnError> {
      const [before] = page.cursor === null ? [Number.MAX_SAFE_INTEGER] : (readCursor(page.cursor, 1) ?? []);
      if (before === undefined) return fail(badCursor);
      const accountId = view.accountId(account);
      const numbers = accountId === null ? [] : view.activity(accountId, before, page.limit + 1);
      const kept = numbers.slice(0, page.limit);
      const next = numbers.length > page.limit ? String(kept.at(-1)) : null;
      return ok({ items: kept.flatMap((number) => openShown(rowOf(number))), next });
    },

    /** In order of time; those of one millisecond in the order of the chain. Errors: `http.bad-cursor`, `http.too-dense`. */
    readings(device: string, query: ReadingsQuery): Result<Page<FoundReading>, CairnError> {
      const start = query.cursor === null ? null : (readCursor(query.cursor, 3) as Key | null);
      if (start === null && query.cursor !== null) return fail(badCursor);
      const accountId = view.accountId(device);
      if (accountId === null) return ok({ items: [], next: null });
      const range = {
        fromMs: Math.max(query.fromMs ?? 0, start?.[0] ?? 0),
        toMs: query.toMs ?? Number.MAX_SAFE_INTEGER,
      };
      const isWanted = (at: PlacedReading): boolean =>
        at.key[0] >= range.fromMs && at.key[0] < range.toMs && (start === null || compareKeys(at.key, start) > 0);
      return readPage(accountId, device, range, query.limit, isWanted);
    },
  };

  function readPage(
    accountId: number,
    device: string,
    range: { fromMs: number; toMs: number },
    limit: number,
    isWanted: (at: PlacedReading) => boolean,
  ): Result<Page<FoundReading>, CairnError> {
    /** Wanted readings of the packs opened so far. Those behind the last pack are not complete: packs to come may lie among them. */
    let ready: PlacedReading[] = [];
    let opened = 0;
    let completeCount = 0;
    for (let last: PackKey | null = null; ; ) {
      // Every pack has at least one reading: so many are always enough, unless they overlap.
      const countMax = Math.min(limit + 1 - completeCount, packsAtOnceMax);
      const packs: PackKey[] = view.packs(accountId, range, last, countMax);
      for (const pack of packs) for (const at of openPack(pack, device)) if (isWanted(at)) ready.push(at);
      ready = ready.sort((a, b) => compareKeys(a.key, b.key));
      opened += packs.length;
      last = packs.at(-1) ?? null;
      const isAll = packs.length < countMax;
      completeCount = isAll ? ready.length : countUpTo(ready, last!);
      if (isAll || completeCount > limit) {
        const items = ready.slice(0, Math.min(limit, completeCount));
        const next = completeCount > limit ? items.at(-1)!.key.join('-') : null;
        return ok({ items: items.map(({ found }) => found), next });
      }
      if (opened >= packsOpenedMax) return fail(tooDense);
    }
  }

  function openPack(pack: PackKey, device: string): PlacedReading[] {
    const { number } = pack;
    const row = rowOf(number);
    const [found] = openShown(row);
    if (found === undefined) return [];
    const { id, bytes, provenance, height, position } = found;
    const transaction = decodeTransaction(bytes);
    if (!transaction.ok) throw damaged(row);
    if (transaction.value.summary?.timeMinMs !== pack.fromMs || row.account !== device || row.leafIndex === null)
      throw viewDamaged(`readings of ${device} are not those of transaction ${row.position} of block ${row.height}`);
    return readingsOf(transaction.value, device).map((reading, index) => ({
      key: [reading.timeMs, number, index],
      found: { reading, device, provenance: provenance ?? 'device-signed', transaction: id, height, position },
    }));
  }

  function rowOf(number: number): TransactionRow {
    const row = view.byNumber(number);
    if (row === null) throw viewDamaged(`an index leads to transaction number ${number}`);
    return row;
  }

  /** None where the block has yet to be proven: the view has it a moment earlier. */
  function openShown(row: TransactionRow): FoundTransaction[] {
    return chain.awaitsProof?.(row.height) === true ? [] : [open(row)];
  }

  /** Adds the bytes. Those of an accepted transaction must be what the history tree has a leaf of. */
  function open(row: TransactionRow): FoundTransaction {
    const bytes = stored.bytesOf(row.place);
    if (bytes === null) throw damaged(row);
    if (row.leafIndex !== null) {
      const leaf = stored.leafAt(row.leafIndex);
      if (leaf === null || !equalBytes(leaf, leafHash(sha256(bytes)))) throw damaged(row);
    }
    check.requireTrue(row, bytes);
    return { ...row, id: transactionIdOf(bytes), bytes };
  }
}

/** Time, number of the transaction, place in its pack. */
type Key = readonly [timeMs: number, number: number, index: number];
type PlacedReading = { readonly key: Key; readonly found: FoundReading };

/** How many of the readings, which are in order, are not behind the pack. */
function countUpTo(readings: readonly PlacedReading[], pack: PackKey): number {
  const behind = readings.findIndex(({ key }) => comparePacks({ fromMs: key[0], number: key[1] }, pack) > 0);
  return behind === -1 ? readings.length : behind;
}

function compareKeys(a: Key, b: Key): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}

const badCursor: CairnError = {
  code: 'http.bad-cursor',
  message: 'the cursor is not one of this call: take it unchanged from `next` of the page before',
};
const tooDense: CairnError = {
  code: 'http.too-dense',
  message: `more than ${packsOpenedMax} transactions overlap at this time: ask for a later time`,
};

/** Numbers joined by `-`; null when the text is not a cursor of `count` numbers. */
function readCursor(text: string, count: number): readonly number[] | null {
  if (text.length > 64 || !/^\d+(-\d+)*$/.test(text)) return null;
  const numbers = text.split('-').map(Number);
  return numbers.length === count && numbers.every(Number.isSafeInteger) ? numbers : null;
}

function damaged({ height, position }: TransactionRow): StorageError {
  return new StorageError(
    'storage.damaged',
    `transaction ${position} of block ${height} cannot be read: repair it from peers`,
  );
}
