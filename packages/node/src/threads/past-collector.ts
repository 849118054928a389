/** Main thread's side of the past thread: asks peers what that wants to know, and says when the past is whole. */
import { Worker } from 'node:worker_threads';
import { type CairnError, type Channel, decodeMessage, encodeMessage, type Message } from '@cairn-ledger/core';
import { errorOf } from '../failure.ts';
import { createLinkPort } from '../healing/link-port.ts';
import type { FromPast, PastSettings, ToPast } from './messages.ts';

export type PastCollectorParts = {
  readonly settings: PastSettings;
  readonly send: (peer: string, channel: Channel, frame: Uint8Array) => boolean;
  /** Of peers that are linked already. */
  readonly linked: readonly string[];
  /** All of it lies beside the chain; it becomes part of it between two lives (storage/past-merge.ts). */
  readonly onCollected: (bytesFetched: number) => void;
  /** A peer said what no honest one says. */
  readonly onRefused: (peer: string, what: string) => void;
  /** Nothing that keeps the node from going on: it is tried again. */
  readonly onProblem: (error: CairnError) => void;
  /** The thread is no more, and has not collected it. */
  readonly onLost: () => void;
};

export type PastCollector = {
  onConnected(peer: string): void;
  onDisconnected(peer: string): void;
  /** Whether a message is an answer to what was asked for here. */
  takesAnswer(peer: string, message: Message): boolean;
  /** Resolves when it has closed its files. */
  stop(): Promise<void>;
};

export function createPastCollector(parts: PastCollectorParts): PastCollector {
  const worker = new Worker(new URL('./past-worker.ts', import.meta.url), {
    workerData: parts.settings,
    resourceLimits: { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 256 },
  });
  const links = createLinkPort(parts.send);
  const open = new Map<number, AbortController>();
  // Noted now: one that has ended by the time of `stop` says so no more.
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  let isStopping = false;
  let isCollected = false;
  const post = (message: ToPast): void => worker.postMessage(message);
  const tellPeers = (): void => post({ type: 'peers', ids: links.peers() });

  async function ask(number: number, peer: string, request: Message): Promise<void> {
    const abandoned = new AbortController();
    open.set(number, abandoned);
    const answer = await links.ask(peer, request, abandoned.signal);
    if (!open.delete(number)) return;
    post({ type: 'answer', number, frame: answer === null ? null : encodeMessage(answer.message) });
  }

  worker.on('message', (message: FromPast) => {
    switch (message.type) {
      case 'ask': {
        const request = decodeMessage(message.request);
        if (request.ok) void ask(message.number, message.peer, request.value);
        return;
      }
      case 'abandon': {
        const abandoned = open.get(message.number);
        open.delete(message.number);
        return abandoned?.abort();
      }
      case 'collected':
        isCollected = true;
        return parts.onCollected(message.bytesFetched);
      case 'refused':
        return parts.onRefused(message.peer, message.what);
      case 'problem':
        return parts.onProblem(message.error);
    }
  });
  worker.once('exit', () => {
    if (!isStopping && !isCollected) parts.onLost();
  });
  worker.on('error', (cause) => parts.onProblem(errorOf(cause, 'the past thread')));
  for (const peer of parts.linked) links.onConnected(peer);
  tellPeers();

  return {
    onConnected(peer) {
      links.onConnected(peer);
      tellPeers();
    },
    onDisconnected(peer) {
      links.onDisconnected(peer);
      tellPeers();
    },
    takesAnswer: (peer, message) => links.takesAnswer(peer, message),
    async stop() {
      isStopping = true;
      post({ type: 'stop' });
      await exited;
    },
  };
}
