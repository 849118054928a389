/**
 * What must hold of a network however its nodes were killed: looked at from outside, through the HTTP of every node.
 *
 * - every node comes to hold the whole history;
 * - everything acknowledged stands in the history of every node exactly once;
 * - history and state roots are equal at equal heights, at every height;
 * - receipts verify against the genesis;
 * - nobody fenced itself, failed, or is accused of a fault.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { base64urlToBytes, decodeTransaction, fromHex, keyId, toHex } from '@cairn-ledger/core';
import { timesSeen, untilHistoryWhole } from '../packages/node/src/cli/drill/history-check.ts';
import type { Load, Sent } from './kills-load.ts';
import { assertAgreement, type E2eNetwork, type E2eNode, metricOf, orFail, statusOf, until } from './network.ts';

const decidedTimeoutMs = 60_000;
const receiptsAtOnce = 4;
const heightsAtOnce = 16;
/** What an honest node never logs; and what it does not log either as long as its disk works. */
const alarms = ['node.fenced', 'node.uncaught', 'fault.proven'];
const diskAlarm = 'node.failed';

export type Checks = {
  /** After some cycles, under load: what was acknowledged since the last time, and the heights since then. */
  recent(): Promise<void>;
  /** At the end, after the load: all of it once more, from the first transaction on. */
  all(): Promise<Totals>;
};

export type Totals = {
  readonly acknowledged: number;
  /** In the history, acknowledged or not. */
  readonly committed: number;
  /** Transactions that were acknowledged, and are missing on some node. */
  readonly lost: number;
  /** Transactions that stand more than once in the history of some node. */
  readonly duplicated: number;
  readonly height: number;
};

/**
 * @param pick a number below `count`, for samples
 */
export function createChecks(
  network: E2eNetwork,
  load: Load,
  pick: (count: number) => number,
  hasDiskFaults = false,
): Checks {
  const { nodes } = network;
  const unwanted = hasDiskFaults ? alarms : [...alarms, diskAlarm];
  let checkedCount = 0;
  let checkedHeight = 0;
  const logOffsets = nodes.map(() => 0);

  async function assertNoAlarm(): Promise<void> {
    nodes.forEach((node, i) => {
      const fresh = readFileSync(`${node.dir}/node.log`).subarray(logOffsets[i]!);
      logOffsets[i]! += fresh.length;
      const text = fresh.toString();
      for (const alarm of unwanted) assert.ok(!text.includes(`"${alarm}"`), `the log of ${node.id} has no ${alarm}`);
    });
    for (const node of nodes) assert.equal(await metricOf(node, 'proofs_of_fault_total'), 0, 'nobody is accused');
  }

  async function assertEqualRoots(from: number, to: number): Promise<void> {
    for (let first = from; first <= to; first += heightsAtOnce) {
      const heights = Array.from({ length: Math.min(heightsAtOnce, to - first + 1) }, (_, i) => first + i);
      await Promise.all(heights.map(assertEqualRootsAt));
    }
  }

  async function assertEqualRootsAt(height: number): Promise<void> {
    const roots = await Promise.all(nodes.map((node) => rootsAt(node, height)));
    for (const root of roots) assert.deepEqual(root, roots[0], `the nodes have equal roots at height ${height}`);
  }

  async function assertReceipts(from: readonly Sent[], count: number): Promise<void> {
    if (from.length === 0) return;
    for (let done = 0; done < count; done += receiptsAtOnce) {
      const sample = Array.from({ length: receiptsAtOnce }, () => from[pick(from.length)]!);
      await Promise.all(
        sample.map(async ({ id }) => {
          const node = nodes[pick(nodes.length)]!;
          orFail(await node.client.receipt(id), `the receipt of ${id} at ${node.id}`);
        }),
      );
    }
  }

  /** How often each transaction stands in what a node has; `since` leaves out what is older than all of these. */
  function timesSeenOf(node: E2eNode, since: readonly Sent[] | null): Promise<Map<string, number>> {
    const fromMs = since === null ? null : Math.min(...since.map(({ timeMs }) => timeMs));
    const devices = since === null ? load.devices : new Set(since.map(({ device }) => device));
    return timesSeen(node.client, devices, fromMs);
  }

  return {
    async recent() {
      const open = load.acknowledged.slice(checkedCount);
      assert.deepEqual(await untilHistoryWhole(nodes), [], 'nobody lacks a part of the history for good');
      let last = '';
      await until('all that was acknowledged stands on every node', decidedTimeoutMs, async () => {
        for (const node of nodes) {
          const { lost, duplicated } = compare(open, await timesSeenOf(node, open));
          assert.deepEqual(duplicated, [], `${node.id} has nothing twice`);
          last = `${node.id} lacks ${lost.length} of ${open.length}, among them ${lost[0]?.id} of ${lost[0]?.device}`;
          assert.equal(lost.length, 0, last);
        }
        return true;
      });
      checkedCount += open.length;
      const height = await assertAgreement(nodes);
      await assertEqualRoots(checkedHeight + 1, height);
      checkedHeight = height;
      await assertReceipts(open, receiptsAtOnce);
      // Under load a node may be a few blocks behind at this very moment; one that fenced itself stays so.
      await until('every node takes part', decidedTimeoutMs, async () => {
        for (const node of nodes)
          assert.equal(orFail(await node.client.status()).mode, 'active', `${node.id} takes part`);
        return true;
      });
      await assertNoAlarm();
    },
    async all() {
      await untilQuiet(nodes);
      await this.recent();
      const { historySize, executedHeight } = await statusOf(nodes[0]!);
      // What the genesis itself wrote.
      const { historySize: foundedSize } = orFail(
        await nodes[0]!.client.get<{ historySize: number }>('/v1/checkpoints/0'),
      );
      const ownWords = await ownWordsOf(nodes[0]!, executedHeight, await timesSeenOf(nodes[0]!, null));
      let [lost, duplicated, committed] = [0, 0, 0];
      for (const node of nodes) {
        const seen = await timesSeenOf(node, null);
        const found = compare(load.acknowledged, seen);
        lost = Math.max(lost, found.lost.length);
        duplicated = Math.max(duplicated, found.duplicated.length);
        committed = seen.size;
        // The quorum has signed the size of the history: nothing stands in it besides what was found, and nothing twice.
        assert.equal(
          foundedSize + seen.size + ownWords,
          historySize,
          `the history of ${node.id} has as many transactions as were found in it, and of the validators themselves`,
        );
      }
      await assertEqualRoots(Math.max(1, checkedHeight - 50), checkedHeight);
      await assertReceipts(load.acknowledged, 100);
      return { acknowledged: load.acknowledged.length, committed, lost, duplicated, height: checkedHeight };
    },
  };
}

