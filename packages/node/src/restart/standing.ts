/**
 * How a stopped node stands, for members who decide on a restart (protocol.md section 6): where its chain ends and with what result, and
 * by which life number its safety record is known. Whether the record was lost is found out as at every start, by the same code;
 * one that was gets its number here, durably, before anybody is told of it.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type CairnError,
  checkpointDigest,
  equalBytes,
  fail,
  type Hash,
  lifeSizeBytes,
  ok,
  type Proposal,
  type RestartPoint,
  type Result,
  readParameters,
  readTarget,
  type SignedRestart,
  toEpoch,
  toHash,
  toHeight,
  toHex,
  type Validator,
} from '@cairn-ledger/core';
import { type Founding, readFounding } from '../config/founding.ts';
import { type NodeConfig, readNodeConfig } from '../config/node-config.ts';
import { installNodeSha256 } from '../crypto/sha256.ts';
import { createNodeSigner } from '../crypto/signer.ts';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { Driver } from '../driver/driver.ts';
import { bytesToRecord, recordToBytes } from '../driver/journal-record.ts';
import type { SigningMark } from '../driver/signing-mark.ts';
import { errorOf, NodeFailed, orThrow } from '../failure.ts';
import { type Journal, openJournal } from '../journal/journal.ts';
import { isNotedAsRolledBack, noteRolledBack } from '../keys/rolled-back.ts';
import { openSigningMark, type SigningMarkFile, signingMarkPath } from '../keys/signing-mark-file.ts';
import { type ChainDb, openChainDb } from '../storage/chain-db.ts';
import { hasChainFile } from '../storage/chain-replacement.ts';
import { storedStatement } from '../storage/stored-statement.ts';
import { originOf, readOrigin } from '../threads/stored-origin.ts';
import { type RestartState, restartStateOf } from './restart-chain.ts';

export type NodeStanding = {
  readonly nodeId: string;
  readonly point: RestartPoint;
  /** Whom the ledger wants after that height, ascending. */
  readonly validators: readonly Validator[];
  /** Ids of those who vote in its epoch, ascending: while a change of the set waits they are others. */
  readonly voters: readonly string[];
  /** Of its safety record; null for the first one of a validator of the genesis. */
  readonly life: Uint8Array | null;
  /** The set of the present epoch does not name that number, or the record remembers less than was signed. */
  readonly isLost: boolean;
  /** The last epoch that it has signed in, by the mark beside its keys. */
  readonly signedEpoch: number;
  /** The highest height of which it has signed a result, by the mark beside its keys. */
  readonly signedHeight: number;
  /** The highest that it knows to be final. */
  readonly finalizedHeight: number;
  /** The highest that it has voted to finalize, so that it may be final somewhere; `finalizedHeight` where it is no higher. */
  readonly votedHeight: number;
};

const recordPollMs = 5;
const recordWaitMs = 30_000;

/**
 * Looks at a stopped node, and gives its record a life number if it needs one.
 *
 * Errors: those of settings, founding, journal, mark and chain.db; `restart.no-chain`.
 */
export async function standingOf(dir: string): Promise<Result<NodeStanding, CairnError>> {
  const stopped = readStopped(dir);
  return stopped.ok ? withOpened(stopped.value, async (opened) => ok(await lookAt(opened))) : stopped;
}

/**
 * How the chain of a stopped node stands to a document; `below` also where it has no chain.
 *
 * Errors: as for `standingOf`; those of `restartStateOf`; `restart.finalized-above` also for what is final and not executed;
 * `restart.voted-above`.
 *
 * @param isLosing what the node has voted to finalize above it, and does not know to be final, is given up
 */
export async function restartStateIn(
  dir: string,
  signed: SignedRestart,
  isLosing = false,
): Promise<Result<RestartState, CairnError>> {
  const stopped = readStopped(dir);
  if (!stopped.ok) return stopped;
  const found = await withOpened(stopped.value, async (opened) => {
    const standing = await lookAt(opened);
    const above = finalAbove(standing, signed) ?? (isLosing ? null : votedAbove(standing, signed));
    if (above !== null) return fail(above);
    const { checkpointLag } = opened.founding.genesis.parameters;
    return restartStateOf(opened.chain, signed, checkpointLag, sodiumVerifier);
  });
  return !found.ok && found.error.code === 'restart.no-chain' ? ok('below') : found;
}

