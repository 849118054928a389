/** Heights in `meta` that say what a chain lacks: where it was founded on a certified state, and of which blocks it has no news. */
import { decodeShape, uintOf } from '@cairn-ledger/core';
import type { ChainStatements } from './chain-schema.ts';
import type { Database } from './database.ts';
import { newsKey } from './news-table.ts';
import { StorageError } from './storage-error.ts';

/** See `ChainDb.foundedHeight`. */
export function foundedHeightOf(database: Database, statements: ChainStatements): number {
  return metaHeightOf(database, statements, 'founded') ?? 0;
}

/** See `ChainDb.newsHeldFrom`. */
export function newsHeldFromOf(database: Database, statements: ChainStatements): number {
  const below = metaHeightOf(database, statements, 'founded') ?? metaHeightOf(database, statements, newsKey);
  return below === null ? 0 : below + 1;
}

function metaHeightOf(database: Database, statements: ChainStatements, key: string): number | null {
  const row = database.read('reading where the chain begins', () => statements.getMeta.get(key));
  if (row === undefined) return null;
  const height = decodeShape('storage.damaged', (row as { value: Uint8Array }).value, (value) =>
    uintOf(value, 'height'),
  );
  if (height.ok) return height.value;
  throw new StorageError('storage.damaged', 'where the chain begins cannot be read: repair it from peers');
}
