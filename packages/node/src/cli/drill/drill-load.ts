/**
 * The load of a drill, and a record of what was answered for. Clients at the nodes that nobody attacks hand in a few
 * transactions, wait for their verdicts, and hand in the next: the same before, during and after an attack. A lighter one hands in
 * at the node attacked without waiting, to see whether what it acknowledges is kept.
 *
 * What got no answer is handed in again unchanged: it is one transaction, by its id.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Signer } from '@cairn-ledger/core';
import { type Client, createClient, signTransaction, transactionIdOf } from '@cairn-ledger/sdk';
import { orFail } from '../exit-code.ts';
import { signerOf } from '../signing.ts';
import type { DrillNetwork, DrillNode } from './drill-network.ts';

const perPost = 20;
const verdictWaitMs = 4_000;
const answerTimeoutMs = 6_000;
const pauseMs = 50;
const lightEveryMs = 250;
const lightTimeoutMs = 1_000;
const countersAtOnce = 1_000;
/** Times of readings begin here and go up by a millisecond: one can be asked for by its time. */
export const seriesStartMs = 1_700_000_000_000;

export type Sent = {
  readonly id: string;
  readonly device: string;
  /** Of its reading. */
  readonly timeMs: number;
  /** Of its reading. */
  readonly value: string;
};

export type DrillLoad = {
  /** Answered with 202, or a verdict. */
  readonly acknowledged: readonly Sent[];
  /** Known to stand in the history. */
  readonly accepted: readonly Sent[];
  /** Transactions per second that got their verdict in a span of time, at the nodes that nobody attacks. */
  rateBetween(fromMs: number, toMs: number): number;
  /** Hands in at a node that is going to be attacked, too. */
  addLight(node: DrillNode): void;
  stop(): Promise<void>;
};

type Signed = Sent & { readonly bytes: Uint8Array };

/** @param at a client at each of them */
export function startDrillLoad(network: DrillNetwork, at: readonly DrillNode[]): DrillLoad {
  const acknowledged: Sent[] = [];
  const accepted: Sent[] = [];
  const verdicts: { readonly atMs: number; readonly count: number }[] = [];
  const stopping = new AbortController();
  const { signal } = stopping;
  const loops = at.map((node, i) => loadNode(node, network.loadDevices[i]!));
  let devices = loops.length;

  async function loadNode(node: DrillNode, device: string): Promise<void> {
    const client = createClient({ nodes: [node.http], timeoutMs: answerTimeoutMs });
    const next = await createSeries(network, device);
    let again: Signed[] = [];
    while (!signal.aborted) {
      const sent = again.length > 0 ? again : await nextOf(next, perPost);
      again = (await handIn(client, sent, verdictWaitMs, answerTimeoutMs, true)) ? [] : sent;
      if (again.length > 0) await sleep(pauseMs);
    }
  }

  async function loadLightly(node: DrillNode, device: string): Promise<void> {
    const next = await createSeries(network, device);
    while (!signal.aborted) {
      await handIn(node.client, await nextOf(next, 1), 0, lightTimeoutMs, false);
      await sleep(lightEveryMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** False when there was no answer, or none that settles every one of them. */
  async function handIn(
    client: Client,
    sent: readonly Signed[],
    waitMs: number,
    timeoutMs: number,
    isCounted: boolean,
  ): Promise<boolean> {
    const bytes = sent.map((transaction) => transaction.bytes);
    const outcomes = await client.submitMany(bytes, waitMs, { timeoutMs, signal }).catch(() => null);
    if (outcomes?.ok !== true) return false;
    let decided = 0;
    let isSettled = true;
    outcomes.value.forEach(({ status }, i) => {
      const { bytes: _, ...known } = sent[i]!;
      if (status === 'pending' || status === 'accepted') acknowledged.push(known);
      if (status === 'busy') isSettled = false;
      if (status !== 'accepted') return;
      accepted.push(known);
      decided++;
    });
    if (isCounted) verdicts.push({ atMs: Date.now(), count: decided });
    return isSettled;
  }

  return {
    acknowledged,
    accepted,
    rateBetween(fromMs, toMs) {
      const count = verdicts
        .filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
        .reduce((sum, verdict) => sum + verdict.count, 0);
      return toMs <= fromMs ? 0 : (count * 1000) / (toMs - fromMs);
    },
    addLight(node) {
      loops.push(loadLightly(node, network.loadDevices[devices++]!));
    },
    async stop() {
      stopping.abort();
      await Promise.all(loops);
    },
  };
}

async function nextOf(next: () => Promise<Signed>, count: number): Promise<Signed[]> {
  const signed: Signed[] = [];
  while (signed.length < count) signed.push(await next());
  return signed;
}

/** Transactions of one device, one reading each. */
async function createSeries(network: DrillNetwork, device: string): Promise<() => Promise<Signed>> {
  const signer: Signer = signerOf(network.keyPath(device));
  const { ledgerHash } = network.genesis;
  let counter = 0n;
  let left = 0;
  return async () => {
    if (left === 0) {
      counter = await network.counters(device, countersAtOnce);
      left = countersAtOnce;
    }
    const timeMs = seriesStartMs + Number(counter);
    const time = `${Math.floor(timeMs / 1000)}.${String(timeMs % 1000).padStart(3, '0')}`;
    const value = String(counter * 3n);
    const readings = [{ name: 'n', time, value: { type: 'number' as const, text: value } }];
    const bytes = orFail(signTransaction({ ledgerHash, counter, readings }, signer));
    counter++;
    left--;
    return { id: orFail(transactionIdOf(bytes)), device, timeMs, value, bytes };
  };
}