/**
 * Whether a node that is about to start may end its epoch as the members have decided, where its chain has come to that height. The chain
 * tells what is executed; of a block above that is final all the same the journal alone knows.
 *
 * Errors: those of journal, mark and chain.db; `restart.finalized-above`.
 */
export async function checkNothingAbove(stopped: Stopped): Promise<Result<void, CairnError>> {
  const { restarts } = stopped.founding;
  if (restarts.size === 0) return ok(undefined);
  const checked = await withOpened(stopped, async (opened) => {
    const tip = opened.chain.tip()!;
    const signed = restarts.get(opened.chain.epochs.latest()!.epoch);
    if (signed === undefined || signed.restart.block.header.height !== tip.height + 1) return ok(undefined);
    const above = finalAbove(await lookAt(opened), signed);
    return above === null ? ok(undefined) : fail(above);
  });
  return !checked.ok && checked.error.code === 'restart.no-chain' ? ok(undefined) : checked;
}

function finalAbove({ point, finalizedHeight }: NodeStanding, { restart }: SignedRestart): CairnError | null {
  const { epoch, height } = restart.block.header;
  if (point.epoch !== epoch || finalizedHeight < height) return null;
  const message = `block ${finalizedHeight} is final here, and the document ends the epoch above block ${height - 1}`;
  return { code: 'restart.finalized-above', message };
}

function votedAbove({ point, votedHeight }: NodeStanding, { restart }: SignedRestart): CairnError | null {
  const { epoch, height } = restart.block.header;
  if (point.epoch !== epoch || votedHeight < height) return null;
  const how = `this node has voted to finalize block ${votedHeight}, which may be final somewhere`;
  return {
    code: 'restart.voted-above',
    message: `${how}, and the document ends the epoch above block ${height - 1}`,
  };
}

export type Stopped = { readonly config: NodeConfig; readonly founding: Founding };

/** The settings of a node, and what it is founded on. */
export function readStopped(dir: string): Result<Stopped, CairnError> {
  installNodeSha256();
  const config = readNodeConfig(dir);
  if (!config.ok) return config;
  const founding = readFounding(config.value);
  return founding.ok ? ok({ config: config.value, founding: founding.value }) : founding;
}

async function withOpened<T>(
  { config, founding }: Stopped,
  use: (opened: Opened) => Promise<Result<T, CairnError>>,
): Promise<Result<T, CairnError>> {
  const chainPath = join(config.dataDir, 'chain.db');
  if (!hasChainFile(chainPath))
    return fail({
      code: 'restart.no-chain',
      message: `${config.dataDir} holds no chain: start the node, so that it gets one from its peers, or begins at the genesis`,
    });
  let journal: Journal | null = null;
  let mark: SigningMarkFile | null = null;
  let chain: ChainDb | null = null;
  try {
    // Its lock keeps a node that runs out.
    journal = orThrow(await openJournal(join(config.dataDir, 'journal'))).journal;
    mark = orThrow(openSigningMark(signingMarkPath(config.keysDir, founding.ledgerHash)));
    chain = orThrow(openChainDb(chainPath, { ledgerHash: founding.ledgerHash }));
    if (chain.tip() === null)
      return fail({ code: 'restart.no-chain', message: `${chainPath} is empty: start the node first` });
    return await use({ config, founding, journal, mark, chain });
  } catch (cause) {
    return fail(errorOf(cause));
  } finally {
    chain?.close();
    mark?.close();
    await journal?.close();
  }
}

type Opened = {
  readonly config: NodeConfig;
  readonly founding: Founding;
  readonly journal: Journal;
  readonly mark: SigningMarkFile;
  readonly chain: ChainDb;
};

