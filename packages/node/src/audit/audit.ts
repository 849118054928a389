/**
 * Audit: the complete verification of what a stopped node has on disk (protocol.md section 6). Everything is read back from
 * the files and held against two things alone: the genesis document and the signatures of quorums. A hash that lies beside
 * what it covers proves nothing, since who changes the one can change the other.
 *
 * - genesis -> validators of each epoch -> finalizations -> blocks -> batches -> transactions: every signature and digest;
 * - certified checkpoints: every signature; the history tree grown again from the accepted transactions; the state tree over
 *   all entries, when its height is certified;
 * - re-execution (`replay`): all of it made anew from the blocks and compared row by row, which also proves verdicts, the
 *   state above the last certified checkpoint, and every byte of the derived view, and names the entry that differs;
 * - journal, signing mark, keys and settings.
 *
 * Nothing is written into the folder, and damaged input is a finding, never an exception. What this cannot tell: whether the
 * end of a journal is missing when nothing that this node signed stood in it; only peers know that.
 */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  type CairnError,
  equalBytes,
  fail,
  ok,
  type Result,
  readAdmissions,
  readValidators,
  sha256,
  toHex,
  type Validator,
} from '@cairn-ledger/core';
import { nodeConfigName } from '../config/node-config.ts';
import { installNodeSha256 } from '../crypto/sha256.ts';
import { nothingSigned, raiseMark, type Signed, type SigningMark } from '../driver/signing-mark.ts';
import type { DirectoryLock } from '../journal/file-system.ts';
import { nodeFileSystem } from '../journal/node-file-system.ts';
import { ChainDb } from '../storage/chain-db.ts';
import { chainSchema, chainSchemaVersion } from '../storage/chain-schema.ts';
import type { ChainAudit } from './block-audit.ts';
import { auditChain, type ChainSummary } from './chain-audit.ts';
import { type AuditedEpochs, auditEpochs, auditTargets, compareTargetWithState, genesisEpochs } from './epoch-audit.ts';
import { createFindings, type Finding, type FindingClass, type Findings } from './finding.ts';
import { type Anchor, auditConfig, auditGenesis, auditKeys, marksIn, type NodeFolder } from './founding-audit.ts';
import { auditJournal, type JournalMemory } from './journal-audit.ts';
import { logBytesOf } from './log-file.ts';
import { type MadeAnew, makeAnew, TemporaryFailed } from './made-anew.ts';
import { auditMark } from './mark-audit.ts';
import { createPace, type Pace } from './pace.ts';
import { auditRowCounts } from './row-counts.ts';
import { auditState } from './state-audit.ts';
import { openStored, type StoredDatabase } from './stored-database.ts';
import { auditRecentView, openView, type StoredView } from './view-audit.ts';

export type AuditOptions = {
  /** Execute all blocks again. Absent: when the chain has at most `replayTransactionsMax` transactions, or its tip is not certified. */
  readonly replay?: boolean | undefined;
  /** Only the last heights, without re-execution and without looking through the pages of the databases. */
  readonly recent?: number | undefined;
  /** The genesis from a source the caller trusts; absent: the one in the folder. */
  readonly genesis?: Uint8Array | undefined;
  /** Findings that are listed; all are counted. */
  readonly listedMax?: number | undefined;
  readonly maxBytesPerSecond?: number | undefined;
  /** Ends the audit: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: AuditProgress) => void) | undefined;
  /** For the databases made anew, which need as much room as the stored ones. */
  readonly tempDir?: string | undefined;
};

export type AuditProgress = { readonly part: 'journal' | 'chain' | 'state' | 'compare'; readonly height?: number };

export type AuditReport = {
  readonly folder: string;
  /** Hash of the genesis that was trusted; null when there was none to trust. */
  readonly ledgerHash: string | null;
  readonly isSound: boolean;
  readonly findings: readonly Finding[];
  readonly findingsCount: number;
  readonly findingsByClass: Partial<Record<FindingClass, number>>;
  readonly notes: readonly Finding[];
  readonly checked: {
    readonly fromHeight: number;
    readonly toHeight: number;
    /** -1: none. */
    readonly certifiedHeight: number;
    readonly isReplayed: boolean;
    readonly blocks: number;
    readonly batches: number;
    readonly transactions: number;
    /** Of validators: certificates, batches, checkpoints. */
    readonly signatures: number;
    readonly stateEntries: number;
    readonly journalRecords: number;
  };
  readonly bytes: number;
  readonly seconds: number;
};

