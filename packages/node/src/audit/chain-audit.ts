/**
 * The chain from one height to the tip: each block follows the one before it and is final by a quorum's signatures, its own or
 * those of a later block that stands on it; its batches are the ones it lists; what was accepted of them gives the history
 * tree that was certified.
 */
import {
  type Batch,
  type Block,
  type CheckpointStatement,
  checkpointDigest,
  equalBytes,
  genesisEntries,
  type Hash,
  isChange,
  restartRound,
  sha256,
  toHex,
  transactionEntry,
} from '@cairn-ledger/core';
import type { StoredBlock } from '../storage/chain-db.ts';
import { batchPartBytes } from '../storage/chain-schema.ts';
import { decodeVerdicts } from '../storage/verdicts.ts';
import { type AuditedBatch, auditBatches, auditBlock, auditFinalization, type ChainAudit } from './block-audit.ts';
import { type AuditedCheckpoint, auditCheckpoint } from './checkpoint-audit.ts';
import { createHistoryAudit, type HistoryAudit } from './history-audit.ts';
import type { Pace } from './pace.ts';

/** Of CBOR. */
const emptyList = 0x80;

export type AuditedHeight = {
  readonly stored: StoredBlock;
  /** Null for the genesis. */
  readonly block: Block | null;
  readonly batches: readonly AuditedBatch[];
  readonly certified: CheckpointStatement | null;
};

export type ChainSummary = {
  readonly tipHeight: number;
  readonly tip: AuditedCheckpoint;
  /** The highest height whose checkpoint a quorum's signatures prove; -1 when there is none. */
  readonly certifiedHeight: number;
  readonly finalizedView: number;
  /** Blocks above the last finalization that holds, by height: nothing here proves them final. */
  readonly unproven: ReadonlyMap<number, string>;
  readonly blocks: number;
  readonly batches: number;
  readonly batchParts: number;
  readonly transactions: number;
  readonly signatures: number;
  /** The last batch listed of each author, by `floorName`. */
  readonly floors: ReadonlyMap<string, Batch['header'] & { readonly digest: Hash }>;
};

export function floorName({ epoch, author }: { readonly epoch: number; readonly author: number }): string {
  return `${epoch}/${author}`;
}

export type ChainRange = { readonly from: number; readonly to: number };

