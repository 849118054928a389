/**
 * Certifying results anew (protocol.md section 4): a bug made the results of more than f validators differ, so that no result from a height
 * on can be certified. The software is mended; now each operator has a stopped node execute what lies above the highest certified height
 * again, in a round of its own, so that no validator signs two results in one.
 *
 * What a crash may interrupt: first the chain is executed again beside the old one, then the round is recorded, durably, then the
 * new chain takes the old one's place. Once the round is recorded, each start finishes that.
 */
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import {
  blockFromParts,
  type CairnError,
  checkpointDigest,
  equalBytes,
  fail,
  ok,
  type Result,
  restartRound,
  roundMax,
} from '@cairn-ledger/core';
import { bytesToRecord } from '../driver/journal-record.ts';
import { errorOf, orThrow } from '../failure.ts';
import { repairView } from '../healing/repair-view.ts';
import { draftPathOf } from '../healing/replace-file.ts';
import { type Journal, openJournal } from '../journal/journal.ts';
import type { Stopped } from '../restart/standing.ts';
import { type ChainDb, openChainDb } from '../storage/chain-db.ts';
import { adoptDraft, hasChainFile, removeDatabase } from '../storage/chain-replacement.ts';
import { isRestart } from '../storage/restart-block.ts';
import { damageOf } from '../storage/storage-error.ts';
import { storedStatement } from '../storage/stored-statement.ts';
import { executeAgain } from './executed-again.ts';
import { recordedRound } from './recorded-round.ts';
import { type RoundRecord, type RoundRecords, readRounds, writeRounds } from './round-records.ts';

export type ResultsStanding = {
  /** The highest certified height, and the highest executed one. */
  readonly certifiedHeight: number;
  readonly height: number;
  readonly recorded: RoundRecords;
  /** The lowest round that nothing was recorded or signed in here. */
  readonly nextRound: number;
};

export type Recertified = ResultsStanding & {
  /** Heights that were executed again; 0 where that was done before, or nothing lies above. */
  readonly executedAgain: number;
};

type OnHeight = (height: number, tipHeight: number) => void;

/** Errors: those of journal and chain.db; `recertify.no-chain`, `recertify.diverged`. */
export function resultsStandingOf(stopped: Stopped): Promise<Result<ResultsStanding, CairnError>> {
  return withOpened(stopped, async (opened) => standingOf(opened));
}

/**
 * Records a round for what lies above a height, and executes that again. The same command a second time finishes the first one, or changes
 * nothing.
 *
 * Errors: those of `resultsStandingOf`; `recertify.certified`, `recertify.behind`, `recertify.round-used`, `recertify.unwritable`; those of
 * `executeAgain`. Nothing is recorded then, and the chain is as it was.
 */
export function recertify(
  stopped: Stopped,
  record: RoundRecord,
  onHeight?: OnHeight,
): Promise<Result<Recertified, CairnError>> {
  return withOpened(stopped, async (opened) => {
    const standing = await standingOf(opened);
    if (!standing.ok) return standing;
    const { recorded } = standing.value;
    const isRepeated = recorded.some(({ above, round }) => above === record.above && round === record.round);
    const refusal = isRepeated ? null : refusalOf(standing.value, record);
    if (refusal !== null) return fail(refusal);
    const rounds = isRepeated ? recorded : [...recorded, record];
    const { founding, config } = opened.stopped;
    const again = executeDue(opened, standing.value.certifiedHeight, rounds, onHeight);
    if (!again.ok) return again;
    const written = isRepeated ? ok(undefined) : writeRounds(config.keysDir, founding.ledgerHash, rounds);
    if (!written.ok) return written;
    if (again.value > 0) adopt(opened);
    return ok({ ...standing.value, recorded: rounds, executedAgain: again.value });
  });
}

/**
 * Ends, at a start, what a crash has interrupted after the round was recorded; also where a chain was put back that is older than the record.
 *
 * Errors: those of journal, chain.db and `executeAgain`.
 *
 * @returns how many heights were executed again
 */
export async function finishRecertification(
  stopped: Stopped,
  onHeight?: OnHeight,
): Promise<Result<number, CairnError>> {
  if (stopped.founding.rounds.length === 0) return ok(0);
  const finished = await withOpened(stopped, async (opened): Promise<Result<number, CairnError>> => {
    // It mends itself from what the others have.
    if (divergedFrom(opened) !== null) return ok(0);
    const again = executeDue(opened, certifiedHeightOf(opened), opened.recorded, onHeight);
    if (again.ok && again.value > 0) adopt(opened);
    return again;
  });
  const isNothing = !finished.ok && isForPeers(finished.error);
  return isNothing ? ok(0) : finished;
}

/** Where there is no chain, or none with a beginning, the node goes on from what a quorum of the others certifies. */
function isForPeers({ code }: CairnError): boolean {
  return code === 'recertify.no-chain' || code === 'recertify.no-beginning';
}

function refusalOf({ certifiedHeight, height, nextRound }: ResultsStanding, record: RoundRecord): CairnError | null {
  const { above, round } = record;
  const refuse = (code: string, message: string): CairnError => ({ code, message });
  if (above < certifiedHeight)
    return refuse(
      'recertify.certified',
      `block ${above + 1} has a certified result here, as all up to ${certifiedHeight}: it stands`,
    );
  if (above > certifiedHeight) {
    const what = `the highest certified result here is that of block ${certifiedHeight}, and the chain ends at ${height}`;
    return refuse(
      'recertify.behind',
      `${what}: this node has yet to hear of what a quorum has signed of block ${above}`,
    );
  }
  if (round < nextRound || round > roundMax)
    return refuse('recertify.round-used', `a round from ${nextRound} to ${roundMax} can be begun here, not ${round}`);
  return null;
}

