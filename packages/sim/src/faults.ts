/** Lets the planned faults of a world strike. Each one ends by itself, or with the time of faults (`endAll`). */
import { unreachable } from '@cairn-ledger/core';
import type { EventQueue } from './event-queue.ts';
import type { Observer } from './observer.ts';
import type { Fault, PlannedFault } from './plan.ts';
import type { Random } from './random.ts';
import type { VirtualNetwork } from './virtual-network.ts';
import type { NodeDelays, VirtualNode } from './virtual-node.ts';

/** What faults strike: the nodes by place, and everything between them. */
export type FaultTarget = {
  readonly events: EventQueue;
  readonly network: VirtualNetwork;
  readonly nodes: readonly VirtualNode[];
  readonly random: Random;
  readonly observer: Observer | null;
  /** Second twins by validator index. */
  readonly twinPlaces: ReadonlyMap<number, number>;
  /** Its disk is put back to an earlier height. */
  onRolledBack(node: VirtualNode): void;
};

/** Between taking a snapshot of a disk and putting it back, in milliseconds. */
const yesterdayMs = 700;
/** The same of a whole machine: what it is put back to is so near that what it has signed since is still open. */
const aMomentMs = 120;

export class Faults {
  readonly #target: FaultTarget;
  readonly #endings = new Set<() => void>();
  #isOver = false;
  crashes = 0;

  constructor(target: FaultTarget) {
    this.#target = target;
  }

  schedule(faults: readonly PlannedFault[]): void {
    for (const { atMs, lastsMs, fault } of faults) {
      const { events, nodes } = this.#target;
      if (fault.type === 'roll-back' || fault.type === 'put-back') {
        const agoMs = fault.type === 'roll-back' ? yesterdayMs : aMomentMs;
        events.at(Math.max(0, atMs - agoMs), () => nodes[fault.node]!.disk.takeSnapshot());
      }
      events.at(atMs, () => {
        if (this.#isOver) return;
        this.#target.observer?.({ type: 'fault-begins', fault: textOf(fault) }, events.nowMs);
        const end = this.#strike(fault, lastsMs);
        if (end !== null) this.#endAfter(lastsMs, fault, end);
      });
    }
  }

  /** Everything heals at once; who is down stays down. */
  endAll(): void {
    this.#isOver = true;
    for (const end of [...this.#endings]) end();
    for (const { disk } of this.#target.nodes) disk.nextSync = 'whole';
  }

  /** Returns how it ends; null when there is nothing to end. */
  #strike(fault: Fault, lastsMs: number): (() => void) | null {
    const { network, nodes, random } = this.#target;
    switch (fault.type) {
      case 'crash':
        return this.#crash(nodes[fault.node]!);
      case 'crash-at-sync':
        this.crashes++;
        nodes[fault.node]!.disk.nextSync = fault.fate;
        return null;
      case 'restart-all': {
        const ends = nodes.map((node) => this.#crash(node));
        ends.forEach((end, i) => {
          this.#target.events.after(lastsMs + (i * fault.spreadMs) / nodes.length, () => {
            if (!this.#isOver) end();
          });
        });
        return null;
      }
      case 'partition':
        network.partition(this.#groupsOfPlaces(fault.groups));
        return () => network.heal();
      case 'flapping-partition':
        return this.#flap(this.#groupsOfPlaces(fault.groups), fault.periodMs);
      case 'one-way-loss': {
        const { node, isInbound, lossShare } = fault;
        return network.lose(
          (from, to) => (isInbound ? to : from) === node && (lossShare === 1 || random.chance(lossShare)),
        );
      }
      case 'cut-directions': {
        const cut = new Set(fault.pairs.map(([from, to]) => `${from} ${to}`));
        return network.lose((from, to) => cut.has(`${from} ${to}`));
      }
      case 'lost-votes': {
        // A vote is [1, [kind, ...], ...]; a whole kind of one node gets lost, on the way to all but one.
        const { node, voteKind, spared } = fault;
        return network.lose(
          (from, to, frame) => from === node && to !== spared && frame[1] === 1 && frame[3] === voteKind,
        );
      }
      case 'lost-certificates': {
        // A certificate is [2, [kind, ...]]; none reaches this node, or none leaves it.
        const { node, isInbound } = fault;
        return network.lose((from, to, frame) => (isInbound ? to : from) === node && frame[1] === 2);
      }
      case 'slow-link':
        network.slowDown(fault.node, fault.byMs);
        return () => network.slowDown(fault.node, 0);
      case 'slow-disk':
        return this.#withDelay(nodes[fault.node]!, 'syncMs', fault.byMs);
      case 'slow-ledger':
        return this.#withDelay(nodes[fault.node]!, 'executeMs', fault.byMs);
      case 'clock':
        return this.#withDelay(nodes[fault.node]!, 'clockOffsetMs', fault.offsetMs);
      case 'full-disk': {
        const { disk } = nodes[fault.node]!;
        disk.isFull = true;
        return () => {
          disk.isFull = false;
          nodes[fault.node]!.start();
        };
      }
      case 'lying-disk':
        return this.#lie(nodes[fault.node]!);
      case 'put-back':
        // What it has sent still arrives.
        nodes[fault.node]!.driver?.stop();
        return () => this.#damage(nodes[fault.node]!, 'put-back')();
      case 'roll-back':
      case 'bit-flip':
      case 'misdirected-write':
      case 'wipe':
        return this.#damage(nodes[fault.node]!, fault.type);
      case 'twins-swap':
        this.#swapTwins(fault.places);
        return null;
      default:
        return unreachable(fault);
    }
  }

  #crash(node: VirtualNode): () => void {
    if (node.driver !== null) this.crashes++;
    node.crash();
    return () => node.start();
  }

  #flap(groups: readonly number[], periodMs: number): () => void {
    const { events, network } = this.#target;
    let isOver = false;
    const turn = (isApart: boolean) => {
      if (isOver) return;
      if (isApart) network.partition(groups);
      else network.heal();
      events.after(periodMs, () => turn(!isApart));
    };
    turn(true);
    return () => {
      isOver = true;
      network.heal();
    };
  }

  /** Faults of one node overlap: the end of each puts back what is usual, not what another one had made of it. */
  #withDelay(node: VirtualNode, name: keyof NodeDelays, valueMs: number): () => void {
    node.delays = { ...node.delays, [name]: valueMs };
    return () => {
      node.delays = { ...node.delays, [name]: node.usualDelays[name] };
    };
  }

  #lie(node: VirtualNode): () => void {
    node.disk.isLying = true;
    return () => {
      node.crash();
      node.disk.isLying = false;
      this.#target.events.after(100, () => node.start());
    };
  }

