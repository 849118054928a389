/**
 * A world: nodes, a network and faults, all from one seed, and the checks that must hold in every one of them.
 *
 * Faults are drawn for the first part of the run (`faults.ts`); then they stop, a minority stays down for good, and the
 * chain must go on: everything a living node has sealed is executed and certified everywhere, within `calmMs`.
 */
import { type Batch, defaultConstants, type ProtocolConstants, sha256, toHex } from '@cairn-ledger/core';
import type { Adversary, AdversaryParts } from './adversaries/adversary.ts';
import { createBatchEquivocator } from './adversaries/batch-equivocator.ts';
import { createEquivocator } from './adversaries/equivocator.ts';
import { createSilentLeader } from './adversaries/silent-leader.ts';
import { createSkipper } from './adversaries/skipper.ts';
import { createTeaser } from './adversaries/teaser.ts';
import { AgreementChecker, Violations } from './checkers.ts';
import { EventQueue } from './event-queue.ts';
import { Faults } from './faults.ts';
import { createRandom, type Random } from './random.ts';
import { type NetworkProfile, VirtualNetwork } from './virtual-network.ts';
import { createVirtualChain, type NodeMonitor, type VirtualChain, VirtualNode } from './virtual-node.ts';

export type WorldOptions = {
  readonly seed: number;
  readonly nodesCount: number;
  /** How long faults happen, in milliseconds of virtual time. */
  readonly faultsMs: number;
  /** How long the chain may take afterwards to execute and certify everything, in milliseconds of virtual time. */
  readonly calmMs: number;
};

export const defaultWorld = { faultsMs: 6_000, calmMs: 30_000 };

export type WorldReport = {
  readonly seed: number;
  readonly nodesCount: number;
  readonly violations: readonly string[];
  /** What a node lacks at the end though it should have it; empty when the chain went on. */
  readonly stalls: readonly string[];
  /** Virtual time from the last submission until everything was executed and certified everywhere. */
  readonly recoveryMs: number;
  readonly blocks: number;
  readonly views: number;
  readonly frames: number;
  readonly crashes: number;
  /** Names of the Byzantine nodes, by what they do. */
  readonly adversaries: readonly string[];
  /** Hash over what every node executed: equal for equal seeds. */
  readonly fingerprint: string;
};

const constants: ProtocolConstants = { ...defaultConstants, deltaMs: 100, heartbeatMs: 2_000 };
/** When, after the faults, the transaction is submitted that must get through. */
const lastSubmissionMs = 300;

export function runWorld(options: WorldOptions): WorldReport {
  const random = createRandom(options.seed);
  const events = new EventQueue();
  const violations = new Violations();
  const agreement = new AgreementChecker(violations);
  const network = new VirtualNetwork(events, random, options.nodesCount, drawProfile(random));
  const chain = createVirtualChain(options.nodesCount, constants);
  const executed = chain.set.validators.map(() => new Set<string>());
  const sealed = chain.set.validators.map(() => new Set<string>());
  const monitor: NodeMonitor = {
    onExecuted: (node, block, batches, outcome) => {
      if (nodes[node]!.adversary === null) agreement.onExecuted(node, block, outcome);
      for (const name of namesIn(batches)) executed[node]!.add(name);
    },
    onSealed: (node, batch) => {
      for (const name of namesIn([batch])) sealed[node]!.add(name);
    },
    onFenced: (node, reason) => violations.add(`node ${node} fenced itself: ${reason}`),
    onRefused: (node, peer, text) => {
      if (nodes[peer]!.adversary === null) violations.add(`node ${node} refused honest node ${peer}: ${text}`);
    },
    onFailed: (node, text) => violations.add(`node ${node}: ${text}`),
  };
  const nodes: VirtualNode[] = chain.set.validators.map((_, i) => {
    const delays = {
      syncMs: random.pick([0.1, 2, 10]),
      executeMs: random.pick([1, 10, 60]),
      clockOffsetMs: random.integer(-1_500, 1_500),
    };
    return new VirtualNode(i, chain, events, network, random, delays, monitor, violations);
  });
  const byzantine = drawAdversaries(nodes, chain, random);
  const honest = nodes.filter((node) => node.adversary === null);
  for (const node of nodes) events.after(random.next() * 50, () => node.start());
  const submitter = new Submitter(events, honest, random);
  events.after(100, () => submitter.run());
  const faults = new Faults(events, network, nodes, random);
  events.after(500, () => faults.run());

  while (events.step(options.faultsMs)) {
    // Time passes.
  }
  submitter.stop();
  faults.endAll();
  network.profile = random.pick(calmProfiles);
  const down = new Set<number>();
  for (let count = random.integer(0, chain.set.faultsMax - byzantine.length); down.size < count; )
    down.add(random.pick(honest).index);
  for (const node of nodes) {
    if (down.has(node.index)) node.crash();
    else if (node.driver === null) node.start();
  }
  const live = honest.filter((node) => !down.has(node.index));
  const last = random.pick(live);
  events.after(lastSubmissionMs, () => last.submit([encoder.encode(lastTransaction)]));

  const missing = (): string[] => {
    const due = new Set([lastTransaction, ...live.flatMap((node) => [...sealed[node.index]!])]);
    return live.flatMap((node) => whatLacks(node, executed[node.index]!, due));
  };
  const endMs = options.faultsMs + options.calmMs;
  let recoveryMs = options.calmMs;
  for (let checkAtMs = options.faultsMs + 500; events.nowMs < endMs; checkAtMs += 100) {
    while (events.step(checkAtMs)) {
      // Time passes.
    }
    if (checkAtMs <= endMs && missing().length > 0) continue;
    recoveryMs = Math.max(0, checkAtMs - options.faultsMs - lastSubmissionMs);
    break;
  }
  for (const node of live) {
    for (const proof of node.driver?.replica.proofs() ?? [])
      if (nodes[proof.accused]!.adversary === null)
        violations.add(`honest node ${proof.accused} is proven faulty by node ${node.index}: ${proof.type}`);
  }
  const heights = nodes.map((node) => node.disk.executed.length);
  return {
    seed: options.seed,
    nodesCount: options.nodesCount,
    violations: violations.list(),
    stalls: missing(),
    recoveryMs,
    blocks: Math.max(...heights),
    views: Math.max(...live.map((node) => node.driver!.replica.agreement.view)),
    frames: network.framesCount,
    crashes: faults.crashes,
    adversaries: byzantine,
    fingerprint: fingerprintOf(nodes),
  };
}

