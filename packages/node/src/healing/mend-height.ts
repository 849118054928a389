/**
 * One height of a stored chain, held against the digest that the block above has for it: block, batches, result, signatures,
 * finalization and verdicts. What is true is kept, what is not is fetched from peers by its digest, and checked alike.
 *
 * The reasons of rejections are signed by nobody. Which transactions were accepted is: they are the leaves of the history, in
 * order. Verdicts that do not fit those are fetched, and believed when f+1 peers have the same.
 */
import {
  admitMessage,
  type Batch,
  type Block,
  blockFromParts,
  type Certificate,
  type CheckpointStatement,
  checkpointDigest,
  decodeBatch,
  decodeCertificate,
  decodeCheckpointStatement,
  decodeTransaction,
  encodeBatch,
  encodeCertificate,
  encodeCheckpointStatement,
  equalBytes,
  type Hash,
  leafHash,
  type Message,
  quorum,
  sha256,
  toEpoch,
  toHeight,
  toHex,
  toValidatorIndex,
  transactionEntry,
  type Verifier,
  viewOfVote,
} from '@cairn-ledger/core';
import type { FindingClass } from '../audit/finding.ts';
import type { BatchRow, NewBatch, StoredBlock } from '../storage/chain-db.ts';
import { decodeSignatures, encodeSignatures } from '../storage/checkpoint-signatures.ts';
import { batchIdOf } from '../storage/transaction-place.ts';
import { decodeVerdicts } from '../storage/verdicts.ts';
import type { BlockPages } from './block-pages.ts';
import { isFinalization, quorumOf } from './certified.ts';
import type { ChainFile } from './chain-file.ts';
import { orNull } from './chain-top.ts';
import { epochOfHeight, epochToSet, isRestarted, type KnownEpoch } from './known-epochs.ts';
import { type Checked, isNothing, isTrue, isWrong, type Peers } from './peers.ts';

export type HeightTask = {
  /** Null: nothing can be read of it. */
  readonly source: ChainFile | null;
  readonly ledgerHash: Hash;
  readonly epochs: readonly KnownEpoch[];
  readonly verifier: Verifier;
  /** Null: damage is only told. */
  readonly peers: Peers | null;
  readonly pages: BlockPages | null;
  /** Batches and verdicts of lower heights are not held here, and need not be. */
  readonly firstWhole: number;
  /** The height that the chain ends with. */
  readonly topHeight: number;
  /** Leaf hash of the history; null where it is not held. */
  readonly leafAt: (index: number) => Uint8Array | null;
  readonly onDamage: (kind: FindingClass, height: number, what: string) => void;
};

/** Everything of a height, true. */
export type TrueHeight = {
  readonly row: StoredBlock;
  readonly block: Block;
  readonly batches: readonly NewBatch[];
  readonly statement: Uint8Array;
  /** Of the statement. */
  readonly round: number;
  readonly signatures: Uint8Array | null;
};

export type MendedHeight = {
  /** Null when something could not be had. */
  readonly height: TrueHeight | null;
  /** Which rows differ from what is stored. */
  readonly differs: {
    readonly block: boolean;
    readonly checkpoint: boolean;
    readonly batches: readonly number[];
    readonly surplus: boolean;
  };
};

/** The block of a height; null when it is not stored as it was, and no peer has it. */
export async function mendBlock(task: HeightTask, height: number, digest: Hash): Promise<Block | null> {
  const stored = orNull(() => task.source?.chain.blockByHeight(height) ?? null);
  const block = stored === null ? null : blockFromParts(stored.header, stored.body);
  if (block?.ok && equalBytes(block.value.digest, digest)) return block.value;
  task.onDamage('block', height, `block ${height} is not the one that the chain has`);
  return task.pages === null ? null : task.pages.get(height, digest);
}