/** Chains up to this length are executed again unless told otherwise: some minutes. */
export const replayTransactionsMax = 1_000_000;
const listedMaxDefault = 100;
const progressEveryHeights = 500;

type Task = {
  readonly options: AuditOptions;
  readonly folder: NodeFolder;
  readonly anchor: Anchor;
  readonly findings: Findings;
  readonly pace: Pace;
  /** The databases were closed in order, so the node was stopped and did not crash. */
  readonly wasStopped: boolean;
  readonly epochs: AuditedEpochs;
};

/** Errors: `audit.not-a-node`, `audit.running`, `audit.no-temporary-room`; everything else that is wrong is a finding. */
export async function auditFolder(dir: string, options: AuditOptions = {}): Promise<Result<AuditReport, CairnError>> {
  const startedMs = performance.now();
  installNodeSha256();
  const pace = createPace(options);
  const isFatal = (cause: unknown): boolean => cause instanceof TemporaryFailed || (options.signal?.aborted ?? false);
  const findings = createFindings(options.listedMax ?? listedMaxDefault, isFatal);
  const folder = auditConfig(dir, findings);
  if (!existsSync(join(dir, nodeConfigName)) && !existsSync(folder.keysDir) && !existsSync(folder.dataDir)) {
    const message = `${resolve(dir)} is not the folder of a node: it has no node.json, no keys and no data`;
    return fail({ code: 'audit.not-a-node', message });
  }
  if (!hasRun(folder)) {
    const message = `the node in ${resolve(dir)} has never run: there is nothing to audit`;
    return fail({ code: 'audit.not-a-node', message });
  }
  const lock = await lockFolder(folder, findings);
  if (lock === 'running') {
    const message = `a node runs on ${resolve(dir)}: stop it, or audit a copy of its folder made while it was stopped`;
    return fail({ code: 'audit.running', message });
  }
  try {
    const anchor = auditGenesis(folder, options.genesis ?? null, findings);
    if (anchor === null) auditKeys(folder, null, findings);
    const outcome = anchor === null ? null : await auditData({ options, folder, anchor, findings, pace });
    return ok({
      folder: resolve(dir),
      ledgerHash: anchor === null ? null : toHex(anchor.ledgerHash),
      isSound: findings.count() === 0,
      findings: findings.listed,
      findingsCount: findings.count(),
      findingsByClass: findings.countByClass(),
      notes: findings.notes,
      checked: outcome ?? nothingChecked,
      bytes: pace.readBytes(),
      seconds: (performance.now() - startedMs) / 1000,
    });
  } catch (cause) {
    if (!(cause instanceof TemporaryFailed)) throw cause;
    const message = `the databases cannot be made anew in ${options.tempDir ?? tmpdir()} (${cause.message}): make room, set TMPDIR, or audit the last heights only (--recent)`;
    return fail({ code: 'audit.no-temporary-room', message });
  } finally {
    lock?.release();
  }
}

/** A node that has run once has left something; without any of it, it was never started or everything is gone. */
function hasRun({ dataDir, keysDir }: NodeFolder): boolean {
  const left = [join(dataDir, 'journal'), join(dataDir, 'chain.db'), join(dataDir, 'view.db')];
  return left.some((path) => existsSync(path)) || marksIn(keysDir).length > 0;
}

export const nothingChecked: AuditReport['checked'] = {
  fromHeight: 0,
  toHeight: -1,
  certifiedHeight: -1,
  isReplayed: false,
  blocks: 0,
  batches: 0,
  transactions: 0,
  signatures: 0,
  stateEntries: 0,
  journalRecords: 0,
};

