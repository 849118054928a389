/**
 * One life of a node, from opening what it keeps to its end: opens its files, starts its threads, joins them to the driver, and
 * stops all of it in order.
 *
 * This is the main thread: agreement, journal and peer links. Nothing here may block for more than a few milliseconds.
 */
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers';
import { MessageChannel } from 'node:worker_threads';
import { type CairnError, channelOf, encodeMessage, lifeSizeBytes, type ReplicaOrigin } from '@cairn-ledger/core';
import type { Finding } from './audit/finding.ts';
import type { Closers } from './closers.ts';
import type { Founding } from './config/founding.ts';
import type { NodeConfig } from './config/node-config.ts';
import { createNodeSigner } from './crypto/signer.ts';
import { sodiumVerifier } from './crypto/sodium-verifier.ts';
import { Driver, type FenceReason } from './driver/driver.ts';
import { type Failure, NodeFailed } from './failure.ts';
import { createBoundaryAsker } from './healing/boundary-asker.ts';
import type { GivenUpReason } from './healing/patience.ts';
import { createStallWatch } from './healing/stall-watch.ts';
import type { NodeMode, NodeStatus } from './http/edge-port.ts';
import { createRateLimit } from './http/rate-limit.ts';
import { forgetRolledBack, isNotedAsRolledBack, noteRolledBack } from './keys/rolled-back.ts';
import type { Log } from './logging.ts';
import { operatorFenceReason } from './membership/operator-fence.ts';
import { createOperatorFencing } from './membership/operator-fencing.ts';
import type { Roster } from './membership/roster.ts';
import { createSpokesman } from './membership/spokesman.ts';
import { fenceError, logFact } from './node-facts.ts';
import type { HealingFacts } from './node-healing.ts';
import { createNodeMetrics } from './node-metrics.ts';
import { createPast } from './node-past.ts';
import { peersToLink } from './node-peers.ts';
import { openRecord } from './node-record.ts';
import { isBehind, modeOf, type Phase, refusalOf, statusOf } from './node-status.ts';
import { oldReleaseError } from './old-release.ts';
import { createRestartWatch, markAfterRestart } from './restart/restart-watch.ts';
import { type EdgeClient, startEdgeClient } from './threads/edge-client.ts';
import { startLedgerClient } from './threads/ledger-client.ts';
import { createMempool } from './threads/mempool.ts';
import { readOrigin, readOutcome } from './threads/stored-origin.ts';
import { createVerificationPool } from './threads/verification-pool.ts';
import { createTimer } from './timer.ts';
import { createPeerConduct } from './transport/peer-conduct.ts';
import { createTlsTransport } from './transport/tls-transport.ts';
import { nodeVersion } from './version.ts';

const statusEveryMs = 100;
/** From a fence that ends this life to its end, in milliseconds. */
const noticeMs = 300;
/** Messages of transactions that one peer may hand over: a steady rate, and as many at once (64 KiB each). */
const handOversPerSecond = 16;
const handOversBurst = 256;
const secondInstanceLinesPerSecond = 0.1;

/** What changes while a node runs, and whom a failure must stop. */
export type Life = {
  phase: Phase;
  driver: Driver | null;
  /** It began after a repair, and signs when its results have shown to be those of the others. */
  isObserving: boolean;
};

export type LifeParts = {
  readonly config: NodeConfig;
  readonly founding: Founding;
  readonly log: Log;
  readonly closers: Closers;
  readonly life: Life;
  readonly failure: Failure;
  readonly facts: HealingFacts;
  readonly onRoster: (roster: Roster) => void;
  readonly onStatus: (status: NodeStatus) => void;
  /** How long it may be behind without a step forward before it ends for that; null: for ever. */
  readonly stallMs: number | null;
  /** The past of a chain that lacks it is not collected before this moment, in milliseconds, ascending. */
  readonly pastDueMs: number;
  /** Repairs found nothing, again and again: it stays up, fenced for this, and serves what it can prove. */
  readonly givenUpFor: GivenUpReason | null;
};