/** The result of a height, which a block above names; the genesis has one as well. */
export async function mendStatement(
  task: HeightTask,
  height: number,
  isRight: (statement: CheckpointStatement) => boolean,
): Promise<CheckpointStatement | null> {
  const stored = orNull(() => task.source?.chain.checkpoint(height) ?? null);
  const own = stored === null ? null : decodeCheckpointStatement(stored.statement);
  if (own?.ok && stored!.round === own.value.round && isRight(own.value)) return own.value;
  task.onDamage('checkpoint', height, `the checkpoint of height ${height} is not the one that the chain names`);
  const { peers } = task;
  if (peers === null) return null;
  const fetched = await peers.askAny({ type: 'request-outcome', height: toHeight(height) }, (answer) => {
    if (answer.type !== 'outcome' || answer.outcome === null) return isNothing;
    return isRight(answer.outcome.statement) ? isTrue(answer.outcome.statement) : isNothing;
  });
  if (fetched !== null) return fetched;
  return peers.askAny({ type: 'request-checkpoint', height: toHeight(height) }, (answer) => {
    const signatures = answer.type === 'checkpoint-signatures' ? answer.signatures : [];
    const found = signatures.find(({ statement }) => statement.height === height && isRight(statement));
    return found === undefined ? isNothing : isTrue(found.statement);
  });
}

/** The result of a height that no block names yet: a quorum signed it. */
export async function mendCertified(task: HeightTask, height: number): Promise<CheckpointStatement | null> {
  const { source, epochs, verifier, peers, onDamage } = task;
  const epoch = epochOfHeight(epochs, height);
  const stored = orNull(() => source?.chain.checkpoint(height) ?? null);
  const own = stored === null ? null : decodeCheckpointStatement(stored.statement);
  const signatures = orNull(() => decodeSignatures(stored?.signatures ?? null)) ?? [];
  const isHeight = (statement: CheckpointStatement): boolean => statement.height === height;
  if (own?.ok && isHeight(own.value) && quorumOf(own.value, signatures, epoch, verifier) !== null) return own.value;
  const certified = await peers?.askAny({ type: 'request-checkpoint', height: toHeight(height) }, (answer) => {
    const all = answer.type === 'checkpoint-signatures' ? answer.signatures : [];
    // A peer has those of every round that it was told.
    const statements = new Map(all.map(({ statement }) => [toHex(checkpointDigest(statement)), statement]));
    const found = [...statements.values()].find(
      (statement) => isHeight(statement) && quorumOf(statement, all, epoch, verifier) !== null,
    );
    return found === undefined ? isNothing : isTrue(found);
  });
  const isPlausible = own?.ok === true && isHeight(own.value);
  if (certified == null && isPlausible && stored!.signatures === null) {
    // Only a higher height is certified, and no block stands high enough to name this one: there is nothing to hold against it yet.
    return own.value;
  }
  if (certified == null || !isPlausible || !equalBytes(checkpointDigest(own.value), checkpointDigest(certified)))
    onDamage('checkpoint', height, `the checkpoint of height ${height} is not what a quorum signed`);
  return certified ?? null;
}

/** @param sizeBefore leaves of the history before this height */
export async function mendHeight(
  task: HeightTask,
  block: Block,
  statement: CheckpointStatement,
  sizeBefore: number,
): Promise<MendedHeight> {
  const { height } = block.header;
  const stored = orNull(() => task.source?.chain.blockByHeight(height) ?? null);
  const epoch = epochOfHeight(task.epochs, height);
  const isWhole = height >= task.firstWhole;
  const finalization = await mendFinalization(task, block, stored, epoch);
  const { batches, differing, surplus } = await mendBatches(task, block, epoch, isWhole);
  const areBatchesWhole = !isWhole || batches.every((batch) => batch !== null);
  const whole = batches.filter((batch) => batch !== null);
  const leaves = { from: sizeBefore, to: statement.historySize };
  const verdicts = areBatchesWhole ? await mendVerdicts(task, stored, statement, whole, leaves, isWhole) : null;
  const checkpoint = await mendSignatures(task, statement, block.header.nextSet !== null);
  const differs = { block: true, checkpoint: checkpoint.differs, batches: differing, surplus };
  if (!areBatchesWhole || verdicts === null) return { height: null, differs };
  const row: StoredBlock = {
    height,
    digest: block.digest,
    header: block.headerBytes,
    body: block.bodyBytes,
    view: finalization === null ? 0 : viewOfVote(finalization.certificate.vote),
    finalization: finalization?.bytes ?? null,
    timeMs: block.header.timeMs,
    historySize: statement.historySize,
    verdicts,
  };
  const isSame = stored !== null && isSameRow(stored, row);
  if (stored !== null && !isSame && equalBytes(stored.header, row.header) && equalBytes(stored.body, row.body))
    task.onDamage('block', height, `what is stored with block ${height} is not what belongs to it`);
  return {
    height: {
      row,
      block,
      batches: whole.map(({ batch, bytes }) => toNewBatch(batch, bytes)),
      statement: checkpoint.statement,
      round: statement.round,
      signatures: checkpoint.signatures,
    },
    differs: { ...differs, block: !isSame },
  };
}

