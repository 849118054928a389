/**
 * Boundary blocks that lie below a chain founded from a snapshot, kept whole all the same: who joins later needs the block that
 * the present epoch began from, and there may be nobody left who has the chain below. They stand in one row of `meta`: CBOR
 * `[+ [header, body, finalization]]`, ascending by epoch.
 */
import {
  type Block,
  blockFromParts,
  bytesOf,
  type Cbor,
  decodeShape,
  encodeCbor,
  listOf,
  requireShape,
  tupleOf,
} from '@cairn-ledger/core';
import type { ChainStatements } from './chain-schema.ts';
import type { Database } from './database.ts';
import { StorageError } from './storage-error.ts';

export type KeptBoundary = {
  readonly block: Block;
  /** Encoded certificate, by the epoch that it ends. */
  readonly finalization: Uint8Array;
};

/** The key of their row in `meta`. */
export const boundariesKey = 'boundaries';
const keptMax = 4_096;

export function encodeBoundaries(boundaries: readonly KeptBoundary[]): Uint8Array {
  return encodeCbor(
    boundaries.map(({ block, finalization }): Cbor => [block.headerBytes, block.bodyBytes, finalization]),
  );
}

/** None where none are kept. Throws a StorageError, `storage.damaged` where they cannot be read. */
export function keptBoundariesOf(database: Database, statements: ChainStatements): KeptBoundary[] {
  const row = database.read('reading the boundaries', () => statements.getMeta.get(boundariesKey));
  if (row === undefined) return [];
  const decoded = decodeShape('storage.damaged', (row as { value: Uint8Array }).value, (value) =>
    listOf(value, keptMax, 'boundaries', readBoundary),
  );
  if (decoded.ok) return decoded.value;
  throw new StorageError('storage.damaged', 'the boundary blocks that are kept cannot be read: repair it from peers');
}

function readBoundary(value: Cbor): KeptBoundary {
  const [header, body, finalization] = tupleOf(value, 3, 'boundary');
  const block = blockFromParts(bytesOf(header!, 'header'), bytesOf(body!, 'body'));
  requireShape(block.ok, 'a block cannot be read');
  return { block: block.value, finalization: bytesOf(finalization!, 'finalization') };
}
