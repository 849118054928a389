/**
 * One node: opens what it keeps, starts its threads, joins them to the driver, and stops all of it in order.
 *
 * This is the main thread: agreement, journal and peer links. Nothing here may block for more than a few milliseconds.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers';
import { MessageChannel } from 'node:worker_threads';
import { type CairnError, type Fact, lifeSizeBytes, type ReplicaOrigin } from '@cairn-ledger/core';
import { type Closers, createClosers } from './closers.ts';
import { type Founding, readFounding } from './config/founding.ts';
import type { NodeConfig } from './config/node-config.ts';
import { installNodeSha256 } from './crypto/sha256.ts';
import { createNodeSigner } from './crypto/signer.ts';
import { sodiumVerifier } from './crypto/sodium-verifier.ts';
import { Driver, type FenceReason } from './driver/driver.ts';
import { bytesToRecord, recordToBytes } from './driver/journal-record.ts';
import { createFailure, errorOf, type Failure, NodeFailed, orThrow } from './failure.ts';
import type { NodeMode, NodeStatus } from './http/edge-port.ts';
import { createCompaction } from './journal/compaction.ts';
import { type Journal, openJournal } from './journal/journal.ts';
import { isNotedAsRolledBack, noteRolledBack, rolledBackError } from './keys/rolled-back.ts';
import { openSigningMark, signingMarkPath } from './keys/signing-mark-file.ts';
import { createLog, type Log } from './logging.ts';
import { liftOperatorFence, noteOperatorFence, operatorFenceReason } from './membership/operator-fence.ts';
import { createNodeMetrics } from './node-metrics.ts';
import { type EdgeClient, startEdgeClient } from './threads/edge-client.ts';
import { startLedgerClient } from './threads/ledger-client.ts';
import { createMempool } from './threads/mempool.ts';
import { readOrigin, readOutcome } from './threads/stored-origin.ts';
import { createVerificationPool } from './threads/verification-pool.ts';
import { createTimer } from './timer.ts';
import { createPeerConduct } from './transport/peer-conduct.ts';
import { createTlsTransport } from './transport/tls-transport.ts';
import { nodeVersion } from './version.ts';

export { NodeFailed } from './failure.ts';

export type RunningNode = {
  readonly id: string;
  readonly httpUrl: string;
  stop(): Promise<void>;
};

const journalSegmentBytes = 8 << 20;
const statusEveryMs = 100;

/** What changes while a node runs, and whom a failure must stop. */
type Life = { mode: NodeMode; fencedFor: FenceReason | null; driver: Driver | null };

/**
 * Starts a node; resolves when it listens. Rejects with a NodeFailed, all that was opened closed again. What fails later
 * is logged and ends the process with exit code 1.
 */
export async function startNode(config: NodeConfig): Promise<RunningNode> {
  installNodeSha256();
  const founding = orThrow(readFounding(config));
  const log = createLog({ level: config.logLevel, base: { node: config.validatorId } });
  const closers = createClosers();
  const life: Life = { mode: 'starting', fencedFor: null, driver: null };
  const failure = createFailure(log, () => {
    life.mode = 'fenced';
    life.driver?.stop();
  });
  closers.add(() => failure.release());
  try {
    return await failure.whileStarting(runNode({ config, founding, log, closers, life, failure }));
  } catch (cause) {
    failure.onStopping();
    await closers.closeAll().catch(() => undefined);
    log.flush();
    throw new NodeFailed(errorOf(cause));
  }
}

type Parts = {
  readonly config: NodeConfig;
  readonly founding: Founding;
  readonly log: Log;
  readonly closers: Closers;
  readonly life: Life;
  readonly failure: Failure;
};