function isSameRow(stored: StoredBlock, row: StoredBlock): boolean {
  return (
    equalBytes(stored.digest, row.digest) &&
    equalBytes(stored.header, row.header) &&
    equalBytes(stored.body, row.body) &&
    equalBytes(stored.verdicts, row.verdicts) &&
    stored.view === row.view &&
    stored.timeMs === row.timeMs &&
    stored.historySize === row.historySize &&
    (stored.finalization === null
      ? row.finalization === null
      : row.finalization !== null && equalBytes(stored.finalization, row.finalization))
  );
}

/** Its own; null where that of a later block covers it. An epoch's last block must have one. */
async function mendFinalization(
  { ledgerHash, epochs, verifier, peers, pages, topHeight, onDamage }: HeightTask,
  block: Block,
  stored: StoredBlock | null,
  epoch: KnownEpoch,
): Promise<{ readonly certificate: Certificate; readonly bytes: Uint8Array } | null> {
  const { height, nextSet } = block.header;
  const isTrueOne = (certificate: Certificate): boolean =>
    isFinalization(certificate, block, epoch, ledgerHash, verifier);
  const own = stored?.finalization == null ? null : decodeCertificate(stored.finalization);
  if (own?.ok && isTrueOne(own.value)) return { certificate: own.value, bytes: stored!.finalization! };
  if (stored?.finalization != null)
    onDamage('certificate', height, `the finalization of block ${height} does not hold`);
  const paged = pages?.finalizationOf(block.digest) ?? null;
  if (paged !== null && isTrueOne(paged)) return { certificate: paged, bytes: encodeCertificate(paged) };
  // A page tells that of its last block alone: so it is asked for where nothing stands above, and where an epoch ends.
  const request: Message =
    nextSet === null
      ? { type: 'request-chain', from: toHeight(height) }
      : { type: 'request-boundary', epoch: toEpoch(block.header.epoch) };
  // A stored tip without one has been told so before: the same as nobody having it.
  const isTopWanted = height === topHeight && (stored === null || stored.finalization !== null);
  const isWanted = nextSet !== null || isTopWanted;
  // Nobody has one of what the members ended an epoch with.
  if (peers === null || !isWanted || isRestartBlock(epochs, height)) return null;
  const certificate = await peers.askAny(request, (answer) => {
    const given =
      answer.type === 'certificate' ? answer.certificate : answer.type === 'chain' ? answer.finalization : null;
    return given !== null && isTrueOne(given) ? isTrue(given) : isNothing;
  });
  return certificate === null ? null : { certificate, bytes: encodeCertificate(certificate) };
}

type WholeBatch = { readonly batch: Batch; readonly bytes: Uint8Array };