/** Keeps a node from starting meanwhile. Without a lock file none has ever run; on a read-only disk none can. */
async function lockFolder({ dataDir }: NodeFolder, findings: Findings): Promise<DirectoryLock | 'running' | null> {
  const directory = join(dataDir, 'journal');
  if (!existsSync(join(directory, 'lock'))) return null;
  try {
    return (await nodeFileSystem.lock(directory)) ?? 'running';
  } catch (cause) {
    findings.note('journal', 'audit.unreadable', `the lock cannot be taken: ${(cause as Error).message}`, {
      file: 'lock',
    });
    return null;
  }
}

/** The database of the chain, and who signed what is in it. */
type OpenedChain = {
  readonly stored: StoredDatabase;
  readonly chain: ChainDb;
  readonly foundedHeight: number;
};

async function auditData(given: Omit<Task, 'wasStopped' | 'epochs'>): Promise<AuditReport['checked']> {
  const { folder, anchor, findings, pace, options } = given;
  const chainPath = join(folder.dataDir, 'chain.db');
  const wasStopped = logBytesOf(chainPath) === null;
  const isComplete = options.recent === undefined;
  options.onProgress?.({ part: 'journal' });
  const stored = await openStored(
    { path: chainPath, schema: chainSchema, schemaVersion: chainSchemaVersion, isComplete, kind: 'database' },
    findings,
    pace,
  );
  try {
    const opened = stored === null ? null : openChain(given, stored);
    const epochs = opened === null ? genesisEpochs(anchor) : auditEpochs(anchor, opened.chain, findings);
    const task: Task = { ...given, wasStopped, epochs };
    auditKeys(folder, validatorsKnown(task, epochs, opened?.chain ?? null), findings);
    const directory = join(folder.dataDir, 'journal');
    const memory = await auditJournal(
      { directory, anchor, epochs, selfId: folder.validatorId, wasStopped },
      findings,
      pace,
    );
    const outcome = opened === null ? null : await auditChainDb(task, opened, memory);
    const { finalizedView = 0, ownSigned = nothingSigned } = outcome ?? {};
    const executedHeight = outcome?.checked.toHeight ?? 0;
    auditMark({ ...task, epoch: epochs.latest.epoch, memory, finalizedView, executedHeight, ownSigned }, findings);
    return { ...(outcome?.checked ?? nothingChecked), journalRecords: memory?.records ?? 0 };
  } finally {
    stored?.close();
  }
}

/** Of the present epoch, those whom the ledger wants or has admitted; and of a node that has left what it was. */
function validatorsKnown({ folder, findings }: Task, epochs: AuditedEpochs, chain: ChainDb | null): Validator[] {
  const known: Validator[] = [...epochs.latest.validators];
  if (chain !== null) {
    const { store } = chain;
    const wanted = findings.guard('state', { table: 'state' }, () => [
      ...readValidators(store),
      ...readAdmissions(store).map(({ validator }) => validator),
    ]);
    known.push(...(wanted ?? []));
  }
  for (let epoch = epochs.latest.epoch - 1; epoch >= 1; epoch--) {
    if (known.some(({ id }) => id === folder.validatorId)) break;
    known.push(...epochs.of(epoch)!.validators);
  }
  return known;
}

/** Null when nothing in it can be looked at. */
function openChain(task: Omit<Task, 'wasStopped' | 'epochs'>, stored: StoredDatabase): OpenedChain | null {
  const { findings } = task;
  const where = { file: 'chain.db' };
  const chain = findings.guard('database', where, () => new ChainDb(stored.database));
  if (chain === null || !isOfLedger(task, stored)) return null;
  const foundedHeight = findings.guard('database', { ...where, table: 'meta' }, () => chain.foundedHeight()) ?? 0;
  return { stored, chain, foundedHeight };
}

type Outcome = {
  readonly checked: AuditReport['checked'];
  readonly finalizedView: number;
  readonly ownSigned: SigningMark;
};

