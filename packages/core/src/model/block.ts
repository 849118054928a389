/**
 * A block: a header, and a body that lists batches by digest (protocol.md section 3). The block's digest is the header's
 * and does not contain the view, so a block can be proposed again, unchanged, in a later view.
 *
 *     Block  = [ header: bstr .cbor Header, body: bstr .cbor Body ]
 *     Header = [ epoch, height, rules, parent, timeMs, batchesRoot, checkpoint: bstr .size 32, evidenceRoot, nextSet: bstr .size 32 / null ]
 *     Body   = [ [* [ author, seq, digest ]], [* evidence: bstr] ]
 */
import { encodeCbor } from '../bytes/cbor.ts';
import { equalBytes } from '../bytes/hex.ts';
import { bytesOf, decodeShape, listOf, requireShape, tupleOf, uintOf } from '../bytes/shape.ts';
import { sha256 } from '../crypto/hash.ts';
import type { CairnError, Result } from '../result.ts';
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

export const blockBatchesMax = 64;
export const blockBatchBytesMax = 4 << 20;
export const blockEvidenceMax = 16;
/** Bytes of one proof of fault in a block: two signed votes, batch headers or checkpoints take about half of it. */
export const evidenceBytesMax = 1024;

export type BatchReference = { readonly author: ValidatorIndex; readonly seq: number; readonly digest: Hash };

export type BlockHeader = {
  readonly epoch: Epoch;
  readonly height: Height;
  /** Number of the rule set this block is executed under. */
  readonly rules: number;
  readonly parent: Hash;
  /** Block time in milliseconds since 1970: the ledger's clock. */
  readonly timeMs: number;
  readonly batchesRoot: Hash;
  /** Digest of the certified checkpoint statement of height - L (of genesis while height <= L). */
  readonly checkpoint: Hash;
  readonly evidenceRoot: Hash;
  /** Digest of the next epoch's validator set, in a boundary block only. */
  readonly nextSet: Hash | null;
};

export type Block = {
  readonly header: BlockHeader;
  readonly batches: readonly BatchReference[];
  readonly evidence: readonly Uint8Array[];
  readonly headerBytes: Uint8Array;
  readonly bodyBytes: Uint8Array;
  readonly digest: Hash;
};

export function createBlock(
  fields: Omit<BlockHeader, 'batchesRoot' | 'evidenceRoot'>,
  batches: readonly BatchReference[],
  evidence: readonly Uint8Array[],
): Block {
  const header: BlockHeader = {
    ...fields,
    batchesRoot: batchesRootOf(batches),
    evidenceRoot: evidenceRootOf(evidence),
  };
  const headerBytes = encodeHeader(header);
  const bodyBytes = encodeCbor([batches.map(referenceToCbor), evidence as Uint8Array[]]);
  return { header, batches, evidence, headerBytes, bodyBytes, digest: sha256(headerBytes) };
}

export function encodeBlock(block: Block): Uint8Array {
  return encodeCbor([block.headerBytes, block.bodyBytes]);
}

/** Decodes a block and checks that its body is the one its header names. */
export function decodeBlock(bytes: Uint8Array): Result<Block, CairnError> {
  return decodeShape('block.malformed', bytes, (value) => {
    const [header, body] = tupleOf(value, 2, 'block');
    const decoded = blockFromParts(bytesOf(header!, 'header'), bytesOf(body!, 'body'));
    requireShape(decoded.ok, decoded.ok ? '' : decoded.error.message);
    return decoded.value;
  });
}

export function blockFromParts(headerBytes: Uint8Array, bodyBytes: Uint8Array): Result<Block, CairnError> {
  const header = decodeShape('block.malformed', headerBytes, (value): BlockHeader => {
    const fields = tupleOf(value, 9, 'block header');
    return {
      epoch: toEpoch(uintOf(fields[0]!, 'epoch')),
      height: toHeight(uintOf(fields[1]!, 'height')),
      rules: uintOf(fields[2]!, 'rules', 65_535),
      parent: toHash(bytesOf(fields[3]!, 'parent', 32)),
      timeMs: uintOf(fields[4]!, 'timeMs'),
      batchesRoot: toHash(bytesOf(fields[5]!, 'batches root', 32)),
      checkpoint: toHash(bytesOf(fields[6]!, 'checkpoint', 32)),
      evidenceRoot: toHash(bytesOf(fields[7]!, 'evidence root', 32)),
      nextSet: fields[8] === null ? null : toHash(bytesOf(fields[8]!, 'next set', 32)),
    };
  });
  if (!header.ok) return header;
  return decodeShape('block.malformed', bodyBytes, (value): Block => {
    const [batchesValue, evidenceValue] = tupleOf(value, 2, 'block body');
    const batches = listOf(batchesValue!, blockBatchesMax, 'batches', (item): BatchReference => {
      const [author, seq, digest] = tupleOf(item, 3, 'batch reference');
      return {
        author: toValidatorIndex(uintOf(author!, 'author', 65_535)),
        seq: uintOf(seq!, 'seq'),
        digest: toHash(bytesOf(digest!, 'digest', 32)),
      };
    });
    const evidence = listOf(evidenceValue!, blockEvidenceMax, 'evidence', (item) => {
      const proof = bytesOf(item, 'evidence');
      requireShape(proof.length <= evidenceBytesMax, `a proof of fault has at most ${evidenceBytesMax} bytes`);
      return proof;
    });
    requireShape(equalBytes(batchesRootOf(batches), header.value.batchesRoot), 'body differs from the batches root');
    requireShape(
      equalBytes(evidenceRootOf(evidence), header.value.evidenceRoot),
      'body differs from the evidence root',
    );
    return { header: header.value, batches, evidence, headerBytes, bodyBytes, digest: sha256(headerBytes) };
  });
}

function encodeHeader(header: BlockHeader): Uint8Array {
  return encodeCbor([
    header.epoch,
    header.height,
    header.rules,
    header.parent,
    header.timeMs,
    header.batchesRoot,
    header.checkpoint,
    header.evidenceRoot,
    header.nextSet,
  ]);
}

function referenceToCbor(reference: BatchReference): [number, number, Uint8Array] {
  return [reference.author, reference.seq, reference.digest];
}

function batchesRootOf(batches: readonly BatchReference[]): Hash {
  return sha256(encodeCbor(batches.map(referenceToCbor)));
}

function evidenceRootOf(evidence: readonly Uint8Array[]): Hash {
  return sha256(encodeCbor(evidence as Uint8Array[]));
}