async function mendBatches(task: HeightTask, block: Block, epoch: KnownEpoch, isWhole: boolean) {
  const { source, peers, onDamage } = task;
  const { height } = block.header;
  const rows = source === null ? [] : (orNull(() => source.batchRows(height)) ?? []);
  const batches: (WholeBatch | null | Promise<WholeBatch | null>)[] = [];
  const differing: number[] = [];
  const surplus = rows.some(({ id }) => id >= batchIdOf(height, 0) + (isWhole ? block.batches.length : 0));
  if (surplus) onDamage('batch', height, `more batches are stored with block ${height} than it lists`);
  if (!isWhole) return { batches: [], differing, surplus };
  for (const [place, reference] of block.batches.entries()) {
    const row = rows.find(({ id }) => id === batchIdOf(height, place));
    const own = source === null || row === undefined ? null : orNull(() => readBatch(source, height, place, row.size));
    const held = own === null ? null : trueBatch(task, own, reference.digest, epoch);
    const isRowRight = held !== null && isRowOf(row!, held.batch);
    if (!isRowRight) {
      differing.push(place);
      onDamage('batch', height, `batch ${place} of block ${height} is not the one that the block lists`);
    }
    // Those of a block are asked for at once: each answer takes its time.
    batches.push(held ?? (peers === null ? null : fetchBatch(task, reference.digest, epoch, peers)));
  }
  return { batches: await Promise.all(batches), differing, surplus };
}

function isRowOf(row: BatchRow, { header, digest }: Batch): boolean {
  const { epoch, author, seq } = header;
  return row.epoch === epoch && row.author === author && row.seq === seq && equalBytes(row.digest, digest);
}

function readBatch({ chain }: ChainFile, height: number, place: number, size: number): Uint8Array | null {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for (let part = 0; bytes < size; part++) {
    const piece = chain.batchPart(height, place, part);
    if (piece === null || piece.length === 0) return null;
    parts.push(piece);
    bytes += piece.length;
  }
  return bytes === size ? new Uint8Array(Buffer.concat(parts)) : null;
}

/** The batch that bytes are, when it is this one and its author signed it. */
function trueBatch(
  { ledgerHash, verifier }: HeightTask,
  bytes: Uint8Array,
  digest: Hash,
  epoch: KnownEpoch,
): WholeBatch | null {
  const decoded = decodeBatch(bytes);
  if (!decoded.ok || !equalBytes(decoded.value.digest, digest)) return null;
  const message = { type: 'batch' as const, batch: decoded.value };
  const admitted = admitMessage(message, toValidatorIndex(0), epochToSet(epoch), ledgerHash, verifier);
  return admitted.ok ? { batch: decoded.value, bytes } : null;
}

function fetchBatch(task: HeightTask, digest: Hash, epoch: KnownEpoch, peers: Peers): Promise<WholeBatch | null> {
  return peers.askAny({ type: 'request-batch', digest }, (answer) => {
    if (answer.type !== 'batch') return isNothing;
    const batch = trueBatch(task, encodeBatch(answer.batch), digest, epoch);
    return batch === null ? isWrong('another batch than was asked for') : isTrue(batch);
  });
}

function toNewBatch({ digest, header }: Batch, bytes: Uint8Array): NewBatch {
  return { digest, epoch: header.epoch, author: header.author, seq: header.seq, bytes };
}

async function mendVerdicts(
  task: HeightTask,
  stored: StoredBlock | null,
  statement: CheckpointStatement,
  batches: readonly WholeBatch[],
  leaves: { readonly from: number; readonly to: number },
  isWhole: boolean,
): Promise<Uint8Array | null> {
  const { peers, epochs, onDamage, leafAt } = task;
  const { height } = statement;
  // Of a height without its batches none are held.
  if (!isWhole) return Uint8Array.of(0x80);
  const entries = batches.flatMap(({ batch }) => batch.transactions.map(entryOf));
  const fits = (verdicts: Uint8Array): boolean => fitLeaves(verdicts, entries, leaves, leafAt);
  if (stored !== null && fits(stored.verdicts)) return stored.verdicts;
  onDamage('block', height, `the verdicts of block ${height} do not fit the history`);
  if (peers === null) return null;
  const digest = checkpointDigest(statement);
  const { validators } = epochs.at(-1)!;
  const needed = validators.length - quorum(validators.length) + 1;
  /** The verdicts that f+1 peers have. */
  const agreed = (answers: ReadonlyMap<string, Uint8Array>): Uint8Array | null => {
    const counts = new Map<string, number>();
    for (const verdicts of answers.values()) {
      const name = toHex(verdicts);
      const count = (counts.get(name) ?? 0) + 1;
      if (count >= needed) return verdicts;
      counts.set(name, count);
    }
    return null;
  };
  const request: Message = { type: 'request-outcome', height: toHeight(height) };
  const check = (answer: Message): Checked<Uint8Array> => {
    if (answer.type !== 'outcome' || answer.outcome === null) return isNothing;
    const { outcome } = answer;
    const isOf = equalBytes(checkpointDigest(outcome.statement), digest);
    return isOf && fits(outcome.verdicts) ? isTrue(outcome.verdicts) : isNothing;
  };
  return agreed(await peers.askUntil(request, check, (answers) => agreed(answers) !== null));
}

