/**
 * Answers a peer's request from the chain database: blocks, batches, checkpoints and pages of the finalized chain that the
 * replica no longer holds. Everything is decoded again on the way out, digests included, so damage is never passed on.
 */
import {
  type Block,
  blockFromParts,
  type CheckpointSignature,
  chainBlocksMax,
  decodeBatch,
  decodeCertificate,
  decodeShape,
  equalBytes,
  listOf,
  type Message,
  readCheckpointSignature,
  toHash,
} from '@cairn-ledger/core';
import type { ChainDb, StoredBlock } from '../storage/chain-db.ts';

const signaturesMax = 256;

/** The answer, or null when there is none or it can't be trusted. */
export function serveFromStorage(chain: ChainDb, request: Message): Message | null {
  switch (request.type) {
    case 'request-block': {
      const block = toBlock(chain.blockByDigest(request.digest));
      return block === null ? null : { type: 'block', block };
    }
    case 'request-batch': {
      const stored = chain.batchByDigest(request.digest);
      const batch = stored === null ? null : decodeBatch(stored.bytes);
      return batch?.ok && equalBytes(batch.value.digest, request.digest) ? { type: 'batch', batch: batch.value } : null;
    }
    case 'request-checkpoint': {
      const signatures = decodeSignatures(
        chain.checkpoint(request.height)?.signatures ?? chain.latestCertified()?.signatures ?? null,
      );
      return signatures === null ? null : { type: 'checkpoint-signatures', signatures };
    }
    case 'request-chain':
      return pageFrom(chain, request.from);
    default:
      return null;
  }
}

/** The signatures of a checkpoint as `putCertified` was given them. */
export function decodeSignatures(bytes: Uint8Array | null): CheckpointSignature[] | null {
  if (bytes === null) return null;
  const decoded = decodeShape('storage.damaged', bytes, (value) =>
    listOf(value, signaturesMax, 'signatures', readCheckpointSignature),
  );
  return decoded.ok ? decoded.value : null;
}

function pageFrom(chain: ChainDb, from: number): Message | null {
  if (from < 1) return null;
  const blocks: Block[] = [];
  /** How many of them the last finalization covers. */
  let covered = 0;
  let finalization: Uint8Array | null = null;
  for (let height = from; blocks.length < chainBlocksMax; height++) {
    const stored = chain.blockByHeight(height);
    const block = toBlock(stored);
    if (block === null) break;
    blocks.push(block);
    if (stored!.finalization !== null) {
      covered = blocks.length;
      finalization = stored!.finalization;
    }
  }
  const certificate = finalization === null ? null : decodeCertificate(finalization);
  return certificate?.ok ? { type: 'chain', blocks: blocks.slice(0, covered), finalization: certificate.value } : null;
}

function toBlock(stored: StoredBlock | null): Block | null {
  if (stored === null || stored.height === 0) return null;
  const block = blockFromParts(stored.header, stored.body);
  return block.ok && equalBytes(block.value.digest, toHash(stored.digest)) ? block.value : null;
}