async function auditChainDb(task: Task, opened: OpenedChain, memory: JournalMemory | null): Promise<Outcome | null> {
  const { findings, pace, folder, anchor, epochs, options } = task;
  const { stored, chain, foundedHeight } = opened;
  const { database } = stored;
  const tip = findings.guard('block', {}, () => chain.tip());
  if (tip === null) {
    findings.add('block', 'audit.missing', 'the chain has no block, not even that of the genesis', {
      file: 'chain.db',
    });
    return null;
  }
  const firstHeight = foundedHeight === 0 ? 0 : foundedHeight - anchor.genesis.parameters.checkpointLag;
  const isWhole = options.recent === undefined;
  const view = await openView(folder, isWhole, findings, pace);
  const from = isWhole ? firstHeight : Math.max(firstHeight, tip.height - options.recent! + 1);
  const isReplayed =
    isWhole && foundedHeight === 0 && (options.replay ?? needsReplay(stored, chain, tip.height, findings));
  let made: MadeAnew | null = null;
  let ownSigned = nothingSigned;
  const chainTask: ChainAudit = {
    anchor,
    chain,
    database,
    epochs,
    foundedHeight,
    areTilesHeld: true,
    findings,
    selfId: folder.validatorId,
    onOwnSigned: (signed: Signed): void => {
      ownSigned = raiseMark(ownSigned, signed);
    },
  };
  try {
    made = isWhole ? makeAnewFor(task, opened, isReplayed, view) : null;
    auditTargets(anchor, chain, firstHeight, findings);
    const summary = await auditChain(
      chainTask,
      { from, to: tip.height },
      ({ stored: at, block, batches, certified }) => {
        if (at.height % progressEveryHeights === 0) options.onProgress?.({ part: 'chain', height: at.height });
        made?.add(at, block, batches, certified);
        if (made === null && view !== null) auditRecentView(view, chain, at, findings);
      },
      pace,
    );
    compareWithJournal(task, chain, summary, memory);
    options.onProgress?.({ part: 'state' });
    const stateEntries = await auditState(chainTask, tip.height, summary.tip, pace);
    compareTargetWithState(chain, tip.height, findings);
    options.onProgress?.({ part: 'compare' });
    const isRemade = (made?.reaches(tip.height) ?? false) && isReplayed;
    if (isRemade) await made!.compareChain(stored, pace);
    else if (isWhole) auditRowCounts(chainTask, summary, firstHeight);
    if (view !== null && made?.reaches(view.height)) await made.compareView(view.stored, pace);
    if (view !== null) compareProgress(view, tip.height, findings);
    noteUnproven(task, summary, memory, isRemade);
    if (foundedHeight > 0) noteFounding(findings, foundedHeight);
    const { blocks, batches, transactions, signatures, certifiedHeight, finalizedView } = summary;
    const checked = { blocks, batches, transactions, signatures, certifiedHeight, stateEntries };
    return {
      checked: { ...checked, fromHeight: from, toHeight: tip.height, isReplayed: isRemade, journalRecords: 0 },
      finalizedView,
      ownSigned,
    };
  } finally {
    made?.end();
    view?.stored.close();
  }
}

function noteFounding(findings: Findings, height: number): void {
  const what = `the chain here was founded at height ${height} from a snapshot: what was before, nodes that have it can prove`;
  findings.note('block', 'audit.unproven', what, { height });
}

function makeAnewFor(
  { anchor, epochs, findings, options }: Task,
  { chain, foundedHeight: firstHeight }: OpenedChain,
  isReplay: boolean,
  view: StoredView | null,
): MadeAnew {
  const tempDir = options.tempDir ?? tmpdir();
  const viewHeight = view?.height ?? null;
  return makeAnew({ anchor, epochs, firstHeight, tempDir, isReplay, chain, viewHeight }, findings);
}

/** Short chains, and where nothing else proves the state; a damaged answer only decides whether blocks are executed again. */
function needsReplay({ database }: StoredDatabase, chain: ChainDb, tipHeight: number, findings: Findings): boolean {
  const certified = findings.guard('checkpoint', {}, () => chain.latestCertified());
  if (certified === null || certified.height < tipHeight) return true;
  const read = 'SELECT MAX(history_size) AS size FROM blocks';
  const row = findings.guard('block', { table: 'blocks' }, () => database.sqlite.prepare(read).get());
  return Number((row as { size: number } | null)?.size ?? 0) <= replayTransactionsMax;
}

