/**
 * A network that grows and shrinks while it is used: nodes join by invitation, request, proposal and votes, one after the other; others
 * are voted out, at most f at once; meanwhile nodes are killed, stopped for some seconds, and lose their journal. All by real
 * processes, and by the commands that people use.
 *
 * What must hold: the chain never stops for long; whatever a client has a verified receipt of is there in the end; all who remain have equal
 * roots; nobody was removed but by vote, and nobody is accused.
 */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { createClient, signTransaction } from '@cairn-ledger/sdk';
import { timesSeen, untilHistoryWhole } from '../packages/node/src/cli/drill/history-check.ts';
import type { MembershipAnswer } from '../packages/node/src/cli/membership/answers.ts';
import { signerOf } from '../packages/node/src/cli/signing.ts';
import {
  assertAgreement,
  basePort,
  type E2eNode,
  type FoundedNetwork,
  foundNetwork,
  metricOf,
  orFail,
  sleep,
  statusOf,
  until,
  untilInSync,
} from './network.ts';

export type GrowOptions = {
  readonly from: number;
  readonly to: number;
  readonly downTo: number;
  readonly onProgress?: (line: string) => void;
};

export type GrowSummary = {
  readonly from: number;
  readonly to: number;
  readonly downTo: number;
  readonly epochs: number;
  /** Whether the node that lost its journal had lost something by it, and came back with another life number. */
  readonly wasTakenBack: boolean;
  readonly height: number;
  readonly acknowledged: number;
  readonly lost: number;
  /** Between the times of two blocks in a row. */
  readonly longestGapMs: number;
  readonly longestGapHeight: number;
  readonly medianGapMs: number;
  readonly seconds: number;
};

/** Founders that are there from beginning to end: nothing is done to them, and they are asked. */
const constant = 2;
const stoppedMs = 4_000;
const downMs = 1_500;
/** From its start until a node has told that it has forgotten something. */
const noticedMs = 500;
const lossesMax = 4;
const changeTimeoutMs = 90_000;
const gapMsMax = 30_000;
const loadEveryMs = 150;
const seriesStartMs = 1_700_000_000_000;
const heightsAtOnce = 32;

export const growDevices = ['alder/grow-1', 'alder/grow-2'];

export function foundGrowNetwork({ from }: Pick<GrowOptions, 'from'>): Promise<FoundedNetwork> {
  // Many processes on few cores: a view must not end before its votes were counted.
  return foundNetwork({ nodes: from, devices: growDevices, deltaMs: from > 4 ? 300 : 100 });
}

