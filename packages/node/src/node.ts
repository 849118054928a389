/**
 * One node: opens what it keeps, starts its threads, joins them to the driver, and stops all of it in order.
 *
 * This is the main thread: agreement, journal and peer links. Nothing here may block for more than a few milliseconds.
 */
import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setImmediate } from 'node:timers';
import { MessageChannel } from 'node:worker_threads';
import {
  type CairnError,
  type Certificate,
  createEpochSet,
  decodeCertificate,
  decodeCheckpointStatement,
  decodeGenesis,
  equalBytes,
  type Fact,
  type Genesis,
  type Instant,
  type JournalRecord,
  type ReplicaOrigin,
  sha256,
  sortValidators,
  toEpoch,
  toHash,
  toHeight,
  toHex,
  toValidatorIndex,
  validatorSetDigest,
} from '@cairn-ledger/core';
import type { NodeConfig } from './config/node-config.ts';
import { installNodeSha256 } from './crypto/sha256.ts';
import { createNodeSigner } from './crypto/signer.ts';
import { sodiumVerifier } from './crypto/sodium-verifier.ts';
import { Driver, type SigningMark } from './driver/driver.ts';
import { bytesToRecord, recordToBytes } from './driver/journal-record.ts';
import type { NodeMode, NodeStatus } from './http/edge-port.ts';
import { type Journal, openJournal } from './journal/journal.ts';
import { readNodeKeys } from './keys/node-keys.ts';
import { createLog, type Log } from './logging.ts';
import { createCounters, createHistogram, type MetricSamples, processSamples } from './metrics.ts';
import { startEdgeClient } from './threads/edge-client.ts';
import { startLedgerClient } from './threads/ledger-client.ts';
import { createMempool } from './threads/mempool.ts';
import type { StoredOrigin } from './threads/messages.ts';
import { createVerificationPool } from './threads/verification-pool.ts';
import { createPeerConduct } from './transport/peer-conduct.ts';
import { createTlsTransport } from './transport/tls-transport.ts';
import { nodeVersion } from './version.ts';

export type RunningNode = {
  readonly id: string;
  readonly httpUrl: string;
  stop(): Promise<void>;
};

/** The journal begins anew with what still matters when it has grown to this size. */
const journalBytesMax = 64 << 20;
const journalSegmentBytes = 16 << 20;
const statusEveryMs = 100;

/** A failure at start carries a code of the catalogue; whoever started the node shows it. */
export class NodeFailed extends Error implements CairnError {
  readonly code: string;
  constructor(error: CairnError) {
    super(error.message);
    this.code = error.code;
  }
}

export async function startNode(config: NodeConfig): Promise<RunningNode> {
  installNodeSha256();
  const keys = orThrow(readNodeKeys(config.keysDir));
  const genesisBytes = readGenesisFile(config.genesisPath);
  const genesis = orThrow(decodeGenesis(genesisBytes));
  const ledgerHash = sha256(genesisBytes);
  const validators = sortValidators(genesis.validators);
  const self = validators.findIndex((validator) => validator.id === config.validatorId);
  const own = validators[self];
  if (own === undefined) {
    throw new NodeFailed({
      code: 'config.not-a-validator',
      message: `the genesis document names no validator ${config.validatorId}: validatorId in node.json must be one of ${validators.map((v) => v.id).join(', ')}`,
    });
  }
  for (const [use, key] of [
    ['link', own.linkKey],
    ['voting', own.votingKey],
    ['checkpoint', own.checkpointKey],
  ] as const) {
    if (equalBytes(keys[use].publicKey, key)) continue;
    throw new NodeFailed({
      code: 'config.wrong-keys',
      message: `${join(config.keysDir, `${use}.key`)} is not the key that the genesis document has for ${config.validatorId}: put back the right key`,
    });
  }
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  const log = createLog({ level: config.logLevel, base: { node: config.validatorId } });
  return runNode({ config, keys, genesis, genesisBytes, ledgerHash, validators, self, log });
}

