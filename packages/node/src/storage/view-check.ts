/**
 * The view, held against the chain that it is made from. No hash covers a row of view.db, so whoever reads one compares it with what it was
 * made from: the transaction's bytes, the leaf of an accepted one, the stored verdict on a rejected one. What an index leaves
 * out only a look at all of it tells (healing/view-lane.ts).
 */
import { decodeBatch, decodeTransaction, equalBytes, type KeyView, type Store } from '@cairn-ledger/core';
import type { ChainDb } from './chain-db.ts';
import { transactionNumberOf } from './transaction-place.ts';
import { decodeVerdicts, type Verdict } from './verdicts.ts';
import { nobody, signerOf, storedToView } from './view-block.ts';
import { type TransactionRow, type ViewBlock, type ViewDb, viewDamaged } from './view-db.ts';

export type RowCheck = {
  /** @throws StorageError where the row is not what the chain says; that an accepted one's leaf is its own, the caller knows */
  requireTrue(row: TransactionRow, bytes: Uint8Array): void;
  /** @throws StorageError where these are not the transactions of the block, each in its place */
  requireAll(height: number, rows: readonly TransactionRow[]): void;
};

export type CheckedChain = Pick<ChainDb, 'blockByHeight'> & {
  readonly store: Store;
  batchesOf(height: number): readonly (Uint8Array | { readonly bytes: Uint8Array })[];
};

/** Keys remembered; beyond, all are forgotten and read again. */
const keysRemembered = 10_000;

export function createRowCheck(chain: CheckedChain, view: Pick<ViewDb, 'transactionCountOf'>): RowCheck {
  const keys = new Map<string, KeyView | null>();
  let known: { readonly height: number; readonly verdicts: readonly Verdict[] } | null = null;

  function verdictsOf(height: number): readonly Verdict[] {
    if (known?.height === height) return known.verdicts;
    const stored = chain.blockByHeight(height);
    const verdicts = stored === null ? null : decodeVerdicts(stored.verdicts, view.transactionCountOf(height));
    if (verdicts === null) throw viewDamaged(`block ${height} has other transactions`);
    known = { height, verdicts };
    return verdicts;
  }

  function isSignerTrue(row: TransactionRow, bytes: Uint8Array, isKnown: boolean): boolean {
    if (keys.size > keysRemembered) keys.clear();
    const transaction = isKnown ? decodeTransaction(bytes) : null;
    const signer = transaction?.ok ? signerOf(chain.store, keys, transaction.value) : nobody;
    return row.account === signer.account && row.provenance === signer.provenance;
  }

  function isVerdictTrue(row: TransactionRow): boolean {
    if (row.leafIndex !== null) return row.code === 'ok' && row.message === null && row.isCounterUsed;
    const verdict = verdictsOf(row.height)[row.position];
    return (
      verdict !== undefined &&
      !verdict.isLeaf &&
      verdict.code === row.code &&
      verdict.message === row.message &&
      verdict.isCounterUsed === row.isCounterUsed
    );
  }

  return {
    requireTrue(row, bytes) {
      const isKnown = row.leafIndex !== null || verdictsOf(row.height)[row.position]?.isSignerKnown === true;
      if (isVerdictTrue(row) && isSignerTrue(row, bytes, isKnown)) return;
      throw viewDamaged(`transaction ${row.position} of block ${row.height} had another outcome`);
    },
    requireAll(height, rows) {
      let position = 0;
      for (const [place, held] of chain.batchesOf(height).entries()) {
        const bytes = held instanceof Uint8Array ? held : held.bytes;
        const batch = decodeBatch(bytes);
        if (!batch.ok) throw viewDamaged(`batch ${place} of block ${height} cannot be read`);
        for (const transaction of batch.value.transactions) {
          const at = rows[position]?.place;
          const isThere =
            at?.batch === place &&
            at.length === transaction.length &&
            equalBytes(bytes.subarray(at.offset, at.offset + at.length), transaction);
          if (!isThere) throw viewDamaged(`block ${height} has another transaction ${position}`);
          position++;
        }
      }
      if (position !== rows.length) throw viewDamaged(`block ${height} has ${position} transactions`);
    },
  };
}

/** As the view keeps the transactions of a block. */
export function rowsOfBlock({ height, transactions }: ViewBlock): TransactionRow[] {
  return transactions.map((transaction, position) => {
    const { id: _, batch, offset, length, readings: __, ...row } = transaction;
    return { ...row, height, position, place: { height, batch, offset, length } };
  });
}

/** What a block adds to the view, or why the view does not have it so. */
export function compareBlock(chain: ChainDb, view: ViewDb, height: number): ViewBlock | string {
  const stored = chain.blockByHeight(height);
  if (stored === null) return `block ${height} is missing`;
  const block = storedToView(chain, stored);
  const rows = view.transactionsOfBlock(height);
  const expected = rowsOfBlock(block);
  if (rows.length !== expected.length || !expected.every((row, position) => isSameRow(row, rows[position]!)))
    return `the view shows other transactions of block ${height} than the chain has`;
  const lost = block.transactions.findIndex((each, at) => !view.isIndexed(transactionNumberOf(height, at), each));
  return lost < 0 ? block : `nothing in the view leads to transaction ${lost} of block ${height}`;
}

function isSameRow(a: TransactionRow, b: TransactionRow): boolean {
  const [at, there] = [a.place, b.place];
  return (
    at.batch === there.batch &&
    at.offset === there.offset &&
    at.length === there.length &&
    a.leafIndex === b.leafIndex &&
    a.code === b.code &&
    a.message === b.message &&
    a.isCounterUsed === b.isCounterUsed &&
    a.account === b.account &&
    a.provenance === b.provenance
  );
}
