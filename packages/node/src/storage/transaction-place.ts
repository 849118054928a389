/**
 * Where a transaction lies. Everything here is a function of the chain, so chain.db and view.db name a transaction, and
 * its bytes, alike without asking each other.
 */
import { assert, decodeTransaction, sha256 } from '@cairn-ledger/core';

/** More than the 64 batches of 1,000 transactions that a block can list. */
const positionsPerBlock = 65_536;
export const batchesPerBlockMax = 64;

/** A slice of a batch as it is stored. */
export type TransactionPlace = {
  readonly height: number;
  /** Place of the batch in its block, 0-based. */
  readonly batch: number;
  /** In the bytes of the batch. */
  readonly offset: number;
  readonly length: number;
};

/** One number for height and position, ascending in the order of the chain. */
export function transactionNumberOf(height: number, position: number): number {
  assert(position >= 0 && position < positionsPerBlock, 'a position is below 65,536');
  const number = height * positionsPerBlock + position;
  assert(Number.isSafeInteger(number), 'a transaction number is a safe integer');
  return number;
}

export function heightOf(transactionNumber: number): number {
  return Math.floor(transactionNumber / positionsPerBlock);
}

export function positionOf(transactionNumber: number): number {
  return transactionNumber % positionsPerBlock;
}

export function batchIdOf(height: number, batch: number): number {
  assert(batch >= 0 && batch < batchesPerBlockMax, 'a block lists at most 64 batches');
  return height * batchesPerBlockMax + batch;
}

/** The id of anything that stands in a batch as a transaction; where it does not decode as one, SHA-256 of its bytes. */
export function transactionIdOf(bytes: Uint8Array): Uint8Array {
  const decoded = decodeTransaction(bytes);
  return decoded.ok ? decoded.value.id : sha256(bytes);
}