async function runNode({ config, founding, log, closers, life, failure }: Parts): Promise<RunningNode> {
  const { keys, genesis, genesisBytes, ledgerHash, validators, self } = founding;
  const startedAtMs = performance.now();
  const metrics = createNodeMetrics(validators);

  // First of all: its lock keeps a second process off everything else in the folder.
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  const opened = orThrow(await openJournal(join(config.dataDir, 'journal'), { segmentBytes: journalSegmentBytes }));
  const { journal, truncatedBytes } = opened;
  closers.add(() => journal.close());
  if (truncatedBytes > 0) log.info('journal.tail-cut', { truncatedBytes });
  const compaction = createCompaction(journal, failure.fail);
  closers.add(() => compaction.idle());
  const mark = orThrow(openSigningMark(signingMarkPath(config.keysDir, ledgerHash)));
  closers.add(() => mark.close());

  const { port1: newsOut, port2: newsIn } = new MessageChannel();
  const { client: ledger, verification } = await startLedgerClient(
    { dataDir: config.dataDir, genesis: genesisBytes },
    newsOut,
    () =>
      createVerificationPool(
        config.workers ?? spareCores(),
        { chainPath: join(config.dataDir, 'chain.db') },
        failure.fail,
      ),
    {
      onExecuted: ({ outcome, leaderHints }) => {
        for (const { validator: id, suspended: isSuspended } of leaderHints) {
          if (isSuspended) log.warn('validator.suspended', { validator: id });
          else log.info('validator.cleared', { validator: id });
          life.driver?.onLeaderHint(id, isSuspended);
        }
        lastOutcome = readOutcome(outcome);
        life.driver?.input({ type: 'executed', outcome: lastOutcome });
      },
      onFailed: failure.fail,
    },
  );
  closers.add(() => ledger.stop());
  closers.add(() => verification.stop());
  const origin: ReplicaOrigin = {
    ...readOrigin(ledger.origin, config.validatorId),
    ledgerHash,
    constants: genesis.parameters,
  };
  const { set } = origin;
  let lastOutcome = origin.outcomes.at(-1)!;

  const mempool = createMempool((transactions) => driver.input({ type: 'transactions', transactions }));
  const timer = createTimer();
  let edge: EdgeClient | null = null;

  const transport = createTlsTransport({
    id: config.validatorId,
    linkSecretKey: keys.link.secretKey,
    ledgerHash,
    listen: config.listen,
    peers: validators
      .filter((validator) => validator.id !== config.validatorId)
      .map((validator) => ({
        id: validator.id,
        linkKey: validator.linkKey,
        addresses: config.peers?.[validator.id] ?? validator.addresses,
      })),
    events: {
      onFrame: (peer, _channel, frame) => driver.onFrame(peer, frame),
      onConnected: (peer) => {
        log.info('link.up', { peer });
        driver.onConnected(peer);
      },
      onDisconnected: (peer, reason) => {
        log.info('link.down', { peer, reason });
        driver.onDisconnected(peer);
      },
    },
  });
  closers.add(() => transport.stop());

  const conduct = createPeerConduct({
    disconnect: (peer, reason, backoffMs) => transport.disconnect(peer, reason, backoffMs),
    onLogged: (peer, { code, message }, unlogged) => log.warn('message.refused', { peer, code, message, unlogged }),
    onDisconnected: (peer, { code }, backoffMs) => {
      log.warn('peer.disconnected', { peer, code, backoffMs });
      edge?.tellAttack(peer, code, backoffMs);
    },
  });

  const driver: Driver = new Driver(
    origin,
    {
      now: () => ({ ms: performance.now(), wallMs: Date.now() }),
      defer: (callback) => void setImmediate(callback),
      setTimer: (atMs, callback) => timer.set(atMs, callback),
      journal: {
        append: (record) => {
          const { type, payload } = recordToBytes(record);
          journal.append(type, payload);
        },
        sync: (done) => {
          const beganMs = performance.now();
          journal.sync().then(
            () => {
              metrics.onSynced(beganMs);
              done(null);
            },
            (error: CairnError) => done(error),
          );
        },
      },
      writeMark: (value) => {
        // It stops the driver before anything of this turn is signed.
        const error = mark.write(value);
        if (error !== null) failure.fail(error);
      },
      send: (peer, channel, frame) => void transport.send(peer, channel, frame),
      drawLife: () => randomBytes(lifeSizeBytes),
      onHandedOver: () => undefined,
      onEpoch: () => undefined,
      onUnfenced: () => undefined,
      votingSigner: createNodeSigner('ed25519', keys.voting.secretKey),
      checkpointSigner: createNodeSigner('ed25519', keys.checkpoint.secretKey),
      verifier: sodiumVerifier,
      ledger: {
        execute: (block, batches, finalization, misbehaviour) => {
          metrics.onFinal(block);
          ledger.execute(block, batches, finalization, misbehaviour);
        },
        keepCertified: ledger.keepCertified,
        serve: ledger.serve,
      },
      onBatch: (batch, isOwn) => {
        metrics.onBatch(batch, isOwn);
        ledger.prepare(batch, isOwn);
        if (isOwn) mempool.onSealed(batch);
      },
      onFact: (fact) => {
        metrics.onFact(fact);
        logFact(log, fact, (validator) => validators[validator]!.id);
      },
      onRefused: (peer, error) => {
        metrics.onRefused(error.code);
        conduct.onRefused(peer, error, performance.now());
      },
      onFenced,
      onFailed: failure.fail,
    },
    mark.value,
  );
  life.driver = driver;
  closers.add(() => {
    driver.stop();
    timer.clear();
  });

  /** Follows the chain and answers from here on; what was handed in and is not sealed will not be sealed here. */
  function onFenced(reason: FenceReason): void {
    life.mode = 'fenced';
    if (reason === 'rolled-back' && !isNotedAsRolledBack(config.dataDir)) noteRolledBack(config.dataDir, mark.value);
    const error = fenceError(reason, config.dataDir, mark.path);
    life.fencedFor = reason;
    log.error('node.fenced', { reason, code: error.code, message: error.message });
    log.flush();
    mempool.refuseAll(refusal()!);
    edge?.tellStatus(status());
  }

  /** Why no transactions are taken at present; null when they are. */
  function refusal(): CairnError | null {
    switch (life.mode) {
      case 'active':
        return null;
      case 'fenced':
        return {
          code: 'node.fenced',
          message: 'the node signs nothing any more, and so cannot take transactions: send to another node',
        };
      case 'stopping':
        return { code: 'node.stopping', message: 'the node is stopping: send to another node' };
      case 'starting':
        return { code: 'node.starting', message: 'the node is starting: send again in a few seconds' };
      default:
        return { code: 'node.syncing', message: 'the node is catching up: send to another node, or again later' };
    }
  }

  function status(): NodeStatus {
    const replica = driver.replica.status();
    const { mode } = life;
    const { statement, timeMs } = lastOutcome;
    const isBehind = replica.isSyncing || replica.executedHeight + 8 < replica.finalizedHeight;
    const peers = transport.peers();
    const connected = peers.filter((peer) => peer.isConnected).length;
    return {
      ledger: { name: genesis.name, hash: ledgerHash },
      node: { id: config.validatorId, member: validators[self]!.member, version: nodeVersion },
      mode: mode === 'active' && isBehind ? 'syncing' : mode,
      inSync: mode === 'active' && !isBehind && connected + 1 >= set.quorum,
      epoch: replica.epoch,
      view: replica.view,
      rules: genesis.rules,
      finalizedHeight: replica.finalizedHeight,
      executedHeight: replica.executedHeight,
      certifiedHeight: replica.certifiedHeight,
      blockTimeMs: timeMs,
      historySize: statement.historySize,
      historyRoot: statement.historyRoot,
      stateRoot: statement.stateRoot,
      // The edge thread knows these: it reads them from the view.
      transactions: 0,
      readings: 0,
      mempool: { transactions: mempool.transactionsCount, sizeBytes: mempool.sizeBytes },
      validators: validators.length,
      quorum: set.quorum,
      suspended: replica.suspended.map((validator) => validators[validator]!.id),
      uptimeMs: performance.now() - startedAtMs,
      peers: peers.map((peer) => ({ id: peer.id, connected: peer.isConnected, height: null, roundTripMs: peer.rttMs })),
    };
  }

  /** Why the operator can change nothing at present; null when he can. */
  function operatorRefusal(): CairnError | null {
    return life.mode === 'starting' || life.mode === 'stopping' ? refusal() : null;
  }

  function fenceByOperator(reason: string): CairnError | null {
    if (operatorRefusal() !== null) return operatorRefusal();
    driver.fence('operator');
    return life.fencedFor === 'operator' ? onDisk(() => noteOperatorFence(config.dataDir, reason)) : null;
  }

  /** The node signs again after its next start, which restores what it has signed. */
  function unfenceByOperator(): CairnError | null {
    if (operatorRefusal() !== null || life.mode !== 'fenced') return operatorRefusal();
    if (life.fencedFor !== 'operator') {
      return { code: 'node.not-liftable', message: `the node is fenced because it is ${life.fencedFor ?? 'failed'}` };
    }
    log.info('node.fence-lifted');
    return onDisk(() => liftOperatorFence(config.dataDir));
  }

  function onDisk(write: () => void): CairnError | null {
    try {
      write();
      return null;
    } catch (cause) {
      return { code: 'storage.failed', message: `${config.dataDir}: ${(cause as Error).message}` };
    }
  }

  if (isNotedAsRolledBack(config.dataDir)) driver.fence('rolled-back');
  if (operatorFenceReason(config.dataDir) !== null) driver.fence('operator');
  await restoreJournal(journal, driver);
  edge = await startEdgeClient(
    {
      dataDir: config.dataDir,
      genesis: genesisBytes,
      validatorId: config.validatorId,
      logLevel: config.logLevel,
      http: config.http,
      ...(config.mqtt && { mqtt: config.mqtt }),
      keysDir: config.keysDir,
      listen: config.listen,
      peers: config.peers ?? {},
      status: status(),
    },
    newsIn,
    {
      mempool,
      refusal,
      fence: fenceByOperator,
      unfence: unfenceByOperator,
      samples: () =>
        metrics.samples({
          status: status(),
          replica: driver.replica.status(),
          transport,
          ledger,
          verification,
          journalBytes: journal.sizeBytes,
        }),
      onFailed: failure.fail,
    },
  );
  const { httpUrl, tellStatus, stop: stopEdge } = edge;
  closers.add(stopEdge);
  await transport.start().catch((cause: unknown) => {
    throw new NodeFailed({
      code: 'node.cannot-listen',
      message: `peers cannot reach this node on ${config.listen.host}:${config.listen.port}: ${cause instanceof Error ? cause.message : String(cause)}`,
    });
  });
  driver.start();
  if (life.mode === 'starting') life.mode = 'active';
  const statusTimer = setInterval(() => {
    tellStatus(status());
    compaction.runIfDue(() => Array.from(driver.liveRecords(), (record) => () => recordToBytes(record)));
  }, statusEveryMs);
  closers.add(() => clearInterval(statusTimer));
  log.info('node.started', { http: httpUrl, ledger: ledgerHash, height: origin.executed.height, version: nodeVersion });

  let stopped: Promise<void> | null = null;
  async function stop(): Promise<void> {
    failure.onStopping();
    life.mode = 'stopping';
    try {
      await closers.closeAll();
      log.info('node.stopped');
    } finally {
      log.flush();
    }
  }
  return {
    id: config.validatorId,
    httpUrl,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

function fenceError(reason: FenceReason, dataDir: string, markPath: string): CairnError {
  switch (reason) {
    case 'rolled-back':
      return rolledBackError(dataDir, markPath);
    case 'operator':
      return {
        code: 'node.fenced',
        message: `taken out by its operator: ${operatorFenceReason(dataDir) ?? 'no reason'}`,
      };
    case 'damaged':
      return {
        code: 'node.damaged',
        message: 'what is kept on disk is not what was written: it is repaired from peers',
      };
    case 'diverged':
      return {
        code: 'node.diverged',
        message:
          'the result of a block differs from the certified one: nothing is signed any more. Keep the data folder, and replace the machine',
      };
  }
}

/** One record after the other: only what the replica still needs of them stays in memory. */
async function restoreJournal(journal: Journal, driver: Driver): Promise<void> {
  for await (const { type, payload } of journal.records()) driver.restore(orThrow(bytesToRecord(type, payload)));
}

/** Agreement, ledger and edge take two cores; what is left can check signatures beside them. */
function spareCores(): number {
  return Math.max(0, Math.min(8, availableParallelism() - 2));
}

function logFact(log: Log, fact: Fact, idOf: (validator: number) => string): void {
  switch (fact.type) {
    case 'entered-view':
      return log.debug('view.entered', { view: fact.view, by: fact.by });
    case 'nullified':
      return log.info('view.nullified', { view: fact.view, reason: fact.reason });
    case 'finalized':
      return log.debug('view.finalized', { view: fact.view, digest: fact.digest });
    case 'fault-proven':
      return log.error('fault.proven', { accused: idOf(fact.accused), kind: fact.kind });
    case 'fork':
      return log.error('chain.forked', { view: fact.view });
    case 'checkpoint-certified':
      return log.debug('checkpoint.certified', { height: fact.height });
    case 'syncing':
      return log.info('chain.syncing', { from: fact.from });
    case 'start-checked':
      return log.info('node.checked');
  }
}
