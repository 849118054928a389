/**
 * Makes of an executed block what it adds to the view: from the results of execution while they are fresh, and from
 * chain.db later. Both ways give the same rows.
 */
import {
  accountOf,
  assert,
  decodeBatch,
  decodeTransaction,
  type KeyView,
  type MalformedTransaction,
  type Provenance,
  readingSourceOf,
  readKey,
  type Store,
  sha256,
  type Transaction,
  type TransactionResult,
} from '@cairn-ledger/core';
import type { ChainDb, StoredBlock } from './chain-db.ts';
import { StorageError } from './storage-error.ts';
import { decodeVerdicts, type Verdict, verdictOf } from './verdicts.ts';
import type { ViewBlock, ViewTransaction } from './view-db.ts';

/** A batch with what stands in it; the bytes of each transaction are views of `bytes`. */
export type OpenedBatch = {
  readonly bytes: Uint8Array;
  readonly transactions: readonly (Transaction | MalformedTransaction)[];
};

export type ExecutedBlock = {
  readonly height: number;
  readonly digest: Uint8Array;
  readonly batches: readonly OpenedBatch[];
  /** One for each transaction, in order. */
  readonly results: readonly TransactionResult[];
  /** Leaves of the history tree before this block. */
  readonly historySizeBefore: number;
};

export type Signer = { readonly account: string | null; readonly provenance: Provenance | null };
export const nobody: Signer = { account: null, provenance: null };

export function executedToView(block: ExecutedBlock): ViewBlock {
  return toView(block, block.results.map(verdictOf), (_, position) => {
    const { member, device, provenance } = block.results[position]!;
    if (member === undefined) return nobody;
    return { account: device === undefined ? member : accountOf(member, device), provenance: provenance ?? null };
  });
}

/** @throws StorageError `storage.damaged` when what is stored does not belong together */
export function storedToView(chain: ChainDb, stored: StoredBlock): ViewBlock {
  const batches = chain.batchesOf(stored.height).map(({ bytes }) => openBatch(bytes, stored.height));
  const count = batches.reduce((total, batch) => total + batch.transactions.length, 0);
  const verdicts = decodeVerdicts(stored.verdicts, count);
  if (verdicts === null) throw damaged(stored.height, 'verdicts');
  const historySizeBefore = chain.historySizeAt(stored.height - 1);
  const keys = new Map<string, KeyView | null>();
  return toView({ ...stored, batches, historySizeBefore }, verdicts, (transaction, position) => {
    if (!verdicts[position]!.isSignerKnown || 'malformed' in transaction) return nobody;
    return signerOf(chain.store, keys, transaction);
  });
}

/** What stands in an encoded batch, with malformed transactions as such. */
export function openBatch(bytes: Uint8Array, height: number): OpenedBatch {
  const batch = decodeBatch(bytes);
  if (!batch.ok) throw damaged(height, 'a batch');
  const transactions = batch.value.transactions.map((transaction): Transaction | MalformedTransaction => {
    const decoded = decodeTransaction(transaction);
    return decoded.ok ? decoded.value : { malformed: transaction, id: sha256(transaction) };
  });
  return { bytes, transactions };
}

function toView(
  block: Omit<ExecutedBlock, 'results'>,
  verdicts: readonly Verdict[],
  signerAt: (transaction: Transaction | MalformedTransaction, position: number) => Signer,
): ViewBlock {
  const rows: ViewTransaction[] = [];
  let leafIndex = block.historySizeBefore;
  for (const [batch, { bytes: batchBytes, transactions }] of block.batches.entries()) {
    for (const transaction of transactions) {
      const position = rows.length;
      const { code, message, isLeaf, isCounterUsed } = verdicts[position]!;
      const bytes = 'malformed' in transaction ? transaction.malformed : transaction.bytes;
      assert(bytes.buffer === batchBytes.buffer, 'the bytes of a transaction are a view of its batch');
      const summary = 'malformed' in transaction || !isLeaf ? null : transaction.summary;
      rows.push({
        id: transaction.id,
        batch,
        offset: bytes.byteOffset - batchBytes.byteOffset,
        length: bytes.length,
        leafIndex: isLeaf ? leafIndex : null,
        code,
        message,
        isCounterUsed,
        ...signerAt(transaction, position),
        readings: summary === null || summary.readingsCount === 0 ? null : { ...summary, count: summary.readingsCount },
      });
      if (isLeaf) leafIndex += 1;
    }
  }
  assert(rows.length === verdicts.length, 'every transaction of a block has a verdict');
  return { height: block.height, digest: block.digest, transactions: rows };
}

/**
 * The same as execution told. A kid never changes hands, so the present state knows who signed then.
 *
 * @param keys those read before
 */
export function signerOf(store: Store, keys: Map<string, KeyView | null>, { header, body }: Transaction): Signer {
  const name = Buffer.from(header.kid).toString('latin1');
  if (!keys.has(name)) keys.set(name, readKey(store, header.kid));
  const key = keys.get(name) ?? null;
  if (key === null) return nobody;
  const source = body.senml === undefined ? null : readingSourceOf(key, header.sub);
  if (source?.ok) {
    const { member, device, provenance } = source.value;
    return { account: accountOf(member, device), provenance };
  }
  return { account: key.device === null ? key.member : accountOf(key.member, key.device), provenance: null };
}

function damaged(height: number, what: string): StorageError {
  return new StorageError('storage.damaged', `${what} of block ${height} cannot be read: repair it from peers`);
}
