/**
 * Edge thread: HTTP, the gateway and queries, over databases opened for reading. A flood of requests here does not slow
 * agreement.
 */
import { join } from 'node:path';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import {
  type CairnError,
  createHistoryReader,
  createLedger,
  decodeGenesis,
  fail,
  ok,
  type Result,
  sha256,
} from '@cairn-ledger/core';
import type { Gateway, GatewayStatus } from '@cairn-ledger/gateway';
import type { Finding } from '../audit/finding.ts';
import { installNodeSha256 } from '../crypto/sha256.ts';
import { createNodeSigner } from '../crypto/signer.ts';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { errorOf, orThrow } from '../failure.ts';
import type { NodeStatus } from '../http/edge-port.ts';
import { startHttpServer } from '../http/server.ts';
import { readKeyFile, readSecretLine } from '../keys/key-file.ts';
import { createLog } from '../logging.ts';
import { bookName, openOrSetAside } from '../membership/invitation-book.ts';
import { standingSamples } from '../membership/standing-metrics.ts';
import { createThreadSampler, type MetricSamples, metricsText } from '../metrics.ts';
import { createAdmission } from './admission.ts';
import type { EdgeSettings, FromEdge, HandedOver, LedgerNews, ToEdge } from './messages.ts';
import { createNodeEdge, type NodeEdge } from './node-edge.ts';
import { openProvenLedger } from './proven-ledger.ts';
import { tellingDamage } from './telling-damage.ts';
import { yieldToAgreement } from './thread-priority.ts';
import { createWaiters } from './waiters.ts';

installNodeSha256();
yieldToAgreement();
const port = parentPort!;
const { settings, news } = workerData as { settings: EdgeSettings; news: MessagePort };
const log = createLog({ level: settings.logLevel, base: { node: settings.validatorId, thread: 'edge' } });
const post = (message: FromEdge, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);

run().catch((error: unknown) => post({ type: 'failed', error: errorOf(error, 'the edge thread') }));