/** Whether the database says that it is of the ledger of the genesis; the marks tell which of the two was exchanged. */
function isOfLedger(
  { anchor, folder, findings, options }: Omit<Task, 'wasStopped' | 'epochs'>,
  { database }: StoredDatabase,
): boolean {
  const where = { file: 'chain.db', table: 'meta' };
  const read = "SELECT value FROM meta WHERE key = 'ledger'";
  const row = findings.guard('database', where, () => database.sqlite.prepare(read).get() ?? {});
  const { value } = (row ?? {}) as { value?: unknown };
  if (value instanceof Uint8Array && equalBytes(value, anchor.ledgerHash)) return true;
  const own = `signed-${toHex(anchor.ledgerHash.subarray(0, 8))}.mark`;
  const marks = marksIn(folder.keysDir);
  const isGenesisOther = options.genesis === undefined && marks.length > 0 && !marks.includes(own);
  const what = 'the database is of another ledger than the genesis: compare its hash with that of other nodes';
  findings.add(isGenesisOther ? 'genesis' : 'database', 'audit.foreign', what, where);
  // With a genesis that is surely ours the chain itself can still be looked at.
  return !isGenesisOther;
}

/** An own checkpoint is recorded once its block is durable, so the chain reaches at least as far, with the same result. */
function compareWithJournal(
  { findings }: Task,
  chain: ChainDb,
  { tipHeight }: ChainSummary,
  memory: JournalMemory | null,
): void {
  for (const { height, round, digest } of memory?.checkpoints ?? []) {
    if (height > tipHeight) {
      const what = `the journal has an own checkpoint of height ${height}, the chain ends at ${tipHeight}: commits are lost`;
      findings.add('block', 'audit.behind', what, { height: tipHeight + 1 });
      return;
    }
    const checkpoint = findings.guard('checkpoint', { height }, () => chain.checkpoint(height));
    // Of an earlier round: the height was executed again since.
    if (checkpoint === null || checkpoint.round > round) continue;
    if (toHex(sha256(checkpoint.statement)) === digest) continue;
    const what = `the checkpoint of height ${height} is not the one that was signed, as the journal has it`;
    findings.add('checkpoint', 'audit.contradiction', what, { height });
  }
}

/** A view that is behind is brought up to the chain at the next start; one that is ahead shows what is not there. */
function compareProgress({ height }: StoredView, tipHeight: number, findings: Findings): void {
  const where = { file: 'view.db', table: 'progress' };
  if (height > tipHeight)
    findings.add('view', 'audit.differs', `the view is at height ${height}, the chain ends at ${tipHeight}`, where);
  else if (height < tipHeight)
    findings.note('view', 'audit.behind', `the view is ${tipHeight - height} blocks behind the chain`, where);
}

/** What the signatures here do not reach. Made again from proven blocks, the state above the last checkpoint is proven too. */
function noteUnproven(task: Task, summary: ChainSummary, memory: JournalMemory | null, isReplayed: boolean): void {
  const { findings, options } = task;
  const { tipHeight, certifiedHeight, unproven } = summary;
  // A finalization that came after its block was executed stands in the journal alone.
  const last = [...unproven.values()].at(-1);
  if (last !== undefined && !(memory?.isFinal(last) ?? false)) {
    const [first] = unproven.keys();
    const what = `nothing proves blocks ${first} to ${tipHeight} final: no finalization of them is stored`;
    findings.add('certificate', 'audit.unproven', what, { height: first! });
  }
  if (isReplayed) return;
  if (certifiedHeight < tipHeight) {
    const what = `the state is of height ${tipHeight}, certified is ${certifiedHeight}: only re-execution (--replay) proves it`;
    findings.note('state', 'audit.unproven', what, { height: tipHeight });
  }
  if (options.recent === undefined) {
    const what = 'why transactions were rejected is not certified: only re-execution (--replay) proves it';
    findings.note('block', 'audit.unproven', what);
  }
}