async function lookAt({ config, founding, journal, mark, chain }: Opened): Promise<NodeStanding> {
  const { genesis, keys, ledgerHash } = founding;
  const { checkpointLag } = genesis.parameters;
  const stored = originOf(chain, checkpointLag);
  const constants = readParameters(chain.store) ?? genesis.parameters;
  const origin = { ...readOrigin(stored, config.validatorId), ledgerHash, constants };
  const isMarkLost = mark.isNew && journal.nextSequence !== 1;
  const before: SigningMark = mark.value;
  const told: Told = { error: null, drawn: null };
  const driver = deafDriver(origin, isMarkLost ? null : before, journal, keys, told);
  const heights = new Map<string, number>();
  const votes: Proposal[] = [];
  for await (const { type, payload } of journal.records()) {
    const record = orThrow(bytesToRecord(type, payload));
    driver.restore(record);
    if (record.type === 'block') heights.set(toHex(record.block.digest), record.block.header.height);
    if (record.type === 'own-vote' && record.vote.type === 'finalize') votes.push(record.vote.proposal);
  }
  if (isNotedAsRolledBack(config.dataDir) && !driver.isTakenBack) driver.fence('rolled-back');
  driver.start();
  const isLost = driver.fences.includes('rolled-back');
  if (isLost) {
    if (!isNotedAsRolledBack(config.dataDir)) noteRolledBack(config.dataDir, before);
    await untilDurable(driver, told);
  }
  const { finalizedHeight, lastFinalizedView } = driver.replica.status();
  const open = votes.filter(({ epoch, view }) => epoch === origin.set.epoch && view > lastFinalizedView);
  // Its block is held before it is voted for; one that is proposed again, and final by now, may be in the chain alone.
  const heightOf = ({ digest }: Proposal): number =>
    heights.get(toHex(digest)) ?? chain.blockByDigest(digest)?.height ?? finalizedHeight + 1;
  const votedHeights = open.map(heightOf);
  driver.stop();
  const { height } = stored;
  const digestAt = (at: number): Hash => checkpointDigest(storedStatement(chain, at));
  return {
    nodeId: config.validatorId,
    point: {
      ledgerHash,
      epoch: toEpoch(stored.epoch.epoch),
      rules: origin.set.rules,
      height: toHeight(height),
      parent: toHash(stored.digest),
      timeMs: stored.timeMs,
      result: digestAt(height),
      checkpoint: digestAt(Math.max(0, height + 1 - checkpointLag)),
    },
    validators: readTarget(chain.store).validators,
    voters: origin.set.validators.map(({ id }) => id),
    life: driver.life,
    isLost,
    signedEpoch: before.epoch,
    signedHeight: before.checkpointHeight,
    finalizedHeight,
    votedHeight: Math.max(finalizedHeight, ...votedHeights),
  };
}

/** What the driver says, and the life number that it was given, if any. */
type Told = { error: CairnError | null; drawn: Uint8Array | null };

/** It is linked with nobody, hears nothing and signs nothing; its journal is the real one. */
function deafDriver(
  origin: ConstructorParameters<typeof Driver>[0],
  mark: SigningMark | null,
  journal: Journal,
  keys: Founding['keys'],
  told: Told,
): Driver {
  return new Driver(
    origin,
    {
      now: () => ({ ms: performance.now(), wallMs: Date.now() }),
      defer: (callback) => void setImmediate(callback),
      setTimer: () => undefined,
      journal: {
        append: (record) => {
          const { type, payload } = recordToBytes(record);
          journal.append(type, payload);
        },
        sync: (done) => void journal.sync().then(() => done(null), done),
      },
      // What is remembered without being in the mark is written there by the node itself, at its start.
      writeMark: () => undefined,
      send: () => undefined,
      drawLife: () => {
        told.drawn = randomBytes(lifeSizeBytes);
        return told.drawn;
      },
      votingSigner: createNodeSigner('ed25519', keys.voting.secretKey),
      checkpointSigner: createNodeSigner('ed25519', keys.checkpoint.secretKey),
      verifier: sodiumVerifier,
      ledger: { execute: () => undefined, keepCertified: () => undefined, serve: () => undefined },
      onBatch: () => undefined,
      onFact: () => undefined,
      onRefused: () => undefined,
      onHandedOver: () => undefined,
      onEpoch: () => undefined,
      onFenced: () => undefined,
      onUnfenced: () => undefined,
      onFailed: (error) => {
        told.error = error;
      },
    },
    mark,
  );
}

/** A number counts, and may be told, once the journal holds it; until then the driver tells that of the record that was lost. */
async function untilDurable(driver: Driver, told: Told): Promise<void> {
  const sinceMs = performance.now();
  while (driver.life === null || (told.drawn !== null && !equalBytes(driver.life, told.drawn))) {
    if (told.error !== null) throw new NodeFailed(told.error);
    if (performance.now() - sinceMs > recordWaitMs)
      throw new NodeFailed({ code: 'journal.failed', message: 'the life number does not become durable' });
    await sleep(recordPollMs);
  }
}
