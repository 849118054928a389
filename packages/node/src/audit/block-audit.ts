/** One height of the chain as it lies in the database: the block, what proves it final, and its batches. */
import {
  admitMessage,
  type Batch,
  type Block,
  blockFromParts,
  decodeBatch,
  decodeCertificate,
  decodeTransaction,
  type EpochSet,
  equalBytes,
  type MalformedTransaction,
  sha256,
  type Transaction,
  toHex,
  toValidatorIndex,
  viewOfVote,
} from '@cairn-ledger/core';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import type { Signed } from '../driver/signing-mark.ts';
import type { BatchRow, ChainDb, StoredBlock } from '../storage/chain-db.ts';
import { batchPartBytes, partsPerBatchMax } from '../storage/chain-schema.ts';
import type { Database } from '../storage/database.ts';
import { batchesPerBlockMax, batchIdOf } from '../storage/transaction-place.ts';
import type { AuditedEpochs } from './epoch-audit.ts';
import type { Findings } from './finding.ts';
import type { Anchor } from './founding-audit.ts';

export type ChainAudit = {
  readonly anchor: Anchor;
  readonly chain: ChainDb;
  readonly database: Database;
  readonly findings: Findings;
  readonly epochs: AuditedEpochs;
  /** Of this height and below the batches are not held: the chain was founded from a snapshot; 0 where all are. */
  readonly foundedHeight: number;
  /** Whether the tiles of the history are to be compared as well; else only its roots are. */
  readonly areTilesHeld: boolean;
  /** Id of the node; null when it is not known. */
  readonly selfId: string | null;
  /** Told what carries a signature of this node, which therefore must have marked it. */
  readonly onOwnSigned: (signed: Signed) => void;
};

/** A batch of a block, whole and true. */
export type AuditedBatch = {
  readonly batch: Batch;
  readonly bytes: Uint8Array;
  readonly transactions: readonly (Transaction | MalformedTransaction)[];
};

/** Whether an index means the node itself, in the set it was said in. */
export function isSelf({ validators }: EpochSet, index: number, selfId: string | null): boolean {
  return selfId !== null && validators[index]?.id === selfId;
}

/** Null when the stored bytes are not the block of this height. */
export function auditBlock({ epochs, findings }: ChainAudit, stored: StoredBlock): Block | null {
  const { height } = stored;
  const where = { height };
  if (!equalBytes(sha256(stored.header), stored.digest)) {
    findings.add('block', 'audit.bad-digest', `the header of block ${height} does not have its digest`, where);
    return null;
  }
  const decoded = blockFromParts(stored.header, stored.body);
  if (!decoded.ok) {
    findings.add('block', 'audit.malformed', `block ${height} cannot be read: ${decoded.error.message}`, where);
    return null;
  }
  const block = decoded.value;
  const { header } = block;
  const [set, next] = [epochs.at(height), epochs.at(height + 1)];
  const isOfHere = header.height === height && header.epoch === set.epoch && header.rules === set.rules;
  const endsHere =
    next === set ? header.nextSet === null : header.nextSet !== null && equalBytes(header.nextSet, next.digest);
  if (!isOfHere || header.timeMs !== stored.timeMs || !endsHere) {
    const what = `block ${height} says height ${header.height}, epoch ${header.epoch}, rules ${header.rules}, time ${header.timeMs}${header.nextSet === null ? '' : ' and ends its epoch'}, which does not belong here`;
    findings.add('block', 'audit.differs', what, where);
    return null;
  }
  return block;
}

/** View of the finalization stored with a block; null when there is none that holds. */
export function auditFinalization(
  { anchor, epochs, findings, selfId, onOwnSigned }: ChainAudit,
  stored: StoredBlock,
  block: Block | null,
): number | null {
  const { height, finalization } = stored;
  const where = { height };
  if (finalization === null) {
    if (stored.view !== 0) {
      const what = `block ${height} names view ${stored.view} and has no finalization`;
      findings.add('certificate', 'audit.missing', what, where);
    }
    return null;
  }
  const decoded = decodeCertificate(finalization);
  if (!decoded.ok || decoded.value.vote.type !== 'finalize') {
    findings.add('certificate', 'audit.malformed', `the finalization of block ${height} cannot be read`, where);
    return null;
  }
  const certificate = decoded.value;
  const message = { type: 'certificate' as const, certificate };
  const set = epochs.at(height);
  const admitted = admitMessage(message, toValidatorIndex(0), set, anchor.ledgerHash, sodiumVerifier);
  if (!admitted.ok) {
    const what = `the finalization of block ${height} does not hold: ${admitted.error.message}`;
    findings.add('certificate', 'audit.bad-signature', what, where);
    return null;
  }
  const view = viewOfVote(decoded.value.vote);
  if (certificate.signers.some((signer) => isSelf(set, signer, selfId))) onOwnSigned({ epoch: set.epoch, view });
  if (block !== null && !equalBytes(decoded.value.vote.proposal.digest, block.digest)) {
    const what = `a quorum finalized another block of height ${height} than the one stored`;
    findings.add('block', 'audit.bad-digest', what, where);
    return null;
  }
  if (view !== stored.view)
    findings.add('block', 'audit.differs', `block ${height} was final in view ${view}, not ${stored.view}`, where);
  return view;
}

