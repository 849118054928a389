/**
 * Answers a peer's request from the chain database: blocks, batches, checkpoints, how epochs ended, and pages of the finalized
 * chain that the replica no longer holds. Everything is decoded again on the way out, digests and the signatures of checkpoints
 * included, so damage is noticed, and never passed on.
 */
import {
  admitMessage,
  type Batch,
  type Block,
  blockFromParts,
  chainBlocksMax,
  decodeBatch,
  decodeCertificate,
  decodeCheckpointStatement,
  epochProofsMax,
  equalBytes,
  type Message,
  toHash,
} from '@cairn-ledger/core';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { quorumOf } from '../healing/certified.ts';
import { epochToSet } from '../healing/known-epochs.ts';
import type { ChainDb, StoredBlock } from '../storage/chain-db.ts';
import { decodeSignatures } from '../storage/checkpoint-signatures.ts';
import { epochProofsFrom } from '../storage/epoch-proofs.ts';
import type { KeptBoundary } from '../storage/kept-boundaries.ts';
import { isRestart } from '../storage/restart-block.ts';
import { damageOf } from '../storage/storage-error.ts';

/**
 * The answer, or null when there is none.
 *
 * @throws StorageError `storage.damaged` when what was asked for is not what was written
 */
export function serveFromStorage(chain: ChainDb, request: Message): Message | null {
  switch (request.type) {
    case 'request-block': {
      const { digest } = request;
      const block = requireBlock(chain.blockByDigest(digest)) ?? keptBoundary(chain, digest)?.block ?? null;
      return block === null ? null : { type: 'block', block };
    }
    case 'request-batch': {
      const stored = chain.batchByDigest(request.digest);
      const batch = stored === null ? null : decodeBatch(stored.bytes);
      if (batch === null) return null;
      const isWhole = batch.ok && equalBytes(batch.value.digest, request.digest);
      if (isWhole && isSealed(chain, stored!.height, batch.value)) return { type: 'batch', batch: batch.value };
      throw damageOf('batch', `a batch of block ${stored!.height} is not what was written`);
    }
    case 'request-checkpoint':
      return checkpointFrom(chain, request.height);
    case 'request-boundary':
      return boundaryOf(chain, request.epoch);
    case 'request-epochs':
      return { type: 'epochs', proofs: epochProofsFrom(chain, request.from, epochProofsMax) };
    case 'request-chain':
      return pageFrom(chain, request.from);
    default:
      return null;
  }
}

/** Whether its author has signed it: its digest does not cover that, and whoever got it would blame this node. */
function isSealed(chain: ChainDb, height: number, batch: Batch): boolean {
  const set = epochToSet({ ...chain.epochs.at(height), boundary: null });
  const result = decodeCheckpointStatement(chain.checkpoint(height)?.statement ?? new Uint8Array(0));
  if (!result.ok) throw damageOf('checkpoint', `the result of height ${height} cannot be read`);
  const message = { type: 'batch' as const, batch };
  return admitMessage(message, batch.header.author, set, result.value.ledgerHash, sodiumVerifier).ok;
}

/**
 * Signatures that say most to whoever lacks those of a height: the highest of the same epoch, which is the one it can
 * check; where that epoch has none above, those of the height itself, or the newest.
 */
function checkpointFrom(chain: ChainDb, height: number): Message | null {
  const { epoch } = chain.epochs.at(height);
  const end = chain.epochs.of(epoch + 1)?.genesisHeight ?? Number.MAX_SAFE_INTEGER;
  const stored =
    chain.certifiedBetween(height, height) ?? chain.certifiedBetween(height, end) ?? chain.latestCertified();
  if (stored === null) return null;
  const statement = decodeCheckpointStatement(stored.statement);
  const signatures = decodeSignatures(stored.signatures);
  const of = chain.epochs.at(stored.height);
  const isReadable = statement.ok && signatures !== null;
  const held = isReadable ? quorumOf(statement.value, signatures, { ...of, boundary: null }, sodiumVerifier) : null;
  if (held !== null) return { type: 'checkpoint-signatures', signatures: held };
  throw damageOf('checkpoint', `checkpoint ${stored.height} does not have the signatures of a quorum`);
}

/** The finalization of the block that an epoch ended with; where the members ended it, of the last one that was agreed on. */
function boundaryOf(chain: ChainDb, epoch: number): Message | null {
  const next = chain.epochs.of(epoch + 1);
  if (next === null || epoch < 1) return null;
  const { genesisHeight } = next;
  const stored = chain.blockByHeight(isRestart(chain, genesisHeight) ? genesisHeight - 1 : genesisHeight);
  const kept = chain.keptBoundaries().find(({ block }) => block.header.epoch === epoch);
  const finalization = stored?.finalization ?? kept?.finalization ?? null;
  const certificate = finalization === null ? null : decodeCertificate(finalization);
  return certificate?.ok ? { type: 'certificate', certificate: certificate.value } : null;
}

function keptBoundary(chain: ChainDb, digest: Uint8Array): KeptBoundary | undefined {
  return chain.keptBoundaries().find(({ block }) => equalBytes(block.digest, digest));
}

function pageFrom(chain: ChainDb, from: number): Message | null {
  if (from < 1) return null;
  // The finalization that covers a page is of one epoch, and so are its blocks.
  const { epoch } = chain.epochs.at(from);
  const last = chain.epochs.of(epoch + 1)?.genesisHeight ?? Number.MAX_SAFE_INTEGER;
  const blocks: Block[] = [];
  /** How many of them the last finalization covers. */
  let covered = 0;
  let finalization: Uint8Array | null = null;
  for (let height = from; height <= last && blocks.length < chainBlocksMax; height++) {
    const stored = chain.blockByHeight(height);
    const block = requireBlock(stored);
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

function requireBlock(stored: StoredBlock | null): Block | null {
  const block = storedToBlock(stored);
  if (block !== null || stored === null || stored.height === 0) return block;
  throw damageOf('block', `block ${stored.height} is not what was written`);
}

/** Null for the genesis, and for what is not what it was. */
export function storedToBlock(stored: StoredBlock | null): Block | null {
  if (stored === null || stored.height === 0) return null;
  const block = blockFromParts(stored.header, stored.body);
  return block.ok && equalBytes(block.value.digest, toHash(stored.digest)) ? block.value : null;
}