/** @param onHeight told each height of which everything is true */
export async function auditChain(
  task: ChainAudit,
  { from, to }: ChainRange,
  onHeight: (height: AuditedHeight) => void,
  pace: Pace,
): Promise<ChainSummary> {
  const { chain, findings, anchor, epochs, foundedHeight } = task;
  const lag = anchor.genesis.parameters.checkpointLag;
  const firstHeight = foundedHeight === 0 ? 0 : foundedHeight - lag;
  const counts = { blocks: 0, batches: 0, batchParts: 0, transactions: 0, signatures: 0 };
  const floors = new Map<string, Batch['header'] & { readonly digest: Hash }>();
  const unproven = new Map<number, string>();
  /** Digests of the last own checkpoints, by height: a block names the one `lag` below it. */
  const statements = new Map<number, Hash>();
  let certifiedHeight = -1;
  /** Of the latest epoch. */
  let finalizedView = 0;
  let last: AuditedCheckpoint = { own: null, certified: null };
  let before: StoredBlock | null = from === 0 ? null : findings.guard('block', {}, () => chain.blockByHeight(from - 1));
  // Of a chain that was founded later the history begins with what the quorum signed then.
  let history: HistoryAudit | null = foundedHeight > 0 && from <= foundedHeight ? null : historyFrom(before);

  for (let height = from; height <= to; height++) {
    const stored = findings.guard('block', { height }, () => chain.blockByHeight(height));
    last = auditCheckpoint(task, height);
    if (last.certified !== null) {
      certifiedHeight = height;
      counts.signatures += epochs.at(height).quorum;
    }
    noteStatement(height, last.certified ?? last.own);
    if (stored === null) {
      findings.add('block', 'audit.missing', `block ${height} is missing`, { height });
      [before, history] = [null, null];
      continue;
    }
    counts.blocks++;
    const audited = height === 0 ? auditGenesisBlock(task, stored) : auditHeight(stored);
    await pace.spend(stored.header.length + stored.body.length + (audited?.bytes ?? 0));
    if (height <= foundedHeight && foundedHeight > 0) auditFounding(stored);
    else if (audited === null) history = null;
    else addToHistory(stored, audited);
    before = stored;
  }
  findings.guard('history', {}, () => history?.end());
  return { tipHeight: to, tip: last, certifiedHeight, finalizedView, unproven, floors, ...counts };

  function historyFrom(block: StoredBlock | null): HistoryAudit | null {
    return findings.guard('history', { height: from }, () =>
      createHistoryAudit(chain.tiles, block?.historySize ?? 0, findings, task.areTilesHeld),
    );
  }

  /** A block from before the chain was founded, or the one it was founded at: what was in it is not held. */
  function auditFounding(stored: StoredBlock): void {
    const { height, historySize, verdicts } = stored;
    const statement = last.certified ?? last.own;
    if (statement !== null && statement.historySize !== historySize) {
      const what = `block ${height} is stored with ${historySize} leaves behind it, its checkpoint has ${statement.historySize}`;
      findings.add('block', 'audit.differs', what, { height });
    }
    if (verdicts.length !== 1 || verdicts[0] !== emptyList)
      findings.add('block', 'audit.surplus', `block ${height} is stored with verdicts, none are held`, { height });
    if (height < foundedHeight) return;
    history = historyFrom(stored);
    findings.guard('history', { height }, () => history?.add(height, [], last));
    onHeight({ stored, block: null, batches: [], certified: last.certified });
  }

  /** Null when not all of it is true. */
  function auditHeight(stored: StoredBlock): Audited | null {
    const { height } = stored;
    const block = auditBlock(task, stored);
    if (block !== null) checkLinks(stored, block);
    const view = auditFinalization(task, stored, block);
    const set = epochs.at(height);
    if (stored.finalization !== null) counts.signatures += set.quorum;
    unproven.set(height, toHex(stored.digest));
    if (view !== null) {
      unproven.clear();
      if (set === epochs.latest) finalizedView = Math.max(finalizedView, view);
    }
    const decided = block === null ? undefined : anchor.restarts.get(block.header.epoch)?.restart.block;
    if (decided !== undefined && equalBytes(decided.digest, block!.digest)) unproven.clear();
    if (block === null) return null;
    const batches = auditBatches(task, block);
    const whole = batches.filter((batch) => batch !== null);
    counts.batches += whole.length;
    counts.signatures += whole.length;
    for (const { batch, bytes } of whole) {
      counts.batchParts += Math.ceil(bytes.length / batchPartBytes);
      floors.set(floorName(batch.header), { ...batch.header, digest: batch.digest });
    }
    if (whole.length < batches.length) return null;
    return { block, batches: whole, bytes: whole.reduce((total, { bytes }) => total + bytes.length, 0) };
  }

  function checkLinks({ height }: StoredBlock, { header }: Block): void {
    const where = { height };
    if (before !== null && (!equalBytes(header.parent, before.digest) || header.timeMs <= before.timeMs))
      findings.add('block', 'audit.unlinked', `block ${height} does not follow block ${height - 1}`, where);
    const named = Math.max(0, height - lag);
    checkTarget(height, Math.max(named, epochs.at(height).genesis.height), header);
    const statement = statements.get(named);
    if (statement !== undefined && !equalBytes(statement, header.checkpoint)) {
      const what = `the checkpoint of height ${named} is not the one that block ${height} names`;
      findings.add('checkpoint', 'audit.differs', what, { height: named });
    }
  }

  /** An epoch ends with the block that the target of L heights ago says, for the set that it says; or with one that the members name. */
  function checkTarget(height: number, named: number, { nextSet }: Block['header']): void {
    if (named < firstHeight || (last.certified ?? last.own)?.round === restartRound) return;
    const where = { table: 'targets', height: named };
    findings.guard('block', where, () => {
      const [set, target] = [epochs.at(height), chain.epochs.targetAt(named)];
      const wanted = isChange(set, target) ? target.digest : null;
      if (wanted === null ? nextSet === null : nextSet !== null && equalBytes(nextSet, wanted)) return;
      const what = `what the ledger is stored to have wanted at height ${named} is not what block ${height} says`;
      findings.add('block', 'audit.differs', what, where);
    });
  }

  function noteStatement(height: number, statement: CheckpointStatement | null): void {
    if (statement !== null) statements.set(height, checkpointDigest(statement));
    // That of the genesis is named by the first blocks, which are the first ones here.
    statements.delete(height - lag - 1);
  }

  function addToHistory(stored: StoredBlock, audited: Audited): void {
    const { height } = stored;
    const entries = height === 0 ? genesisEntries(anchor.genesis) : acceptedIn(stored, audited.batches);
    counts.transactions += audited.batches.reduce((total, { transactions }) => total + transactions.length, 0);
    if (entries === null) {
      history = null;
      return;
    }
    findings.guard('history', { height }, () => history?.add(height, entries, last));
    if (history !== null && stored.historySize !== history.size()) {
      const what = `block ${height} is stored with ${stored.historySize} leaves behind it, there are ${history.size()}`;
      findings.add('block', 'audit.differs', what, { height });
    }
    onHeight({ stored, block: audited.block, batches: audited.batches, certified: last.certified });
  }

  /** Entries of the transactions that the stored verdicts call accepted; null when they cannot be read. */
  function acceptedIn({ height, verdicts }: StoredBlock, batches: readonly AuditedBatch[]): Hash[] | null {
    const transactions = batches.flatMap((batch) => batch.transactions);
    const decoded = decodeVerdicts(verdicts, transactions.length);
    if (decoded === null) {
      findings.add('block', 'audit.malformed', `the verdicts of block ${height} cannot be read`, { height });
      return null;
    }
    const entries: Hash[] = [];
    for (const [position, transaction] of transactions.entries()) {
      const { isLeaf, code } = decoded[position]!;
      if (isLeaf !== (code === 'ok') || (isLeaf && 'malformed' in transaction)) {
        const what = `transaction ${position} of block ${height} is called "${code}", which does not fit its leaf`;
        findings.add('block', 'audit.differs', what, { height, key: String(position) });
      }
      if (isLeaf)
        entries.push('malformed' in transaction ? sha256(transaction.malformed) : transactionEntry(transaction));
    }
    return entries;
  }
}

type Audited = { readonly block: Block | null; readonly batches: readonly AuditedBatch[]; readonly bytes: number };

/** Height 0 stands for the genesis document and has no bytes of its own. */
function auditGenesisBlock({ anchor, findings }: ChainAudit, stored: StoredBlock): Audited | null {
  const isGenesis =
    equalBytes(stored.digest, anchor.ledgerHash) &&
    stored.header.length === 0 &&
    stored.body.length === 0 &&
    stored.finalization === null &&
    stored.timeMs === anchor.genesis.timeMs;
  if (isGenesis) return { block: null, batches: [], bytes: 0 };
  findings.add('block', 'audit.differs', 'the block of height 0 is not the genesis', { height: 0 });
  return null;
}
