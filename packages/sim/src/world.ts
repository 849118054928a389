/**
 * A world: nodes, a network and faults, all from one seed, and the checks that must hold in every one of them.
 *
 * Faults are drawn for the first part of the run (crashes, partitions, lost frames); then they stop, a minority may stay
 * down, and the chain must go on.
 */
import { defaultConstants, type ProtocolConstants, toHex } from '@cairn-ledger/core';
import { EventQueue } from './event-queue.ts';
import { createRandom, type Random } from './random.ts';
import { VirtualNetwork } from './virtual-network.ts';
import { createVirtualChain, VirtualNode } from './virtual-node.ts';

export type WorldOptions = {
  readonly seed: number;
  readonly nodesCount: number;
  /** How long faults happen, in milliseconds of virtual time. */
  readonly faultsMs: number;
  /** How long the chain has afterwards to execute everything, in milliseconds of virtual time. */
  readonly calmMs: number;
};

export type WorldReport = {
  readonly seed: number;
  readonly nodesCount: number;
  readonly violations: readonly string[];
  readonly isStalled: boolean;
  readonly blocks: number;
  readonly views: number;
  readonly frames: number;
  readonly crashes: number;
  /** Hash over what every node executed: equal for equal seeds. */
  readonly fingerprint: string;
};

const constants: ProtocolConstants = { ...defaultConstants, deltaMs: 100, heartbeatMs: 2_000 };

export function runWorld(options: WorldOptions): WorldReport {
  const random = createRandom(options.seed);
  const events = new EventQueue();
  const network = new VirtualNetwork(events, random, options.nodesCount, drawProfile(random));
  const chain = createVirtualChain(options.nodesCount, constants);
  const nodes = chain.set.validators.map(
    (_, i) =>
      new VirtualNode(i, chain, events, network, random, {
        syncMs: random.pick([0.1, 2, 10]),
        executeMs: random.pick([1, 10, 60]),
      }),
  );
  const submitted = new Set<string>();
  let crashes = 0;
  let transactionsCount = 0;

  for (const node of nodes) events.after(random.next() * 50, () => node.start());

  const submit = (): void => {
    const alive = nodes.filter((node) => node.driver !== null);
    if (alive.length > 0) {
      const count = random.integer(1, 4);
      const transactions = Array.from({ length: count }, () =>
        new TextEncoder().encode(`transaction ${transactionsCount++}`),
      );
      random.pick(alive).submit(transactions);
    }
    if (events.nowMs < options.faultsMs) events.after(random.next() * 120, submit);
  };
  events.after(100, submit);

  const fault = (): void => {
    if (events.nowMs >= options.faultsMs) return;
    if (random.chance(0.5)) {
      const node = random.pick(nodes);
      if (node.driver !== null) {
        crashes++;
        node.crash();
        events.after(random.next() * 1_500, () => {
          if (node.driver === null) node.start();
        });
      }
    } else {
      const sides = nodes.map(() => random.integer(0, 1));
      network.partition(sides);
      events.after(random.next() * 1_500, () => network.partition(nodes.map(() => 0)));
    }
    events.after(random.next() * 1_500, fault);
  };
  events.after(500, fault);

  const violations: string[] = [];
  let checkedHeight = 0;
  while (events.step(options.faultsMs)) {
    const lowest = Math.min(...nodes.map((node) => node.disk.executed.length));
    if (lowest === checkedHeight) continue;
    checkedHeight = lowest;
    violations.push(...checkAgreement(nodes));
  }
  // Faults stop: links heal, whoever is down starts, except a minority that may stay down for good.
  network.partition(nodes.map(() => 0));
  network.profile = { delayMinMs: 1, delayMaxMs: 10, lossShare: 0 };
  const downCount = random.integer(0, chain.set.faultsMax);
  nodes.forEach((node, i) => {
    if (i < downCount) node.crash();
    else if (node.driver === null) node.start();
  });
  const heightBefore = Math.max(...nodes.map((node) => node.disk.executed.length));
  const live = nodes.slice(downCount);
  events.after(1_000, () => live[0]!.submit([new TextEncoder().encode('the last transaction')]));
  const endMs = options.faultsMs + options.calmMs;
  while (events.step(endMs)) {
    // Everything until the end.
  }
  violations.push(...checkAgreement(nodes));
  for (const node of nodes)
    if (node.fencedBecause !== null) violations.push(`node ${node.index} fenced itself: ${node.fencedBecause}`);
  for (const node of nodes) {
    for (const proof of node.driver?.replica.proofs() ?? [])
      violations.push(`an honest node is proven faulty: ${proof.type} of ${proof.accused}`);
  }

  const heights = live.map((node) => node.disk.executed.length);
  const isStalled =
    Math.min(...heights) <= heightBefore ||
    live.some((node) => !hasExecuted(node, 'the last transaction')) ||
    heights.some((height) => height !== heights[0]);
  for (const node of nodes)
    submitted.add(toHex(node.disk.executed.at(-1)?.outcome.statement.historyRoot ?? chain.ledgerHash));
  return {
    seed: options.seed,
    nodesCount: options.nodesCount,
    violations,
    isStalled,
    blocks: Math.max(...heights),
    views: Math.max(...live.map((node) => node.driver!.replica.agreement.view)),
    frames: network.framesCount,
    crashes,
    fingerprint: [...submitted].sort().join('/'),
  };
}

function drawProfile(random: Random) {
  return random.pick([
    { delayMinMs: 0.2, delayMaxMs: 2, lossShare: 0 },
    { delayMinMs: 0.2, delayMaxMs: 5, lossShare: 0.02 },
    { delayMinMs: 5, delayMaxMs: 60, lossShare: 0.01 },
    { delayMinMs: 1, delayMaxMs: 150, lossShare: 0.05 },
  ]);
}

/** Equal heights hold equal blocks and equal results, on every disk. */
function checkAgreement(nodes: readonly VirtualNode[]): string[] {
  const lowest = Math.min(...nodes.map((node) => node.disk.executed.length));
  const violations: string[] = [];
  for (let height = Math.max(1, lowest - 2); height <= lowest; height++) {
    const results = new Set(nodes.map((node) => toHex(node.disk.executed[height - 1]!.outcome.statement.historyRoot)));
    const blocks = new Set(nodes.map((node) => toHex(node.disk.executed[height - 1]!.block.digest)));
    if (results.size > 1 || blocks.size > 1) violations.push(`nodes differ at height ${height}`);
  }
  return violations;
}

function hasExecuted(node: VirtualNode, text: string): boolean {
  return node.disk.executed.some(({ batches }) =>
    batches.some((batch) => batch.transactions.some((transaction) => new TextDecoder().decode(transaction) === text)),
  );
}