/** Throws with what does not hold. The nodes of the network run already. */
export async function runGrow(network: FoundedNetwork, options: GrowOptions): Promise<GrowSummary> {
  const { from, to, downTo, onProgress = () => undefined } = options;
  assert.ok(
    from >= 4 && to > from && downTo >= 4 && downTo < from + (to - from),
    'it grows, and shrinks to 4 at least',
  );
  const startedMs = performance.now();
  const asked = network.nodes[0]!;
  const joined: E2eNode[] = [];
  const left = new Set<E2eNode>();
  const load = startLoad(network);

  const present = (): E2eNode[] => network.nodes.filter((node) => !left.has(node));
  const tell = async (what: string): Promise<void> => {
    const { executedHeight } = await statusOf(asked);
    const seconds = Math.round((performance.now() - startedMs) / 1_000);
    onProgress(`${seconds} s: ${what}; height ${executedHeight}, ${load.count()} acknowledged`);
  };

  /** Validators of the present epoch, as every node that runs has them. */
  async function untilValidators(count: number): Promise<void> {
    await until(`${count} validate`, changeTimeoutMs, async () => {
      const statuses = await Promise.all(present().map((node) => node.client.status()));
      return statuses.every((status) => status.ok && status.value.validators === count && status.value.inSync);
    });
  }

  async function joinOne(number: number): Promise<void> {
    const id = `node-${number}`;
    const dir = join(network.dir, id);
    const [listen, http] = [basePort + 60 + 2 * (number - from), basePort + 61 + 2 * (number - from)];
    const invited = await network.cairnJson<{ text: string; fingerprint: string }>(
      ...['invite', `alder/${id}`, '--node', asked.id],
    );
    const { id: request } = await network.cairnJson<{ id: string }>(
      ...['join', invited.text, '--fingerprint', invited.fingerprint, '--dir', dir],
      ...['--listen', `127.0.0.1:${listen}`, '--http', `127.0.0.1:${http}`],
    );
    const node = network.addNode(id, dir, `http://127.0.0.1:${http}`, listen);
    const key = ['--key', network.keyPath('alder')];
    await network.cairnJson('propose', '--join', request, '--node', asked.id, ...key, '--all-members', '--wait');
    await node.start();
    joined.push(node);
  }

  async function remove(nodes: readonly E2eNode[]): Promise<void> {
    const key = ['--key', network.keyPath('alder')];
    for (const { id } of nodes)
      await network.cairnJson('propose', 'remove', id, '--node', asked.id, ...key, '--all-members', '--wait');
    for (const node of nodes) left.add(node);
  }

  let count = from;
  const faults: Fault[] = [killed, stopped];
  while (count < to) {
    const victim = present()[constant + (count % (from - constant))]!;
    const fault = faults.shift();
    const during = fault === undefined ? Promise.resolve() : fault(victim);
    await Promise.all([joinOne(count + 1), during]);
    await untilValidators(++count);
    await tell(`${count} validate${fault === undefined ? '' : `, after ${victim.id} was ${fault.name}`}`);
  }

  const forgetful = present()[constant]!;
  const wasTakenBack = await withoutJournal(forgetful);
  await tell(
    `${forgetful.id} has lost its journal, ${wasTakenBack ? 'and was taken back' : 'with nothing of meaning in it'}`,
  );

  let round = 0;
  while (count > downTo) {
    const atOnce = Math.min(Math.floor((count - 1) / 3), count - downTo);
    const leaving = toLeave(network.nodes.slice(0, from), joined, downTo, present()).slice(0, atOnce);
    const victim = present().find((node, i) => i >= constant && !leaving.includes(node));
    // With four there may be one fault, and a removal is none: the set is always whole.
    const during = round++ === 0 && victim !== undefined ? killed(victim) : Promise.resolve();
    await Promise.all([remove(leaving), during]);
    count -= leaving.length;
    await untilValidators(count);
    await Promise.all(leaving.map((node) => node.stop()));
    await tell(`${count} validate, without ${leaving.map(({ id }) => id).join(', ')}`);
  }

  const before = load.count();
  await until('transactions are final as before', 30_000, async () => load.count() > before + 10);
  const acknowledged = await load.stop();
  const height = await assertAgreement(present());
  const lost = await lostOf(present(), network.nodes.slice(0, constant), acknowledged);
  assert.equal(lost, 0, 'nothing acknowledged is lost');
  await assertNobodyAccused(network, present(), left);
  const gaps = await gapsOf(asked, height);
  assert.ok(
    gaps.longestGapMs <= gapMsMax,
    `the chain stood still for ${gaps.longestGapMs} ms at ${gaps.longestGapHeight}`,
  );
  network.assertNoneEnded();
  const { epoch } = await membershipOf(asked);
  const seconds = Math.round((performance.now() - startedMs) / 1_000);
  return {
    from,
    to,
    downTo,
    epochs: epoch,
    wasTakenBack,
    height,
    acknowledged: acknowledged.length,
    lost,
    ...gaps,
    seconds,
  };
}

type Fault = (node: E2eNode) => Promise<void>;

async function killed(node: E2eNode): Promise<void> {
  await node.kill();
  await sleep(downMs);
  await node.start();
}

async function stopped(node: E2eNode): Promise<void> {
  process.kill(node.pid(), 'SIGSTOP');
  try {
    await sleep(stoppedMs);
  } finally {
    process.kill(node.pid(), 'SIGCONT');
  }
}

/**
 * Its record of what it signed is gone: it asks to be taken back, which the others do with a new epoch. Where all that it has signed is final
 * by its chain, it has forgotten nothing; so it is tried again, until it has.
 */
async function withoutJournal(node: E2eNode): Promise<boolean> {
  for (let attempt = 1; attempt <= lossesMax; attempt++) {
    await node.kill();
    rmSync(join(node.dir, 'data', 'journal'), { recursive: true });
    await node.start();
    await sleep(noticedMs);
    const hasForgotten = node.log().includes('"event":"node.fenced","reason":"rolled-back"');
    await until(`${node.id} is active again`, changeTimeoutMs, async () => {
      const status = orFail(await node.client.status());
      return status.mode === 'active' && status.inSync;
    });
    if (hasForgotten) return true;
  }
  return false;
}

/** Two founders stay, and of those that joined as many as there is room for. */
function toLeave(
  founders: readonly E2eNode[],
  joined: readonly E2eNode[],
  downTo: number,
  present: readonly E2eNode[],
): E2eNode[] {
  const staying = [...founders.slice(0, constant), ...joined, ...founders.slice(constant)].slice(0, downTo);
  return present.filter((node) => !staying.includes(node));
}

type Sent = { readonly id: string; readonly device: string; readonly timeMs: number };