const lastTransaction = 'the last transaction';
const encoder = new TextEncoder();
const decoder = new TextDecoder();

function namesIn(batches: readonly Batch[]): string[] {
  return batches.flatMap(({ transactions }) => transactions.map((transaction) => decoder.decode(transaction)));
}

const adversaries: readonly ((parts: AdversaryParts) => Adversary)[] = [
  createEquivocator,
  createTeaser,
  createBatchEquivocator,
  createSilentLeader,
  createSkipper,
];

/** In half of the worlds some nodes are Byzantine, at most f of them. Returns what they do. */
function drawAdversaries(nodes: readonly VirtualNode[], chain: VirtualChain, random: Random): string[] {
  const names: string[] = [];
  const count = random.chance(0.5) ? random.integer(1, chain.set.faultsMax) : 0;
  while (names.length < count) {
    const node = random.pick(nodes);
    if (node.adversary !== null) continue;
    const parts: AdversaryParts = {
      self: node.index,
      nodesCount: nodes.length,
      ledgerHash: chain.ledgerHash,
      votingSigner: chain.signers[node.index]!.voting,
      random,
    };
    node.adversary = random.pick(adversaries)(parts);
    names.push(`${node.index} ${node.adversary.name}`);
  }
  return names;
}

/** Once faults stop, delays are below Delta; frames may still get lost, as they do when a queue is full. */
const calmProfiles: readonly NetworkProfile[] = [
  { delayMinMs: 1, delayMaxMs: 10, lossShare: 0 },
  { delayMinMs: 1, delayMaxMs: 40, lossShare: 0 },
  { delayMinMs: 1, delayMaxMs: 20, lossShare: 0.02 },
];

function drawProfile(random: Random) {
  return random.pick([
    { delayMinMs: 0.5, delayMaxMs: 3, lossShare: 0 },
    { delayMinMs: 0.5, delayMaxMs: 5, lossShare: 0.02 },
    { delayMinMs: 5, delayMaxMs: 60, lossShare: 0.01 },
    { delayMinMs: 1, delayMaxMs: 150, lossShare: 0.05 },
    { delayMinMs: 1, delayMaxMs: 60, lossShare: 0.25 },
    { delayMinMs: 20, delayMaxMs: 500, lossShare: 0.1 },
  ]);
}

/** Submits transactions at nodes: steadily, in bursts, with idle times between. */
class Submitter {
  readonly #events: EventQueue;
  readonly #nodes: readonly VirtualNode[];
  readonly #random: Random;
  #count = 0;
  #isOver = false;

  constructor(events: EventQueue, nodes: readonly VirtualNode[], random: Random) {
    this.#events = events;
    this.#nodes = nodes;
    this.#random = random;
  }

  run(): void {
    if (this.#isOver) return;
    const random = this.#random;
    const alive = this.#nodes.filter((node) => node.driver !== null);
    const isBurst = random.chance(0.01);
    if (alive.length > 0) {
      // More than one batch each: a batch holds a thousand transactions.
      const times = isBurst ? random.integer(5, 40) : 1;
      for (let i = 0; i < times; i++) {
        const node = random.pick(alive);
        this.#events.after(isBurst ? i * 11 : 0, () => node.submit(this.#draw(random.integer(1, 4))));
      }
    }
    const pauseMs = random.chance(0.02) ? random.next() * 3_000 : random.next() * 120;
    this.#events.after(pauseMs, () => this.run());
  }

  stop(): void {
    this.#isOver = true;
  }

  #draw(count: number): Uint8Array[] {
    return Array.from({ length: count }, () => encoder.encode(`transaction ${this.#count++}`));
  }
}

function whatLacks(node: VirtualNode, executed: ReadonlySet<string>, due: ReadonlySet<string>): string[] {
  const lacking: string[] = [];
  const status = node.driver!.replica.status();
  let count = 0;
  for (const name of due) if (!executed.has(name)) count++;
  if (count > 0)
    lacking.push(
      `node ${node.index} has not executed ${count} of ${due.size} transactions (${JSON.stringify(status)})`,
    );
  else if (status.certifiedHeight < status.executedHeight - 1)
    lacking.push(`node ${node.index} has executed ${status.executedHeight}, certified ${status.certifiedHeight}`);
  return lacking;
}

function fingerprintOf(nodes: readonly VirtualNode[]): string {
  const parts = nodes.map((node) => {
    const outcome = node.disk.executed.at(-1)?.outcome;
    return `${node.disk.executed.length} ${outcome === undefined ? '' : toHex(outcome.statement.historyRoot)} ${outcome?.timeMs}`;
  });
  return toHex(sha256(encoder.encode(parts.join('\n'))));
}