async function run(): Promise<void> {
  const genesis = orThrow(decodeGenesis(settings.genesis));
  const ledgerHash = sha256(settings.genesis);
  const proven = openProvenLedger({ ...settings, genesis, ledgerHash });
  const { store, chain, view, isReceiptSound } = proven;
  const ledger = createLedger({ genesis, verify: () => false, checkPublicKey: sodiumVerifier.checkPublicKey });
  let status: NodeStatus = settings.status;
  let blockTimeMs = status.blockTimeMs;
  const asked = new Map<number, { resolve: (outcome: HandedOver) => void }>();
  const operationsAsked = new Map<number, (error: CairnError | null) => void>();
  const metricsAsked = new Map<number, (samples: readonly MetricSamples[]) => void>();
  let number = 0;
  let isDamaged = false;

  let gateway: Gateway | null = null;
  const thread = createThreadSampler('edge');
  const waiters = createWaiters();
  const admission = createAdmission({
    ledger,
    store,
    verifier: sodiumVerifier,
    moment: () => ({ height: status.executedHeight + 1, timeMs: Math.max(blockTimeMs, Date.now()) }),
    isExecuted: (id) => edge.isExecuted(id),
    heldFrom: () => edge.heldFrom(),
    handOver(transactions) {
      number++;
      const { bytes, lengths } = concatenate(transactions);
      const { promise, resolve } = Promise.withResolvers<HandedOver>();
      asked.set(number, { resolve });
      post({ type: 'submit', number, bytes, lengths }, [bytes.buffer, lengths.buffer]);
      return promise;
    },
  });
  /** Asks the main thread, which alone can fence; resolves once it holds. */
  async function operate(
    message: { type: 'fence'; reason: string } | { type: 'unfence' },
  ): Promise<Result<void, CairnError>> {
    number++;
    const { promise, resolve } = Promise.withResolvers<CairnError | null>();
    operationsAsked.set(number, resolve);
    post({ ...message, number });
    const error = await promise;
    return error === null ? ok(undefined) : fail(error);
  }
  const edge: NodeEdge = tellingDamage(
    tellDamage,
    createNodeEdge({
      genesis,
      genesisBytes: settings.genesis,
      chain,
      view,
      history: createHistoryReader(chain.tiles),
      isReceiptSound,
      admission,
      waiters,
      book: orThrow(
        openOrSetAside(join(settings.dataDir, bookName), ({ code, message }) =>
          log.warn('invitations.set-aside', { code, message }),
        ),
      ),
      validatorId: settings.validatorId,
      addressesOf: (id) => settings.peers[id] ?? null,
      listen: settings.listen,
      fence: (reason) => operate({ type: 'fence', reason }),
      unfence: () => operate({ type: 'unfence' }),
      status: () => {
        const { transactions, readings } = view.progress();
        return { ...status, transactions, readings };
      },
      metrics: async () => {
        number++;
        const { promise, resolve } = Promise.withResolvers<readonly MetricSamples[]>();
        metricsAsked.set(number, resolve);
        post({ type: 'metrics', number });
        return metricsText([
          http.samples(),
          submissionSamples(),
          { history_held_from_height: edge.heldFrom() },
          standingSamples(await edge.membership()),
          ...(gateway === null ? [] : [gatewaySamples(gateway.status())]),
          thread(),
          ...(await promise),
        ]);
      },
    }),
  );
  function tellDamage(finding: Finding): void {
    if (!isDamaged) post({ type: 'damaged', finding });
    isDamaged = true;
  }
  function submissionSamples(): MetricSamples {
    return {
      submissions_total: Object.entries(admission.counters).map(([outcome, value]) => ({ labels: { outcome }, value })),
    };
  }

  const http = orThrow(await startHttpServer(settings.http, edge, { log }));
  if (settings.mqtt !== undefined) gateway = await openGateway(settings.mqtt);
  news.on('message', (message: LedgerNews) => {
    if (message.type === 'executed') blockTimeMs = message.timeMs;
    edge.onNews(message);
  });
  port.on('message', (message: ToEdge) => {
    switch (message.type) {
      case 'status': {
        const hasChanged = message.status.mode !== status.mode || message.status.inSync !== status.inSync;
        const { mode: from } = status;
        status = message.status;
        if (status.mode !== from) {
          edge.onLocalNews({ kind: 'node-mode', timeMs: Date.now(), data: { from, mode: status.mode } });
        }
        if (hasChanged) edge.onStatus();
        return;
      }
      case 'attack': {
        const { peer, code, backoffMs } = message;
        return edge.onLocalNews({ kind: 'attack', timeMs: Date.now(), data: { peer, code, backoffMs } });
      }
      case 'admit':
        // What is refused was refused for its sender's reasons, who has sent it to others, too.
        return void admission.submit(message.transactions).then(
          (outcomes) => {
            for (const outcome of outcomes) log.debug('transaction.admitted', { ...outcome });
          },
          (error: unknown) => post({ type: 'failed', error: errorOf(error, 'the edge thread') }),
        );
      case 'submitted': {
        const waiting = asked.get(message.number);
        asked.delete(message.number);
        return waiting?.resolve(message.outcome);
      }
      case 'metrics': {
        const answer = metricsAsked.get(message.number);
        metricsAsked.delete(message.number);
        return answer?.(message.samples);
      }
      case 'operated': {
        const answer = operationsAsked.get(message.number);
        operationsAsked.delete(message.number);
        return answer?.(message.error);
      }
      case 'stop':
        return void stop();
    }
  });
  post({ type: 'listening', port: http.port, url: http.url });

  async function openGateway(mqtt: NonNullable<EdgeSettings['mqtt']>): Promise<Gateway> {
    const key = orThrow(readKeyFile(join(settings.keysDir, 'gateway.key')));
    // Loaded where it is used: a node without a broker saves its memory.
    const { startGateway } = await import('@cairn-ledger/gateway');
    const password = mqtt.passwordPath === undefined ? null : orThrow(readSecretLine(mqtt.passwordPath));
    const started = orThrow(
      await startGateway({
        brokerUrl: mqtt.brokerUrl,
        ...(mqtt.username !== undefined && { username: mqtt.username }),
        ...(password !== null && { password }),
        ledgerHash,
        signer: createNodeSigner(key.algorithm, key.secretKey),
        ledger: edge,
        directory: join(settings.dataDir, 'gateway'),
        member: status.node.member,
        onEvent: (event) => log.debug('gateway', event),
      }),
    );
    void started.failed.then((error) => log.error('gateway.failed', { code: error.code, message: error.message }));
    return started;
  }

  async function stop(): Promise<void> {
    await gateway?.close();
    await http.stop();
    news.close();
    proven.close();
    log.flush();
    post({ type: 'stopped' });
    port.close();
  }
}

function gatewaySamples(status: GatewayStatus): MetricSamples {
  const rejected = Object.values(status.rejected).reduce((sum, count) => sum + count, 0);
  const outcomes = { received: status.received, redelivered: status.redelivered, retained: status.retained };
  const verdicts = { accepted: status.acceptedVerdicts, rejected: status.rejectedVerdicts, malformed: rejected };
  return {
    gateway_messages_total: Object.entries({ ...outcomes, ...verdicts }).map(([outcome, value]) => ({
      labels: { outcome },
      value,
    })),
    gateway_outbox_transactions: status.outbox.transactions,
  };
}

/** One after the other, in buffers of their own: they are moved to the other thread. */
function concatenate(transactions: readonly Uint8Array[]): {
  bytes: Uint8Array<ArrayBuffer>;
  lengths: Uint32Array<ArrayBuffer>;
} {
  const lengths = Uint32Array.from(transactions, (transaction) => transaction.length);
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const transaction of transactions) {
    bytes.set(transaction, at);
    at += transaction.length;
  }
  return { bytes, lengths };
}