/** Each device hands in one transaction after the other, and waits for its verified receipt. */
function startLoad(network: FoundedNetwork) {
  const acknowledged: Sent[] = [];
  const { ledgerHash, anchor } = network;
  let isOver = false;
  const client = createClient({ nodes: network.nodes.map((node) => node.http), anchor, timeoutMs: 10_000 });

  async function loadFrom(device: string): Promise<void> {
    const signer = signerOf(network.keyPath(device));
    for (let counter = 1n; !isOver; counter++) {
      const timeMs = seriesStartMs + Number(counter);
      const time = `${Math.floor(timeMs / 1000)}.${String(timeMs % 1000).padStart(3, '0')}`;
      const readings = [{ name: 'n', time, value: { type: 'number' as const, text: String(counter) } }];
      const bytes = orFail(signTransaction({ ledgerHash, counter, readings }, signer));
      const { id } = orFail(await client.deliver(bytes, { timeoutMs: 60_000 }), `${counter} of ${device}`);
      acknowledged.push({ id, device, timeMs });
      await sleep(loadEveryMs);
    }
  }

  const running = Promise.all(growDevices.map(loadFrom));
  let failure: unknown = null;
  running.catch((error: unknown) => {
    failure = error;
  });
  return {
    count() {
      if (failure !== null) throw failure;
      return acknowledged.length;
    },
    async stop() {
      isOver = true;
      await running;
      return acknowledged;
    },
  };
}

/** The most that any node lacks. One that joined, and does not hold the whole history in time, must have the newest. */
async function lostOf(
  nodes: readonly E2eNode[],
  whole: readonly E2eNode[],
  acknowledged: readonly Sent[],
): Promise<number> {
  const partial = await untilHistoryWhole(nodes);
  for (const { id } of whole) assert.ok(!partial.includes(id), `${id} holds the whole history`);
  let most = 0;
  for (const node of nodes) {
    const seen = await timesSeen(node.client, growDevices);
    for (const [id, times] of seen) assert.equal(times, 1, `${node.id} has ${id} once`);
    const expected = partial.includes(node.id) ? acknowledged.slice(-5) : acknowledged;
    most = Math.max(most, expected.filter(({ id }) => !seen.has(id)).length);
  }
  return most;
}

async function assertNobodyAccused(
  network: FoundedNetwork,
  present: readonly E2eNode[],
  left: ReadonlySet<E2eNode>,
): Promise<void> {
  for (const node of network.nodes)
    for (const alarm of ['fault.proven', 'node.failed', 'node.uncaught'])
      assert.ok(!node.log().includes(`"event":"${alarm}"`), `the log of ${node.id} has no ${alarm}`);
  for (const node of present) assert.equal(await metricOf(node, 'proofs_of_fault_total'), 0, 'nobody is accused');
  const { validators } = await membershipOf(present[0]!);
  const voted = new Set([...left].map(({ id }) => id));
  for (const { id, state, causes } of validators) {
    assert.equal(state === 'removed', voted.has(id), `${id} is ${state}`);
    assert.ok(!causes.includes('proven-fault'), `${id} is honest`);
  }
}

/** By the times of all blocks, as a node has them that was there all the time. */
async function gapsOf(node: E2eNode, height: number) {
  const times: number[] = [];
  for (let first = 1; first <= height; first += heightsAtOnce) {
    const heights = Array.from({ length: Math.min(heightsAtOnce, height - first + 1) }, (_, i) => first + i);
    const blocks = await Promise.all(heights.map((at) => node.client.get<{ time: string }>(`/v1/blocks/${at}`)));
    for (const block of blocks) times.push(Date.parse(orFail(block).time));
  }
  const gaps = times.slice(1).map((time, i) => ({ ms: time - times[i]!, height: i + 2 }));
  gaps.sort((a, b) => b.ms - a.ms);
  const longest = gaps[0]!;
  return {
    longestGapMs: longest.ms,
    longestGapHeight: longest.height,
    medianGapMs: gaps[Math.floor(gaps.length / 2)]!.ms,
  };
}

async function membershipOf(node: E2eNode): Promise<MembershipAnswer> {
  return orFail(await node.client.get<MembershipAnswer>('/v1/membership'));
}

/** Founds, starts, runs and ends it; the folders are kept with CAIRN_E2E_KEEP=1. */
export async function growOnce(options: GrowOptions): Promise<GrowSummary> {
  const network = await foundGrowNetwork(options);
  try {
    await Promise.all(network.nodes.map((node) => node.start()));
    await untilInSync(network.nodes);
    return await runGrow(network, options);
  } finally {
    await network.end();
  }
}