/** Nothing waits any more: all that was taken in is executed, and stands in the view of every node. */
async function untilQuiet(nodes: readonly E2eNode[]): Promise<void> {
  await until('everything taken in is executed everywhere', decidedTimeoutMs, async () => {
    const statuses = await Promise.all(nodes.map((node) => node.client.status()));
    const first = orFail(statuses[0]!);
    statuses.forEach((answer, i) => {
      const { finalizedHeight, executedHeight, historySize, mempool, transactions } = orFail(answer);
      const id = nodes[i]!.id;
      assert.equal(mempool.transactions, 0, `${id} has taken in nothing that is not sealed`);
      assert.equal(executedHeight, finalizedHeight, `${id} has executed what is final`);
      assert.deepEqual(
        [historySize, transactions],
        [first.historySize, first.transactions],
        `${id} has what others have`,
      );
    });
    return true;
  });
}

/** Accepted transactions of validators: what they say of each other when one of them is killed. */
async function ownWordsOf(node: E2eNode, height: number, others: ReadonlyMap<string, number>): Promise<number> {
  const validators = orFail(await node.client.validators());
  const kids = new Set(validators.map(({ linkKey }) => toHex(keyId('ed25519', fromHex(linkKey)!))));
  let count = 0;
  for (let first = 1; first <= height; first += heightsAtOnce) {
    const heights = Array.from({ length: Math.min(heightsAtOnce, height - first + 1) }, (_, i) => first + i);
    const counts = await Promise.all(heights.map((at) => ownWordsAt(node, at, kids, others)));
    for (const each of counts) count += each;
  }
  return count;
}

async function ownWordsAt(
  node: E2eNode,
  height: number,
  kids: ReadonlySet<string>,
  others: ReadonlyMap<string, number>,
): Promise<number> {
  const block = orFail(await node.client.get<BlockAnswer>(`/v1/blocks/${height}?transactions=true`));
  let count = 0;
  for (const { id, code } of block.transactions ?? []) {
    if (code !== 'ok' || others.has(id)) continue;
    const { bytes } = orFail(await node.client.transaction(id));
    const decoded = decodeTransaction(base64urlToBytes(bytes!)!);
    if (decoded.ok && kids.has(toHex(decoded.value.header.kid))) count++;
  }
  return count;
}

type BlockAnswer = { readonly transactions?: readonly { readonly id: string; readonly code: string }[] };

function compare(expected: readonly Sent[], seen: ReadonlyMap<string, number>): { lost: Sent[]; duplicated: string[] } {
  return {
    lost: expected.filter(({ id }) => !seen.has(id)),
    duplicated: [...seen].filter(([, count]) => count > 1).map(([id]) => id),
  };
}

async function rootsAt(node: E2eNode, height: number): Promise<unknown> {
  const answer = await node.client.get<Record<string, unknown>>(`/v1/checkpoints/${height}`);
  const { historySize, historyRoot, stateRoot } = orFail(answer, `checkpoint ${height} of ${node.id}`);
  return { historySize, historyRoot, stateRoot };
}
