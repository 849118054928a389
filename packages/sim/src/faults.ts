/**
 * Faults of a world, drawn from its seed: crashes, restarts of everybody, partitions, one-way losses, lost kinds of votes,
 * slow disks and ledgers. Each one ends by itself, or with the time of faults (`endAll`).
 */
import type { EventQueue } from './event-queue.ts';
import type { Random } from './random.ts';
import type { VirtualNetwork } from './virtual-network.ts';
import type { VirtualNode } from './virtual-node.ts';

export type FaultKind =
  | 'crash'
  | 'restart-all'
  | 'partition'
  | 'long-partition'
  | 'one-way-loss'
  | 'lost-votes'
  | 'lost-certificates'
  | 'slow-disk'
  | 'slow-ledger';

const weights: readonly (readonly [kind: FaultKind, weight: number])[] = [
  ['crash', 8],
  ['restart-all', 1],
  ['partition', 6],
  ['long-partition', 1],
  ['one-way-loss', 3],
  ['lost-votes', 3],
  ['lost-certificates', 3],
  ['slow-disk', 2],
  ['slow-ledger', 2],
];

export class Faults {
  readonly #events: EventQueue;
  readonly #network: VirtualNetwork;
  readonly #nodes: readonly VirtualNode[];
  readonly #random: Random;
  /** The kinds this world knows: fewer kinds show better what each does. */
  readonly #kinds: readonly FaultKind[];
  readonly #endings = new Set<() => void>();
  #isOver = false;
  crashes = 0;

  constructor(events: EventQueue, network: VirtualNetwork, nodes: readonly VirtualNode[], random: Random) {
    this.#events = events;
    this.#network = network;
    this.#nodes = nodes;
    this.#random = random;
    const kept = weights.filter(() => random.chance(0.6));
    this.#kinds = (kept.length > 0 ? kept : weights).flatMap(([kind, weight]) =>
      new Array<FaultKind>(weight).fill(kind),
    );
  }

  /** One fault after the other until `endAll`. */
  run(): void {
    if (this.#isOver) return;
    this.#strike(this.#random.pick(this.#kinds));
    this.#events.after(this.#random.next() * 1_200, () => this.run());
  }

  /** Everything heals at once; who is down stays down. */
  endAll(): void {
    this.#isOver = true;
    for (const end of [...this.#endings]) end();
  }

  #strike(kind: FaultKind): void {
    const random = this.#random;
    const node = random.pick(this.#nodes);
    switch (kind) {
      case 'crash':
        return this.#crash(node, random.next() * 1_500);
      case 'restart-all':
        for (const each of this.#nodes) this.#crash(each, 50 + random.next() * 300);
        return;
      case 'partition':
        return this.#partition(random.next() * 1_500);
      case 'long-partition':
        return this.#partition(2_000 + random.next() * 3_000);
      case 'one-way-loss': {
        const lossShare = random.pick([0.3, 0.8, 1]);
        const isInbound = random.chance(0.5);
        const rule = (from: number, to: number) =>
          (isInbound ? to : from) === node.index && (lossShare === 1 || random.chance(lossShare));
        return this.#for(random.next() * 2_000, this.#network.lose(rule));
      }
      case 'lost-votes': {
        // A vote is [1, [kind, ...], ...]; a whole kind of one node gets lost, on the way to some.
        const kindCode = random.pick([0, 1, 2, 2]);
        const spared = random.integer(0, this.#nodes.length - 1);
        const rule = (from: number, to: number, frame: Uint8Array) =>
          from === node.index && to !== spared && frame[1] === 1 && frame[3] === kindCode;
        return this.#for(random.next() * 3_000, this.#network.lose(rule));
      }
      case 'lost-certificates': {
        // A certificate is [2, [kind, ...]]; none reaches this node, or none leaves it.
        const isInbound = random.chance(0.5);
        const rule = (from: number, to: number, frame: Uint8Array) =>
          (isInbound ? to : from) === node.index && frame[1] === 2;
        return this.#for(random.next() * 3_000, this.#network.lose(rule));
      }
      case 'slow-disk':
      case 'slow-ledger': {
        const before = node.delays;
        const slow = random.pick([80, 300, 700]);
        node.delays = kind === 'slow-disk' ? { ...before, syncMs: slow } : { ...before, executeMs: slow };
        return this.#for(random.next() * 2_000, () => {
          node.delays = before;
        });
      }
    }
  }

  #crash(node: VirtualNode, downMs: number): void {
    if (node.driver === null) return;
    this.crashes++;
    node.crash();
    this.#events.after(downMs, () => {
      if (!this.#isOver && node.driver === null) node.start();
    });
  }

  #partition(lastsMs: number): void {
    this.#network.partition(this.#nodes.map(() => this.#random.integer(0, 1)));
    this.#for(lastsMs, () => this.#network.partition(this.#nodes.map(() => 0)));
  }

  #for(lastsMs: number, end: () => void): void {
    const once = () => {
      if (this.#endings.delete(once)) end();
    };
    this.#endings.add(once);
    this.#events.after(lastsMs, once);
  }
}