  #damage(node: VirtualNode, type: 'roll-back' | 'put-back' | 'bit-flip' | 'misdirected-write' | 'wipe'): () => void {
    const end = this.#crash(node);
    if (type === 'wipe') {
      node.disk.lose(this.#target.random.chance(0.5));
      this.#target.onRolledBack(node);
    } else if (type === 'roll-back' || type === 'put-back') {
      if (node.disk.rollBack(type === 'put-back')) this.#target.onRolledBack(node);
    } else if (node.disk.damageJournal(this.#target.random, type)) {
      // What cannot be read is put aside: the safety record is lost.
      node.isDamaged = true;
      node.disk.journal = [];
    }
    return end;
  }

  /** The first of the places is a twin; the others go to it, everybody else to its second instance. */
  #swapTwins([twin, ...places]: readonly number[]): void {
    const second = this.#target.twinPlaces.get(twin!);
    if (second === undefined) return;
    for (const { place, index } of this.#target.nodes)
      if (index !== twin) this.#target.network.chooseTwin(place, places.includes(place) ? twin! : second);
  }

  /** A second twin is on the other side of a partition than the first. */
  #groupsOfPlaces(groups: readonly number[]): number[] {
    return this.#target.nodes.map(({ place, index }) => (place === index ? (groups[index] ?? 0) : 1 - groups[index]!));
  }

  #endAfter(lastsMs: number, fault: Fault, end: () => void): void {
    const { events, observer } = this.#target;
    const once = () => {
      if (!this.#endings.delete(once)) return;
      observer?.({ type: 'fault-ends', fault: textOf(fault) }, events.nowMs);
      end();
    };
    this.#endings.add(once);
    events.after(lastsMs, once);
  }
}

/** `crash node=2`, as the trace tells it. */
export function textOf(fault: Fault): string {
  const { type, ...rest } = fault;
  const details = Object.entries(rest).map(
    ([name, value]) => `${name}=${Array.isArray(value) ? value.join(',') : value}`,
  );
  return [type, ...details].join(' ');
}