type Founded = {
  readonly config: NodeConfig;
  readonly keys: ReturnType<typeof readNodeKeys> extends infer R
    ? R extends { ok: true; value: infer K }
      ? K
      : never
    : never;
  readonly genesis: Genesis;
  readonly genesisBytes: Uint8Array;
  readonly ledgerHash: ReturnType<typeof sha256>;
  readonly validators: ReturnType<typeof sortValidators>;
  readonly self: number;
  readonly log: Log;
};

async function runNode(founded: Founded): Promise<RunningNode> {
  const { config, keys, genesis, genesisBytes, ledgerHash, validators, self, log } = founded;
  const startedAtMs = performance.now();
  let mode: NodeMode = 'starting';
  let isStopping = false;
  /** Set once everything it stands on is open; threads may fail before. */
  let running: Driver | null = null;
  const chainPath = join(config.dataDir, 'chain.db');
  const setDigest = validatorSetDigest(validators);
  const genesisTip = { digest: ledgerHash, height: toHeight(0), timeMs: genesis.timeMs };
  const set = createEpochSet(toEpoch(1), validators, setDigest, genesisTip);
  const indexOf = new Map(validators.map((validator, i) => [validator.id, toValidatorIndex(i)]));

  const metrics = {
    journalSync: createHistogram(),
    views: createCounters(),
    batches: createCounters(),
    faults: createCounters(),
    refused: createCounters(),
    blocks: 0,
  };

  /** A failed disk or thread: sign nothing more, say why, end. On the next start everything is verified again. */
  const fail = (error: CairnError): void => {
    if (isStopping) return;
    isStopping = true;
    mode = 'fenced';
    running?.stop();
    log.error('node.failed', { code: error.code, message: error.message });
    log.flush();
    process.exitCode = 1;
    setTimeout(() => process.exit(1), 50).unref();
  };

  const { port1: newsOut, port2: newsIn } = new MessageChannel();
  const { client: ledger, verification } = await startLedgerClient(
    { dataDir: config.dataDir, genesis: genesisBytes },
    newsOut,
    () =>
      createVerificationPool(config.workers ?? spareCores(), { chainPath }, (error) =>
        fail({ code: 'node.failed', message: error.message }),
      ),
    {
      onExecuted: ({ statement, timeMs }) => {
        lastOutcome = { statement: orThrow(decodeCheckpointStatement(statement)), timeMs };
        running?.input({ type: 'executed', outcome: lastOutcome });
      },
      onFailed: fail,
    },
  );
  const origin: ReplicaOrigin = {
    ...readOrigin(ledger.origin),
    ledgerHash,
    set,
    self: toValidatorIndex(self),
    rules: genesis.rules,
    constants: genesis.parameters,
  };
  let lastOutcome = origin.outcomes.at(-1)!;

  const opened = await openJournal(join(config.dataDir, 'journal'), { segmentBytes: journalSegmentBytes });
  if (!opened.ok) throw new NodeFailed(opened.error);
  const { journal, truncatedBytes } = opened.value;
  if (truncatedBytes > 0) log.info('journal.tail-cut', { truncatedBytes });
  const records: JournalRecord[] = [];
  for await (const { type, payload } of journal.records()) records.push(orThrow(bytesToRecord(type, payload)));

  const mempool = createMempool((transactions) => driver.input({ type: 'transactions', transactions }));
  const mark = openSigningMark(join(config.keysDir, `signed-${toHex(ledgerHash.subarray(0, 8))}.mark`));
  const now = (): Instant => ({ ms: performance.now(), wallMs: Date.now() });
  const timer = createTimer();

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
      onFrame: (peer, _channel, frame) => driver.onFrame(indexOf.get(peer)!, frame),
      onConnected: (peer) => {
        log.info('link.up', { peer });
        driver.input({ type: 'connected', peer: indexOf.get(peer)! });
      },
      onDisconnected: (peer, reason) => {
        log.info('link.down', { peer, reason });
        driver.input({ type: 'disconnected', peer: indexOf.get(peer)! });
      },
    },
  });

  const conduct = createPeerConduct({
    disconnect: (peer, reason, backoffMs) => transport.disconnect(peer, reason, backoffMs),
    onLogged: (peer, { code, message }, unlogged) => log.warn('message.refused', { peer, code, message, unlogged }),
    onDisconnected: (peer, { code }, backoffMs) => log.warn('peer.disconnected', { peer, code, backoffMs }),
  });

  const driver: Driver = new Driver(
    origin,
    {
      now,
      defer: (callback) => void setImmediate(callback),
      setTimer: (atMs, callback) => timer.set(atMs, callback),
      journal: {
        append: (record) => {
          const { type, payload } = recordToBytes(record);
          journal.append(type, payload);
        },
        sync: (done) => {
          const before = performance.now();
          journal.sync().then(
            () => {
              metrics.journalSync.observe((performance.now() - before) / 1000);
              done(null);
            },
            (error: CairnError) => done(error),
          );
        },
      },
      writeMark: mark.write,
      send: (peer, channel, frame) => void transport.send(validators[peer]!.id, channel, frame),
      votingSigner: createNodeSigner('ed25519', keys.voting.secretKey),
      checkpointSigner: createNodeSigner('ed25519', keys.checkpoint.secretKey),
      verifier: sodiumVerifier,
      ledger,
      onBatch: (batch, isOwn) => {
        metrics.batches.add(validators[batch.header.author]!.id);
        ledger.prepare(batch, isOwn);
        if (isOwn) mempool.onSealed(batch);
      },
      onFact: (fact) => onFact(fact),
      onRefused: (peer, error) => {
        metrics.refused.add(error.code);
        conduct.onRefused(validators[peer]!.id, error, performance.now());
      },
      onFenced: (reason) => {
        mode = 'fenced';
        log.error('node.fenced', { reason });
      },
      onFailed: fail,
    },
    mark.value,
  );

  running = driver;

  function onFact(fact: Fact): void {
    switch (fact.type) {
      case 'entered-view':
        metrics.views.add(fact.by === 'nullification' ? 'nullified' : 'notarized');
        return log.debug('view.entered', { view: fact.view, by: fact.by });
      case 'nullified':
        return log.info('view.nullified', { view: fact.view, reason: fact.reason });
      case 'finalized':
        metrics.blocks++;
        return log.debug('view.finalized', { view: fact.view, digest: fact.digest });
      case 'fault-proven':
        metrics.faults.add(`${validators[fact.accused]!.id}/${fact.kind}`);
        return log.error('fault.proven', { accused: validators[fact.accused]!.id, kind: fact.kind });
      case 'checkpoint-certified':
        return log.debug('checkpoint.certified', { height: fact.height });
      case 'syncing':
        return log.info('chain.syncing', { from: fact.from });
    }
  }

  function status(): NodeStatus {
    const replica = driver.replica.status();
    const { statement, timeMs } = lastOutcome;
    const isBehind = replica.isSyncing || replica.executedHeight + 8 < replica.finalizedHeight;
    const connected = transport.peers().filter((peer) => peer.isConnected).length;
    const isInSync = mode === 'active' && !isBehind && connected + 1 >= set.quorum;
    return {
      ledger: { name: genesis.name, hash: ledgerHash },
      node: { id: config.validatorId, member: validators[self]!.member, version: nodeVersion },
      mode: mode === 'active' && isBehind ? 'syncing' : mode,
      inSync: isInSync,
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
      uptimeMs: performance.now() - startedAtMs,
      peers: transport
        .peers()
        .map((peer) => ({ id: peer.id, connected: peer.isConnected, height: null, roundTripMs: peer.rttMs })),
    };
  }

  function samples(): MetricSamples[] {
    const replica = driver.replica.status();
    const peers = transport.peers();
    const checked = verification.counters.checked + ledger.checks().checked;
    const invalid = verification.counters.invalid + ledger.checks().invalid;
    const perChannel = (pick: (peer: (typeof peers)[number], channel: 'control' | 'bulk') => number) =>
      peers.flatMap((peer) =>
        (['control', 'bulk'] as const).map((channel) => ({
          labels: { peer: peer.id, channel },
          value: pick(peer, channel),
        })),
      );
    return [
      processSamples(),
      {
        build_info: [{ labels: { version: nodeVersion, node: config.validatorId, ledger: genesis.name }, value: 1 }],
        mode: [{ labels: { mode }, value: 1 }],
        in_sync: status().inSync ? 1 : 0,
        height: [
          { labels: { stage: 'finalized' }, value: replica.finalizedHeight },
          { labels: { stage: 'executed' }, value: replica.executedHeight },
          { labels: { stage: 'certified' }, value: replica.certifiedHeight },
        ],
        epoch: replica.epoch,
        view: replica.view,
        views_total: metrics.views.samples('outcome'),
        blocks_total: metrics.blocks,
        batches_total: metrics.batches.samples('author'),
        signature_checks_total: [
          { labels: { result: 'valid' }, value: checked - invalid },
          { labels: { result: 'invalid' }, value: invalid },
        ],
        mempool_transactions: mempool.transactionsCount,
        mempool_bytes: mempool.sizeBytes,
        unordered_batches: replica.pendingBatches,
        validators: validators.length,
        quorum: set.quorum,
        peer_connected: peers.map((peer) => ({ labels: { peer: peer.id }, value: peer.isConnected ? 1 : 0 })),
        peer_round_trip_seconds: peers.map((peer) => ({ labels: { peer: peer.id }, value: (peer.rttMs ?? 0) / 1000 })),
        link_sent_bytes_total: perChannel((peer, channel) => peer.channels[channel].bytesOut),
        link_received_bytes_total: perChannel((peer, channel) => peer.channels[channel].bytesIn),
        link_dropped_frames_total: perChannel((peer, channel) => peer.channels[channel].drops),
        link_errors_total: [
          ...Object.entries(transport.counters().closes).map(([code, value]) => ({ labels: { code }, value })),
          ...metrics.refused.samples('code'),
        ],
        proofs_of_fault_total: metrics.faults.samples('validator').map((sample) => {
          const [validator = '', kind = ''] = (sample.labels.validator ?? '').split('/');
          return { labels: { validator, kind }, value: sample.value };
        }),
        journal_sync_seconds: metrics.journalSync.sample(),
        journal_bytes: journal.sizeBytes,
        queue_length: [
          { labels: { queue: 'execution' }, value: ledger.queueLength() },
          { labels: { queue: 'verification' }, value: verification.queueLength() },
        ],
      },
      ledger.samples(),
    ];
  }

  const edge = await startEdgeClient(
    {
      dataDir: config.dataDir,
      genesis: genesisBytes,
      validatorId: config.validatorId,
      logLevel: config.logLevel,
      http: config.http,
      ...(config.mqtt && { mqtt: config.mqtt }),
      keysDir: config.keysDir,
      status: status(),
    },
    newsIn,
    { mempool, isTaking: () => mode === 'active', samples, onFailed: fail },
  );
  await transport.start().catch((cause: unknown) => {
    throw new NodeFailed({
      code: 'node.cannot-listen',
      message: `peers cannot reach this node on ${config.listen.host}:${config.listen.port}: ${cause instanceof Error ? cause.message : String(cause)}`,
    });
  });
  mode = 'active';
  driver.start(records);
  records.length = 0;
  const compaction = createCompaction(journal, driver, fail);
  const statusTimer = setInterval(() => {
    edge.tellStatus(status());
    compaction.runIfDue();
  }, statusEveryMs);
  log.info('node.started', {
    http: edge.httpUrl,
    ledger: ledgerHash,
    height: origin.executed.height,
    version: nodeVersion,
  });

  return {
    id: config.validatorId,
    httpUrl: edge.httpUrl,
    async stop() {
      if (isStopping) return;
      isStopping = true;
      mode = 'stopping';
      clearInterval(statusTimer);
      await edge.stop();
      driver.stop();
      timer.clear();
      await transport.stop();
      await verification.stop();
      await ledger.stop();
      await compaction.idle();
      await journal.close();
      mark.close();
      log.info('node.stopped');
      log.flush();
    },
  };
}