/** Resolves with where HTTP is served, once it listens. What it opened is closed by `closers`, also when it rejects. */
export async function beginLife(parts: LifeParts): Promise<string> {
  const { config, founding, log, closers, life, failure } = parts;
  const { keys, genesis, genesisBytes, ledgerHash, restarts, rounds } = founding;
  const selfId = config.validatorId;
  const startedAtMs = performance.now();

  const record = await openRecord({ config, ledgerHash, log, closers, failure });
  const { mark } = record;

  const { port1: newsOut, port2: newsIn } = new MessageChannel();
  const { client: ledger, verification } = await startLedgerClient(
    {
      dataDir: config.dataDir,
      genesis: genesisBytes,
      self: { id: selfId, linkKey: keys.link.publicKey },
      restarts,
      rounds,
    },
    newsOut,
    (stateHashes) =>
      createVerificationPool(
        config.workers ?? spareCores(),
        { chainPath: join(config.dataDir, 'chain.db'), stateHashes },
        failure.fail,
      ),
    {
      onRoster: (next) => {
        roster = next;
        parts.onRoster(next);
        linkPeers();
      },
      onExecuted: ({ outcome, leaderHints }) => {
        for (const { validator: id, suspended: isSuspended } of leaderHints) {
          if (isSuspended) log.warn('validator.suspended', { validator: id });
          else log.info('validator.cleared', { validator: id });
          life.driver?.onLeaderHint(id, isSuspended);
        }
        lastOutcome = readOutcome(outcome);
        life.driver?.input({ type: 'executed', outcome: lastOutcome });
        if (life.driver !== null)
          restart.onExecuted(lastOutcome.statement.height, life.driver.replica.status().finalizedHeight);
      },
      onDamaged,
      onFailed: failure.fail,
    },
  );
  closers.add(() => ledger.stop());
  closers.add(() => verification.stop());
  let roster: Roster = ledger.roster;
  parts.onRoster(roster);
  const origin: ReplicaOrigin = {
    ...readOrigin(ledger.origin, selfId),
    ledgerHash,
    constants: roster.parameters,
  };
  const tooOld = oldReleaseError(origin.set.rules);
  if (tooOld !== null) throw new NodeFailed(tooOld);
  let lastOutcome = origin.outcomes.at(-1)!;
  const metrics = createNodeMetrics(origin.set.validators);

  const mempool = createMempool((transactions) => driver.handIn(transactions));
  const timer = createTimer();
  let edge: EdgeClient | null = null;
  let isAtTip = false;
  let isDamaged = false;

  function peersNow() {
    return peersToLink({
      selfId,
      selfKey: keys.link.publicKey,
      known: roster.peers,
      bootstrap: isAtTip ? [] : (config.bootstrap ?? []),
      overrides: config.peers ?? {},
    });
  }

  function linkPeers(): void {
    transport.updatePeers(peersNow());
  }

  const transport = createTlsTransport({
    id: selfId,
    linkSecretKey: keys.link.secretKey,
    ledgerHash,
    listen: config.listen,
    peers: peersNow(),
    events: {
      onFrame: (peer, _channel, frame) => driver.onFrame(peer, frame),
      onConnected: (peer) => {
        log.info('link.up', { peer });
        past.onConnected(peer);
        driver.onConnected(peer);
      },
      onDisconnected: (peer, reason) => {
        log.info('link.down', { peer, reason });
        past.onDisconnected(peer);
        driver.onDisconnected(peer);
      },
      onSecondInstance: (peer) => {
        if (secondInstances.take(peer, performance.now()) > 0) return;
        log.warn('peer.second-instance', { peer });
        edge?.tellAttack(peer, 'link.second-instance', 0);
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
  const linkedPeers = (): string[] => transport.peers().flatMap(({ id, isConnected }) => (isConnected ? [id] : []));
  const past = createPast({
    foundedHeight: ledger.origin.foundedHeight,
    settings: { path: join(config.dataDir, 'chain.db'), genesis: genesisBytes, restarts },
    send: (peer, channel, frame) => transport.send(peer, channel, frame),
    peers: linkedPeers,
    log,
    dueMs: parts.pastDueMs,
    end: failure.fail,
  });
  closers.add(() => past.stop());
  const boundaries = createBoundaryAsker({
    openEpoch: ledger.openEpoch,
    peers: linkedPeers,
    send: (peer, request) => void transport.send(peer, channelOf(request), encodeMessage(request)),
    keep: ledger.keepEpochs,
  });
  const secondInstances = createRateLimit(secondInstanceLinesPerSecond, 1);
  const restart = createRestartWatch({ restarts, log, fence: () => driver.fence('restart'), end: failure.fail });
  const isUnknown = record.isMarkLost && !isNotedAsRolledBack(config.dataDir);
  const restartMark = markAfterRestart(origin.set, restarts, mark.value, isUnknown);
  const unwritten = restartMark === null ? null : mark.write(restartMark);
  if (unwritten !== null) throw new NodeFailed(unwritten);
  const handOvers = createRateLimit(handOversPerSecond, handOversBurst);

  const driver: Driver = new Driver(
    origin,
    {
      now: () => ({ ms: performance.now(), wallMs: Date.now() }),
      defer: (callback) => void setImmediate(callback),
      setTimer: (atMs, callback) => timer.set(atMs, callback),
      journal: record.port((beganMs) => metrics.onSynced(beganMs)),
      writeMark: (value) => {
        // It stops the driver before anything of this turn is signed.
        const error = mark.write(value);
        if (error !== null) failure.fail(error);
      },
      send: (peer, channel, frame) => void transport.send(peer, channel, frame),
      drawLife: () => randomBytes(lifeSizeBytes),
      constants: () => roster.parameters,
      votingSigner: createNodeSigner('ed25519', keys.voting.secretKey),
      checkpointSigner: createNodeSigner('ed25519', keys.checkpoint.secretKey),
      verifier: sodiumVerifier,
      ledger: {
        execute: (block, batches, finalization, misbehaviour) => {
          if (!restart.admits(block.header.height)) return;
          metrics.onFinal(block);
          ledger.execute(block, batches, finalization, misbehaviour);
        },
        keepCertified: ledger.keepCertified,
        serve: ledger.serve,
      },
      onBatch: (batch, isOwn) => {
        metrics.onBatch(batch, authorOf(batch.header), isOwn);
        ledger.prepare(batch, isOwn);
        if (isOwn) mempool.onSealed(batch);
      },
      onFact: (fact, set) => {
        metrics.onFact(fact, set);
        spokesman.onFact(fact, set);
        logFact(log, fact, set);
      },
      onRefused: (peer, error) => {
        metrics.onRefused(error.code);
        conduct.onRefused(peer, error, performance.now());
      },
      onHandedOver: (peer, transactions) => {
        log.debug('transactions.handed-over', { peer, transactions: transactions.length });
        if (refusalOf(life, driver) !== null || handOvers.take(peer, performance.now()) > 0) return;
        edge?.admit(transactions);
      },
      takesAnswer: past.takesAnswer,
      onEpochs: (peer, proofs) => boundaries.onEpochs(peer, proofs),
      onLaterEpoch: (peer, epoch) => restart.onLaterEpoch(peer, epoch, performance.now()),
      onEpoch: ({ epoch, validators, rules }) => {
        // Nothing of the new epoch has been signed or executed yet.
        const tooOldNow = oldReleaseError(rules);
        if (tooOldNow !== null) return failure.fail(tooOldNow);
        restart.onEpoch(epoch);
        metrics.onEpoch(validators);
        spokesman.onEpoch();
        log.info('epoch.began', { epoch, validators: validators.map(({ id }) => id) });
        linkPeers();
        // What was handed in here and is in no batch will be in none of this node's: whoever waits goes to another one.
        const refusal = refusalOf(life, driver);
        if (refusal !== null) mempool.refuseAll(refusal);
      },
      onFenced,
      onUnfenced: () => {
        if (!driver.fencedFor) onDisk(() => forgetRolledBack(config.dataDir));
        tellMode();
      },
      onFailed: failure.fail,
    },
    restartMark ?? (record.isMarkLost ? null : mark.value),
  );
  life.driver = driver;
  closers.add(() => {
    driver.stop();
    timer.clear();
  });

  const spokesman = createSpokesman({
    selfId,
    keysDir: config.keysDir,
    ledgerHash,
    signer: createNodeSigner('ed25519', keys.link.secretKey),
    driver,
    transport,
    roster: () => roster,
    outcome: () => lastOutcome,
    onSaid: (word, error) => {
      if (error === null) log.info('ledger.said', { ...word });
      else log.warn('ledger.unsaid', { ...word, code: error.code, message: error.message });
    },
  });

  /** By id; batches of the epoch before may still come through. */
  function authorOf({ epoch, author }: { readonly epoch: number; readonly author: number }): string {
    const { set } = driver;
    const of = set.epoch === epoch ? set : driver.previousSet;
    return of?.validators[author]?.id ?? String(author);
  }

  /** Follows the chain and answers from here on; what was handed in and is not sealed will not be sealed here. */
  function onFenced(reason: FenceReason): void {
    if (reason === 'damaged' && life.isObserving) return;
    if (reason === 'rolled-back' && !isNotedAsRolledBack(config.dataDir)) noteRolledBack(config.dataDir, mark.value);
    const error = fenceError(reason, config.dataDir, mark.path);
    log.error('node.fenced', { reason, code: error.code, message: error.message });
    log.flush();
    const refusal = life.phase === 'running' ? refusalOf(life, driver) : error;
    if (refusal !== null) mempool.refuseAll(refusal);
    edge?.tellStatus(status());
    if (reason === 'diverged' && parts.givenUpFor === null) endSoon(error);
  }

  /** The others are told, and what is durable is sent; then this life ends, and the next one begins with whole data. */
  function endSoon(error: CairnError): void {
    spokesman.speak(performance.now());
    // It would end this life sooner, and the next one would know nothing of the damage.
    void past.stop();
    setTimeout(() => failure.fail(error), noticeMs);
  }

  /** What was read is not believed either, so nothing false was answered or signed. */
  function onDamaged({ what }: Finding): void {
    if (isDamaged) return;
    isDamaged = true;
    driver.fence('damaged');
    if (parts.givenUpFor === null) endSoon({ code: 'node.damaged', message: what });
  }

  /** After a repair: what is executed here is what a quorum certified, up to the end of what is final. */
  function observe(): void {
    const { isChecked, isSyncing, executedHeight, finalizedHeight, certifiedHeight } = driver.replica.status();
    const isAtEnd = !isSyncing && executedHeight === finalizedHeight;
    // Those above may lack the very signatures of this node.
    if (!isChecked || !isAtEnd || certifiedHeight + roster.parameters.checkpointLag < executedHeight) return;
    life.isObserving = false;
    driver.unfence('damaged');
  }

  function status(): NodeStatus {
    const uptimeMs = performance.now() - startedAtMs;
    const outcome = lastOutcome;
    const { member } = roster.own;
    const present = statusOf({
      id: selfId,
      genesis,
      ledgerHash,
      life,
      driver,
      transport,
      mempool,
      outcome,
      member,
      uptimeMs,
    });
    parts.onStatus(present);
    return present;
  }

  let toldMode: NodeMode = 'starting';
  /** Fences tell of themselves, with their reason. */
  function tellMode(): void {
    const mode = modeOf(life, driver);
    if (mode === toldMode) return;
    toldMode = mode;
    if (mode !== 'fenced' && mode !== 'stopping')
      log.info(`node.${mode}`, { height: driver.replica.status().executedHeight });
    edge?.tellStatus(status());
  }

  function onDisk(write: () => void): CairnError | null {
    try {
      write();
      return null;
    } catch (cause) {
      return { code: 'storage.failed', message: `${config.dataDir}: ${(cause as Error).message}` };
    }
  }

  await record.restore(driver);
  restart.onEpoch(origin.set.epoch);
  if (isNotedAsRolledBack(config.dataDir)) {
    if (driver.isTakenBack) forgetRolledBack(config.dataDir);
    else driver.fence('rolled-back');
  }
  if (operatorFenceReason(config.dataDir) !== null) driver.fence('operator');
  if (parts.givenUpFor !== null) driver.fence(parts.givenUpFor);
  if (life.isObserving) driver.fence('damaged');
  edge = await startEdgeClient(
    {
      dataDir: config.dataDir,
      genesis: genesisBytes,
      stateHashes: ledger.stateHashes,
      validatorId: selfId,
      logLevel: config.logLevel,
      http: config.http,
      ...(config.mqtt && { mqtt: config.mqtt }),
      keysDir: config.keysDir,
      restarts,
      listen: config.listen,
      peers: config.peers ?? {},
      status: status(),
    },
    newsIn,
    {
      mempool,
      refusal: () => refusalOf(life, driver),
      ...createOperatorFencing({
        dataDir: config.dataDir,
        driver,
        refusal: () => (life.phase === 'running' ? null : refusalOf(life, driver)),
        onDisk,
        onLifted: () => log.info('node.fence-lifted'),
      }),
      samples: () =>
        metrics.samples({
          status: status(),
          replica: driver.replica.status(),
          transport,
          ledger,
          verification,
          journalBytes: record.sizeBytes(),
          healing: parts.facts.samples(),
        }),
      onDamaged,
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
  if (life.phase === 'starting') life.phase = 'running';
  tellStatus(status());
  const stall = createStallWatch(parts.stallMs ?? Number.POSITIVE_INFINITY);
  const statusTimer = setInterval(() => {
    tellStatus(status());
    const isLinked = transport.peers().some(({ isConnected }) => isConnected);
    if (stall.tick(performance.now(), { ...driver.replica.status(), isLinked })) failure.fail(behindError);
    if (life.isObserving) observe();
    else if (!isBehind(driver) && parts.givenUpFor === null) past.tick(performance.now());
    tellMode();
    spokesman.speak(performance.now());
    boundaries.tick(performance.now());
    if (!isAtTip && status().inSync) {
      isAtTip = true;
      linkPeers();
    }
    record.compactIfDue(driver);
  }, statusEveryMs);
  closers.add(() => clearInterval(statusTimer));
  log.info('node.started', { http: httpUrl, ledger: ledgerHash, height: origin.executed.height, version: nodeVersion });
  return httpUrl;
}

const behindError: CairnError = {
  code: 'node.behind',
  message: 'no peer gives the blocks that come next: a certified state of now takes their place, where there is one',
};

/** Agreement, ledger and edge take two cores; what is left can check signatures beside them. */
function spareCores(): number {
  return Math.max(0, Math.min(8, availableParallelism() - 2));
}