/** The batches that a block lists, in its order; null in place of one that is damaged. */
export function auditBatches(task: ChainAudit, block: Block): (AuditedBatch | null)[] {
  const { database, findings, foundedHeight } = task;
  const { height } = block.header;
  const rows = findings.guard('batch', { height }, () =>
    database.sqlite
      .prepare('SELECT id, digest, epoch, author, seq, size FROM batches WHERE id BETWEEN ? AND ? ORDER BY id')
      .all(batchIdOf(height, 0), batchIdOf(height, batchesPerBlockMax - 1)),
  ) as BatchRow[] | null;
  if (rows === null) return block.batches.map(() => null);
  if (height <= foundedHeight) {
    if (rows.length > 0)
      findings.add('batch', 'audit.surplus', `a batch of block ${height} is stored, none is held`, { height });
    return [];
  }
  if (rows.length > block.batches.length) {
    const what = `block ${height} lists ${block.batches.length} batches, ${rows.length} are stored`;
    findings.add('batch', 'audit.surplus', what, { height });
  }
  return block.batches.map((reference, place) => {
    const where = { height, key: String(place) };
    const row = rows.find(({ id }) => id === batchIdOf(height, place));
    if (row === undefined) {
      findings.add('batch', 'audit.missing', `batch ${place} of block ${height} is missing`, where);
      return null;
    }
    return findings.guard('batch', where, () => auditBatch(task, block, place, row, reference));
  });
}

function auditBatch(
  { anchor, chain, epochs, findings, selfId, onOwnSigned }: ChainAudit,
  block: Block,
  place: number,
  row: BatchRow,
  reference: Block['batches'][number],
): AuditedBatch | null {
  const { height } = block.header;
  const where = { height, key: String(place) };
  const refuse = (code: string, what: string): null => {
    findings.add('batch', code, `batch ${place} of block ${height} ${what}`, where);
    return null;
  };
  const bytes = readBatch(chain, height, place, row.size);
  if (bytes === null) return refuse('audit.missing', 'is not whole');
  const decoded = decodeBatch(bytes);
  if (!decoded.ok) return refuse('audit.malformed', `cannot be read: ${decoded.error.message}`);
  const batch = decoded.value;
  const { author, seq, epoch } = batch.header;
  if (!equalBytes(batch.digest, reference.digest))
    return refuse('audit.bad-digest', `is ${toHex(batch.digest)}, the block lists ${toHex(reference.digest)}`);
  if (author !== reference.author || seq !== reference.seq || epoch !== block.header.epoch)
    return refuse('audit.differs', 'is of another author, number or epoch than the block says');
  if (row.author !== author || row.seq !== seq || row.epoch !== epoch || !equalBytes(row.digest, batch.digest))
    refuse('audit.differs', 'is stored under another author, number, epoch or digest');
  const message = { type: 'batch' as const, batch };
  const set = epochs.at(height);
  const admitted = admitMessage(message, toValidatorIndex(0), set, anchor.ledgerHash, sodiumVerifier);
  if (!admitted.ok) return refuse('audit.bad-signature', `does not hold: ${admitted.error.message}`);
  if (isSelf(set, author, selfId)) onOwnSigned({ epoch, seq });
  const transactions = batch.transactions.map((transaction): Transaction | MalformedTransaction => {
    const read = decodeTransaction(transaction);
    return read.ok ? read.value : { malformed: transaction, id: sha256(transaction) };
  });
  return { batch, bytes, transactions };
}

/** Null when the parts do not make up its size. */
function readBatch(chain: ChainDb, height: number, place: number, size: number): Uint8Array | null {
  const count = Math.ceil(size / batchPartBytes);
  if (!Number.isSafeInteger(size) || size < 1 || count > partsPerBatchMax) return null;
  const parts: Uint8Array[] = [];
  for (let part = 0; part < count; part++) {
    const bytes = chain.batchPart(height, place, part);
    if (bytes?.length !== Math.min(batchPartBytes, size - part * batchPartBytes)) return null;
    parts.push(bytes);
  }
  return new Uint8Array(Buffer.concat(parts));
}