/** Agreement, ledger and edge take two cores; what is left can check signatures beside them. */
function spareCores(): number {
  return Math.max(0, Math.min(8, availableParallelism() - 2));
}

function readOrigin(stored: StoredOrigin): Omit<ReplicaOrigin, 'ledgerHash' | 'set' | 'self' | 'rules' | 'constants'> {
  let finalization: Certificate | null = null;
  if (stored.finalization !== null) finalization = orThrow(decodeCertificate(stored.finalization));
  return {
    executed: {
      digest: toHash(stored.digest),
      height: toHeight(stored.height),
      timeMs: stored.timeMs,
      isBoundary: false,
    },
    floors: stored.floors.map(({ seq, digest }) => ({ seq, digest: digest === null ? null : toHash(digest) })),
    finalization,
    outcomes: stored.outcomes.map(({ statement, timeMs }) => ({
      statement: orThrow(decodeCheckpointStatement(statement)),
      timeMs,
    })),
    certifiedHeight: toHeight(stored.certifiedHeight),
  };
}

/** Begins the journal anew with what still matters, once it has grown: then everything before may go. */
function createCompaction(journal: Journal, driver: Driver, fail: (error: CairnError) => void) {
  let underWay: Promise<void> | null = null;
  let sizeAfterBytes = 0;
  return {
    idle: async () => underWay,
    runIfDue() {
      if (underWay !== null || journal.sizeBytes < sizeAfterBytes + journalBytesMax) return;
      const first = journal.nextSequence;
      for (const record of driver.replica.liveRecords()) {
        const { type, payload } = recordToBytes(record);
        journal.append(type, payload);
      }
      underWay = journal
        .sync()
        .then(() => journal.prune(first))
        .then(
          () => {
            sizeAfterBytes = journal.sizeBytes;
            underWay = null;
          },
          (error: CairnError) => fail(error),
        );
    },
  };
}