function entryOf(transaction: Uint8Array): Hash {
  const decoded = decodeTransaction(transaction);
  return decoded.ok ? transactionEntry(decoded.value) : sha256(transaction);
}

/** Whether the transactions that verdicts call accepted are exactly these leaves of the history. */
function fitLeaves(
  bytes: Uint8Array,
  entries: readonly Hash[],
  { from, to }: { readonly from: number; readonly to: number },
  leafAt: HeightTask['leafAt'],
): boolean {
  const verdicts = decodeVerdicts(bytes, entries.length);
  if (verdicts === null) return false;
  let index = from;
  for (const [i, { isLeaf, code }] of verdicts.entries()) {
    if (isLeaf !== (code === 'ok')) return false;
    if (!isLeaf) continue;
    const leaf = index < to ? leafAt(index) : null;
    if (leaf === null || !equalBytes(leaf, leafHash(entries[i]!))) return false;
    index++;
  }
  return index === to;
}

/** Whether the members ended an epoch with the block of a height. */
export function isRestartBlock(epochs: readonly KnownEpoch[], height: number): boolean {
  return epochs.some((epoch) => epoch.genesisHeight === height && isRestarted(epoch));
}

/** @param isKept a boundary's must be held for ever */
async function mendSignatures(task: HeightTask, statement: CheckpointStatement, isKept: boolean) {
  const { source, epochs, verifier, peers, topHeight, onDamage } = task;
  const { height } = statement;
  const epoch = epochOfHeight(epochs, height);
  const stored = orNull(() => source?.chain.checkpoint(height) ?? null);
  const own = stored === null ? null : decodeCheckpointStatement(stored.statement);
  const isOwn =
    own?.ok === true &&
    stored!.round === statement.round &&
    equalBytes(checkpointDigest(own.value), checkpointDigest(statement));
  const isRequired = isKept && !isRestartBlock(epochs, height);
  // Of lower heights it has been told already.
  if (!isOwn && height === topHeight)
    onDamage('checkpoint', height, `the checkpoint of height ${height} is not what a quorum signed`);
  const encoded = isOwn ? stored!.statement : encodeCheckpointStatement(statement);
  if (isOwn && stored!.signatures === null && !isRequired)
    return { statement: encoded, signatures: null, differs: false };
  const held = orNull(() => decodeSignatures(stored?.signatures ?? null)) ?? [];
  if (isOwn && quorumOf(statement, held, epoch, verifier) !== null)
    return { statement: encoded, signatures: stored!.signatures, differs: false };
  if (isOwn && stored!.signatures !== null)
    onDamage('checkpoint', height, `the signatures of the checkpoint of height ${height} do not hold`);
  const known = epochs.find(({ genesisHeight, boundary }) => boundary !== null && genesisHeight === height)?.boundary;
  const fetched =
    known != null && isKept
      ? known.signatures
      : ((await peers?.askAny({ type: 'request-checkpoint', height: toHeight(height) }, (answer) => {
          const all = answer.type === 'checkpoint-signatures' ? answer.signatures : [];
          const signatures = quorumOf(statement, all, epoch, verifier);
          return signatures === null ? isNothing : isTrue(signatures);
        })) ?? null);
  return { statement: encoded, signatures: fetched === null ? null : encodeSignatures(fetched), differs: true };
}
