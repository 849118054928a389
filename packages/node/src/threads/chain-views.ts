/** Edge thread: blocks, checkpoints and epochs as HTTP shows them. Who an index means depends on the epoch it was said in. */
import {
  blockFromParts,
  type CheckpointSignature,
  type CheckpointStatement,
  decodeCheckpointStatement,
  encodeEpochProof,
  quorum,
  type ReceiptRow,
  receiptHeaderOf,
  type Validator,
} from '@cairn-ledger/core';
import type { BlockView, CheckpointView, EpochView } from '../http/edge-port.ts';
import type { StoredBlock, StoredCheckpoint } from '../storage/chain-db.ts';
import { decodeSignatures } from '../storage/checkpoint-signatures.ts';
import { epochProofOf } from '../storage/epoch-proofs.ts';
import type { StoredEpoch } from '../storage/epoch-table.ts';
import { StorageError } from '../storage/storage-error.ts';
import type { ViewDb } from '../storage/view-db.ts';
import type { FoundTransaction } from '../storage/view-queries.ts';
import type { ProvenChain } from './proven-chain.ts';

export function blockToView(
  chain: Pick<ProvenChain, 'epochs'>,
  view: ViewDb,
  stored: StoredBlock,
  transactions: readonly FoundTransaction[] | null,
): BlockView {
  const { epoch, validators, rules } = chain.epochs.at(stored.height);
  const block = stored.height === 0 ? null : blockFromParts(stored.header, stored.body);
  if (block?.ok === false) throw unreadable(`block ${stored.height}`, block.error.message);
  return {
    height: stored.height,
    epoch,
    view: stored.view,
    rules: block?.value.header.rules ?? rules ?? 1,
    digest: stored.digest,
    parent: block?.value.header.parent ?? new Uint8Array(32),
    timeMs: stored.timeMs,
    nextSet: block?.value.header.nextSet ?? null,
    batches: (block?.value.batches ?? []).map(({ author, seq, digest }) => ({
      author: validators[author]?.id ?? String(author),
      seq,
      digest,
    })),
    transactionCount: view.transactionCountOf(stored.height),
    transactions: transactions?.map(({ id, code, leafIndex }) => ({ id, code, leafIndex })) ?? null,
  };
}

/** @throws StorageError where the stored statement cannot be read */
export function statementOf(stored: StoredCheckpoint): CheckpointStatement {
  const decoded = decodeCheckpointStatement(stored.statement);
  if (!decoded.ok) throw unreadable(`the checkpoint of ${stored.height}`, decoded.error.message);
  return decoded.value;
}

/** Null where none are kept, or they cannot be read. */
export function signaturesOf(
  chain: Pick<ProvenChain, 'epochs'>,
  stored: StoredCheckpoint,
): (ReceiptRow & { validator: string })[] | null {
  const signatures = decodeSignatures(stored.signatures);
  if (signatures === null) return null;
  // Also the boundary's own checkpoint is signed by the epoch that it ends.
  const { validators } = chain.epochs.at(stored.height);
  const rows = signatures.map((signature) => rowOf(signature, validators));
  return rows.includes(null) ? null : (rows as (ReceiptRow & { validator: string })[]);
}

function rowOf(signature: CheckpointSignature, validators: readonly Validator[]) {
  const validator = validators[signature.signer];
  if (validator === undefined) return null;
  return {
    validator: validator.id,
    protectedHeader: receiptHeaderOf(signature, validator),
    signature: signature.signature,
  };
}

export function checkpointToView(chain: Pick<ProvenChain, 'epochs'>, stored: StoredCheckpoint): CheckpointView {
  return {
    ...statementOf(stored),
    certified: stored.signatures !== null,
    signatures: (signaturesOf(chain, stored) ?? []).map(({ validator, protectedHeader, signature }) => ({
      validator,
      protected: protectedHeader,
      signature,
    })),
  };
}

/** @param next the epoch after it; null for the present one */
export function epochToView(chain: ProvenChain, stored: StoredEpoch, next: StoredEpoch | null): EpochView {
  const { epoch, genesisHeight, validators, digest, rules } = stored;
  const proof = next === null ? null : epochProofOf(chain, next);
  return {
    epoch,
    fromHeight: epoch === 1 ? 0 : genesisHeight + 1,
    toHeight: next?.genesisHeight ?? null,
    rules,
    validatorSet: digest,
    validators: validators.map(({ id }) => id),
    quorum: quorum(validators.length),
    proof: proof === null ? null : encodeEpochProof(proof),
  };
}

function unreadable(what: string, why: string): StorageError {
  return new StorageError('storage.damaged', `${what} cannot be read (${why}): repair it from peers`);
}