/** The mark beside the keys: one line of JSON, written over in place. It survives the process, not a loss of power. */
function openSigningMark(path: string): { value: SigningMark; write: (mark: SigningMark) => void; close: () => void } {
  let value: SigningMark = { epoch: 0, view: 0, seq: 0, checkpointHeight: 0 };
  try {
    value = { ...value, ...(JSON.parse(readFileSync(path, 'utf8')) as Partial<SigningMark>) };
  } catch {
    // Absent or unreadable: it is only ever compared, and says nothing then.
  }
  const file = openSync(path, 'w', 0o600);
  const write = (mark: SigningMark): void => {
    writeSync(file, `${JSON.stringify(mark).padEnd(120)}\n`, 0);
  };
  write(value);
  return { value, write, close: () => closeSync(file) };
}

/** One timer; setting it again replaces the time. */
function createTimer() {
  let timeout: NodeJS.Timeout | null = null;
  const clear = (): void => {
    if (timeout !== null) clearTimeout(timeout);
    timeout = null;
  };
  return {
    clear,
    set(atMs: number, callback: () => void): void {
      clear();
      timeout = setTimeout(callback, Math.min(Math.max(0, atMs - performance.now()), 60_000));
    },
  };
}

function readGenesisFile(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch {
    throw new NodeFailed({
      code: 'config.no-genesis',
      message: `${path} cannot be read: put the network's genesis document there`,
    });
  }
}

function orThrow<T>(result: { ok: true; value: T } | { ok: false; error: CairnError }): T {
  if (!result.ok) throw new NodeFailed(result.error);
  return result.value;
}
