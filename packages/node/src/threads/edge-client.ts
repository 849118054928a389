/**
 * Main thread's side of the edge thread (HTTP, MQTT, queries): takes submissions from it and tells it how the node is.
 */
import { type MessagePort, Worker } from 'node:worker_threads';
import type { CairnError } from '@cairn-ledger/core';
import type { Finding } from '../audit/finding.ts';
import { errorOf } from '../failure.ts';
import type { NodeStatus } from '../http/edge-port.ts';
import type { MetricSamples } from '../metrics.ts';
import type { Mempool } from './mempool.ts';
import type { EdgeSettings, FromEdge, ToEdge } from './messages.ts';

export type EdgeClient = {
  readonly httpUrl: string;
  tellStatus(status: NodeStatus): void;
  /** A peer was cut off for what it sent: subscribers are told. */
  tellAttack(peer: string, code: string, backoffMs: number): void;
  /** Transactions that a peer wants to be sealed here: admitted like those of clients, and nobody waits for an answer. */
  admit(transactions: readonly Uint8Array[]): void;
  stop(): Promise<void>;
};

export type EdgeClientPorts = {
  readonly mempool: Mempool;
  /** Why no transactions are taken at present; null when they are. */
  readonly refusal: () => CairnError | null;
  readonly samples: () => readonly MetricSamples[];
  /** The operator takes this node out, and takes that back: the contract is at `fence` in http/membership-port.ts. */
  readonly fence: (reason: string) => CairnError | null;
  readonly unfence: () => CairnError | null;
  /** What was to be read is not what was written; nothing of it was answered. */
  readonly onDamaged: (finding: Finding) => void;
  readonly onFailed: (error: CairnError) => void;
};

/** Starts the thread; resolves when HTTP listens. */
export async function startEdgeClient(
  settings: EdgeSettings,
  news: MessagePort,
  ports: EdgeClientPorts,
): Promise<EdgeClient> {
  const worker = new Worker(new URL('./edge-worker.ts', import.meta.url), {
    workerData: { settings, news },
    transferList: [news],
    resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 256 },
  });
  const listening = Promise.withResolvers<string>();
  const stopped = Promise.withResolvers<void>();
  const post = (message: ToEdge): void => worker.postMessage(message);

  worker.on('message', (message: FromEdge) => {
    switch (message.type) {
      case 'listening':
        return listening.resolve(message.url);
      case 'submit':
        return onSubmit(message.number, message.bytes, message.lengths);
      case 'metrics':
        return post({ type: 'metrics', number: message.number, samples: ports.samples() });
      case 'fence':
        return post({ type: 'operated', number: message.number, error: ports.fence(message.reason) });
      case 'unfence':
        return post({ type: 'operated', number: message.number, error: ports.unfence() });
      case 'damaged':
        return ports.onDamaged(message.finding);
      case 'failed':
        listening.reject(message.error);
        return ports.onFailed(message.error);
      case 'stopped':
        return stopped.resolve();
    }
  });
  worker.on('error', (cause) => {
    const error = errorOf(cause, 'the edge thread');
    listening.reject(error);
    stopped.resolve();
    ports.onFailed(error);
  });
  worker.on('exit', () => stopped.resolve());

  function onSubmit(number: number, bytes: Uint8Array, lengths: Uint32Array): void {
    const refusal = ports.refusal();
    if (refusal !== null) return post({ type: 'submitted', number, outcome: refusal });
    const transactions: Uint8Array[] = [];
    let at = 0;
    for (const length of lengths) {
      transactions.push(bytes.subarray(at, at + length));
      at += length;
    }
    const isTaken = ports.mempool.add(transactions, (outcome) => post({ type: 'submitted', number, outcome }));
    if (!isTaken) post({ type: 'submitted', number, outcome: 'busy' });
  }

  const httpUrl = await listening.promise.catch(async (cause: unknown) => {
    await worker.terminate();
    throw cause;
  });
  return {
    httpUrl,
    tellStatus: (status) => post({ type: 'status', status }),
    tellAttack: (peer, code, backoffMs) => post({ type: 'attack', peer, code, backoffMs }),
    admit: (transactions) => post({ type: 'admit', transactions }),
    async stop() {
      post({ type: 'stop' });
      await stopped.promise;
      await worker.terminate();
    },
  };
}
