/** Whether everything that was acknowledged stands in the history, and all of that is there, looked at through the HTTP of each node. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient } from '@cairn-ledger/sdk';
import { orFail } from '../exit-code.ts';
import type { DrillNode } from './drill-network.ts';

const pageReadings = 10_000;
const pauseMs = 250;
export const wholeTimeoutMs = 60_000;

type Sent = { readonly id: string; readonly device: string; readonly timeMs: number };

/**
 * How often each transaction of these devices stands in what a node has.
 *
 * @param fromMs leaves out readings of before; null: none
 */
export async function timesSeen(
  client: Pick<Client, 'readings'>,
  devices: Iterable<string>,
  fromMs: number | null = null,
): Promise<Map<string, number>> {
  const seen = new Map<string, number>();
  for (const device of devices) {
    let cursor: string | null = null;
    do {
      const query = {
        limit: pageReadings,
        ...(fromMs !== null && { from: String(fromMs) }),
        ...(cursor !== null && { cursor }),
      };
      const page: Awaited<ReturnType<Client['readings']>> = await client.readings(device, query);
      const { readings, next } = orFail(page);
      for (const { transaction } of readings) seen.set(transaction, (seen.get(transaction) ?? 0) + 1);
      cursor = next;
    } while (cursor !== null);
  }
  return seen;
}

/**
 * Waits until these nodes hold the whole history: one that lost its data, or joined, begins from a state, and fetches what is
 * older while it already takes part. For who compares histories of all nodes. A node that is not reached is asked again: it may
 * restart once it has everything.
 *
 * @returns ids of those that still lack something when the time is over; of a node that does not tell, too
 */
export async function untilHistoryWhole(
  nodes: readonly { readonly id: string; readonly client: Pick<Client, 'status'> }[],
  timeoutMs: number = wholeTimeoutMs,
): Promise<string[]> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const statuses = await Promise.all(nodes.map(({ client }) => client.status()));
    const partial = nodes.filter((_, i) => {
      const status = statuses[i]!;
      return !status.ok || status.value.heldFrom !== 0;
    });
    if (partial.length === 0 || performance.now() > deadline) return partial.map(({ id }) => id);
    await sleep(pauseMs);
  }
}

/** Acknowledged transactions that some node still lacks when the time is over; the most of any node. */
export async function countLost(
  nodes: readonly DrillNode[],
  acknowledged: readonly Sent[],
  timeoutMs: number,
): Promise<number> {
  const deadline = performance.now() + timeoutMs;
  const devices = [...new Set(acknowledged.map(({ device }) => device))];
  const fromMs = Math.min(...acknowledged.map(({ timeMs }) => timeMs));
  const clients = nodes.map((node) => createClient({ nodes: [node.http], timeoutMs: 10_000 }));
  if (acknowledged.length === 0) return 0;
  for (;;) {
    let lost = 0;
    for (const client of clients) {
      const missing = await timesSeen(client, devices, fromMs)
        .then((seen) => acknowledged.filter(({ id }) => !seen.has(id)).length)
        .catch(() => acknowledged.length);
      lost = Math.max(lost, missing);
    }
    if (lost === 0 || performance.now() > deadline) return lost;
    await sleep(pauseMs);
  }
}