/** Executes what is above the certified height again into the draft, where a recorded round says so; returns how many heights. */
function executeDue(
  { stopped, chain, path }: Opened,
  certifiedHeight: number,
  rounds: RoundRecords,
  onHeight: OnHeight | undefined,
): Result<number, CairnError> {
  const { genesis, ledgerHash } = stopped.founding;
  const { height: tipHeight } = chain.tip()!;
  let isDue = false;
  for (let height = certifiedHeight + 1; height <= tipHeight; height++) {
    const round = recordedRound(chain, rounds, height, genesis.parameters.checkpointLag);
    if (!isRestart(chain, height) && storedStatement(chain, height).round < round) isDue = true;
  }
  if (!isDue) return ok(0);
  const draft = draftPathOf(path);
  const options = { source: chain, path: draft, genesis, ledgerHash, certifiedHeight, rounds };
  const again = executeAgain({ ...options, ...(onHeight !== undefined && { onHeight }) });
  if (again.ok) return ok(tipHeight - certifiedHeight);
  removeDatabase(draft);
  return again;
}

/** The draft becomes the chain. The view is of the old results, and made anew from the chain at the next start. */
function adopt({ closeChain, path, stopped }: Opened): void {
  repairView(join(stopped.config.dataDir, 'view.db'));
  closeChain();
  adoptDraft(path, () => {
    const old = `${path}.superseded`;
    removeDatabase(old);
    for (const suffix of ['-wal', '-shm', '']) if (existsSync(path + suffix)) renameSync(path + suffix, old + suffix);
  });
}

async function standingOf(opened: Opened): Promise<Result<ResultsStanding, CairnError>> {
  const { chain, journal, recorded } = opened;
  const { height } = chain.tip()!;
  const diverged = divergedFrom(opened);
  if (diverged !== null) return fail(diverged);
  let last = recorded.at(-1)?.round ?? 0;
  const note = (round: number): void => {
    if (round !== restartRound) last = Math.max(last, round);
  };
  const certifiedHeight = certifiedHeightOf(opened);
  for (let at = certifiedHeight + 1; at <= height; at++) note(storedStatement(chain, at).round);
  for await (const { type, payload } of journal.records()) {
    const record = orThrow(bytesToRecord(type, payload));
    if (record.type === 'own-checkpoint') note(record.statement.round);
  }
  return ok({ certifiedHeight, height, recorded, nextRound: last + 1 });
}

/** A quorum has signed what the last block names; null where the own result is that. */
function divergedFrom({ chain, stopped }: Opened): CairnError | null {
  const { height, header, body } = chain.tip()!;
  const named = height - stopped.founding.genesis.parameters.checkpointLag;
  if (named <= 0) return null;
  const block = blockFromParts(header, body);
  if (!block.ok) throw damageOf('block', `block ${height} cannot be read`);
  if (equalBytes(block.value.header.checkpoint, checkpointDigest(storedStatement(chain, named)))) return null;
  const message = `a quorum has signed another result of block ${named} than this node has: start it, so that it mends itself`;
  return { code: 'recertify.diverged', message };
}

/** By a quorum's signatures, by the last block, which names what a quorum has signed, or because members have vouched for it. */
function certifiedHeightOf({ chain, stopped }: Opened): number {
  const { genesisHeight } = chain.epochs.latest()!;
  const named = chain.tip()!.height - stopped.founding.genesis.parameters.checkpointLag;
  const vouched = isRestart(chain, genesisHeight) ? genesisHeight : 0;
  return Math.max(chain.latestCertified()?.height ?? 0, named, vouched);
}

type Opened = {
  readonly stopped: Stopped;
  readonly journal: Journal;
  readonly chain: ChainDb;
  /** As they stand while nobody else runs on this folder. */
  readonly recorded: RoundRecords;
  /** Of the chain. */
  readonly path: string;
  /** Nothing is read of the chain any more. */
  closeChain(): void;
};

async function withOpened<T>(
  stopped: Stopped,
  use: (opened: Opened) => Promise<Result<T, CairnError>>,
): Promise<Result<T, CairnError>> {
  const { config, founding } = stopped;
  const path = join(config.dataDir, 'chain.db');
  if (!hasChainFile(path))
    return fail({ code: 'recertify.no-chain', message: `${config.dataDir} holds no chain: start the node` });
  let journal: Journal | null = null;
  let chain: ChainDb | null = null;
  try {
    // Its lock keeps a node that runs out.
    journal = orThrow(await openJournal(join(config.dataDir, 'journal'))).journal;
    const recorded = orThrow(readRounds(config.keysDir, founding.ledgerHash));
    chain = orThrow(openChainDb(path, { ledgerHash: founding.ledgerHash }));
    if (chain.tip() === null)
      return fail({ code: 'recertify.no-chain', message: `${path} is empty: start the node first` });
    const open = chain;
    const closeChain = (): void => {
      open.close();
      chain = null;
    };
    return await use({ stopped, journal, chain, recorded, path, closeChain });
  } catch (cause) {
    return fail(errorOf(cause));
  } finally {
    chain?.close();
    await journal?.close();
  }
}
