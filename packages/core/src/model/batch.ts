/**
 * A batch: transactions that one validator has sealed, in its own numbered, signed sequence (protocol.md section 2).
 *
 * The signature and the digest cover the header alone; the header binds the transactions by a digest of their own. So a
 * proof that an author signed two batches with one number is two small headers.
 *
 *     Batch       = [ header: bstr .cbor BatchHeader, signature: bstr .size 64, [* transaction: bstr] ]
 *     BatchHeader = [ epoch, author, seq, base, previous: bstr .size 32 / empty, expiryHeight, count, transactionsDigest ]
 */
import { type Cbor, encodeCbor } from '../bytes/cbor.ts';
import { equalBytes } from '../bytes/hex.ts';
import { bytesOf, decodeShape, listOf, requireShape, tupleOf, uintOf } from '../bytes/shape.ts';
import { sha256 } from '../crypto/hash.ts';
import { type CairnError, fail, type Result } from '../result.ts';
import {
  type Epoch,
  type Hash,
  type Height,
  toEpoch,
  toHash,
  toHeight,
  toValidatorIndex,
  type ValidatorIndex,
} from './brands.ts';

export const batchTransactionsMax = 1000;
export const batchBytesMax = 1 << 20;
const transactionBytesMax = 65_535;

export type BatchHeader = {
  readonly epoch: Epoch;
  readonly author: ValidatorIndex;
  /** Number in the author's sequence of this epoch, from 1 without gaps. */
  readonly seq: number;
  /** All own numbers below this one may be passed over when listing: their transactions were sealed again. */
  readonly base: number;
  /** Digest of the author's batch before this one; empty for the first of an epoch. */
  readonly previous: Uint8Array;
  /** A block above this height may not list the batch. */
  readonly expiryHeight: Height;
  readonly transactionsCount: number;
  readonly transactionsDigest: Hash;
};

export type Batch = {
  readonly header: BatchHeader;
  /** The exact bytes the digest and the signature cover. */
  readonly headerBytes: Uint8Array;
  readonly digest: Hash;
  readonly signature: Uint8Array;
  readonly transactions: readonly Uint8Array[];
  /** Size of the encoded batch, in bytes: exact, since blocks are limited by it. */
  readonly sizeBytes: number;
};

export type UnsignedBatch = Omit<Batch, 'signature' | 'sizeBytes'>;

export function createBatch(
  fields: Omit<BatchHeader, 'transactionsCount' | 'transactionsDigest'>,
  transactions: readonly Uint8Array[],
): UnsignedBatch {
  const header: BatchHeader = {
    ...fields,
    transactionsCount: transactions.length,
    transactionsDigest: sha256(encodeCbor(transactions)),
  };
  const headerBytes = encodeBatchHeader(header);
  return { header, headerBytes, digest: sha256(headerBytes), transactions };
}

export function signBatch(batch: UnsignedBatch, signature: Uint8Array): Batch {
  const { headerBytes, transactions } = batch;
  let sizeBytes = 1 + sizeOfByteString(headerBytes.length) + sizeOfByteString(signature.length);
  sizeBytes += sizeOfHeader(transactions.length);
  for (const transaction of transactions) sizeBytes += sizeOfByteString(transaction.length);
  return { ...batch, signature, sizeBytes };
}

export function encodeBatch(batch: Batch): Uint8Array {
  return encodeCbor([batch.headerBytes, batch.signature, batch.transactions as Uint8Array[]]);
}

/** Decodes a batch and checks that the header is of these transactions; the author's signature is not checked here. */
export function decodeBatch(bytes: Uint8Array): Result<Batch, CairnError> {
  if (bytes.length > batchBytesMax)
    return fail({ code: 'batch.malformed', message: `a batch has at most ${batchBytesMax} bytes` });
  return decodeShape('batch.malformed', bytes, (value) => {
    const [headerValue, signatureValue, transactionsValue] = tupleOf(value, 3, 'batch');
    const headerBytes = bytesOf(headerValue!, 'header');
    const header = readBatchHeader(headerBytes);
    const transactions = listOf(transactionsValue!, batchTransactionsMax, 'transactions', (item) => {
      const transaction = bytesOf(item, 'transaction');
      requireShape(transaction.length <= transactionBytesMax, 'a transaction has at most 65,535 bytes');
      return transaction;
    });
    requireShape(transactions.length > 0, 'a batch holds at least one transaction');
    requireShape(header.transactionsCount === transactions.length, 'count differs from the transactions');
    // The transactions are the last item of the outer array, so their encoding is the tail of these bytes.
    const tail = bytes.subarray(1 + sizeOfByteString(headerBytes.length) + sizeOfByteString(64));
    requireShape(
      equalBytes(sha256(tail), header.transactionsDigest),
      'transactions digest differs from the transactions',
    );
    return {
      header,
      headerBytes,
      digest: sha256(headerBytes),
      signature: bytesOf(signatureValue!, 'signature', 64),
      transactions,
      sizeBytes: bytes.length,
    };
  });
}

function encodeBatchHeader(header: BatchHeader): Uint8Array {
  return encodeCbor([
    header.epoch,
    header.author,
    header.seq,
    header.base,
    header.previous,
    header.expiryHeight,
    header.transactionsCount,
    header.transactionsDigest,
  ]);
}

/** Reads header bytes inside a shape reader: failures surface as that reader's error. */
export function readBatchHeader(bytes: Uint8Array): BatchHeader {
  const decoded = decodeShape('batch.malformed', bytes, (value: Cbor): BatchHeader => {
    const fields = tupleOf(value, 8, 'batch header');
    const previous = bytesOf(fields[4]!, 'previous');
    requireShape(previous.length === 0 || previous.length === 32, 'previous must be empty or 32 bytes');
    const header: BatchHeader = {
      epoch: toEpoch(uintOf(fields[0]!, 'epoch')),
      author: toValidatorIndex(uintOf(fields[1]!, 'author', 65_535)),
      seq: uintOf(fields[2]!, 'seq'),
      base: uintOf(fields[3]!, 'base'),
      previous,
      expiryHeight: toHeight(uintOf(fields[5]!, 'expiryHeight')),
      transactionsCount: uintOf(fields[6]!, 'count', batchTransactionsMax),
      transactionsDigest: toHash(bytesOf(fields[7]!, 'transactions digest', 32)),
    };
    requireShape(header.seq >= 1 && header.base >= 1 && header.base <= header.seq, 'base must be from 1 to seq');
    requireShape((header.seq === 1) === (previous.length === 0), 'only the first batch has no previous');
    return header;
  });
  requireShape(decoded.ok, decoded.ok ? '' : decoded.error.message);
  return decoded.value;
}

function sizeOfByteString(length: number): number {
  return length + sizeOfHeader(length);
}

/** Size of a CBOR item's header with this argument; nothing here reaches 2^32. */
function sizeOfHeader(argument: number): number {
  if (argument < 24) return 1;
  return argument < 256 ? 2 : argument < 65_536 ? 3 : 5;
}
