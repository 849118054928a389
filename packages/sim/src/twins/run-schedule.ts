/**
 * Runs one schedule. The links of the next view come into force when an honest node enters it, or when a view would have
 * failed by then: where nobody can form a quorum no view would ever pass. After the last one the honest nodes all hear
 * each other, while each of them keeps the instance of the twin that it heard last; then the chain must go on.
 *
 * The order of events is fixed and every frame takes as long as any other; transactions wait at each node from the start,
 * other ones at each instance of the twin, so that whoever leads has something of its own to propose.
 */
import { type Block, defaultConstants, type Outcome } from '@cairn-ledger/core';
import { AgreementChecker, Violations } from '../checkers.ts';
import { EventQueue } from '../event-queue.ts';
import type { Observer } from '../observer.ts';
import type { Random } from '../random.ts';
import { namesIn, transactionOf } from '../submitter.ts';
import { createVirtualChain } from '../virtual-chain.ts';
import { VirtualNetwork } from '../virtual-network.ts';
import { type NodeMonitor, VirtualNode } from '../virtual-node.ts';
import { allLinks, type Links, type Schedule, secondPlace, validatorsCount } from './schedule.ts';

const deltaMs = 100;
const delayMs = 5;
/** After that a view whose leader was not heard has failed: 5 Delta since something is pending, and the view change. */
const viewMs = 6 * deltaMs;
/** How long the chain may take to execute everything after the healing. */
export const recoveryMsMax = 60 * deltaMs;

const chain = createVirtualChain(validatorsCount, { ...defaultConstants, deltaMs });
const noChance: Random = { next: () => 1, integer: (min) => min, chance: () => false, pick: (items) => items[0]! };

export type ScheduleReport = {
  readonly violations: readonly string[];
  /** What an honest node lacks at the end. */
  readonly stalls: readonly string[];
  /** From the healing until everything was executed by every honest node, in milliseconds of virtual time. */
  readonly recoveryMs: number;
  readonly blocks: number;
  /** Whether an honest node has the proof that the twin signed what contradicts itself. */
  readonly isTwinProven: boolean;
};

export function runSchedule(schedule: Schedule, observer: Observer | null = null): ScheduleReport {
  return new TwinsWorld(schedule, observer).run();
}

class TwinsWorld {
  readonly #schedule: Schedule;
  readonly #events = new EventQueue();
  readonly #violations = new Violations();
  readonly #agreement = new AgreementChecker(this.#violations);
  readonly #network: VirtualNetwork;
  readonly #nodes: readonly VirtualNode[];
  readonly #honest: readonly VirtualNode[];
  /** What each honest node has not executed yet, by place; and how many that are in all, once everything is submitted. */
  readonly #lacking = new Map<number, Set<string>>();
  #lackingCount = 0;
  /** Links in force, by number of the view. */
  #stage = 0;

  constructor(schedule: Schedule, observer: Observer | null) {
    this.#schedule = schedule;
    const identities = [...Array.from({ length: validatorsCount }, (_, i) => i), schedule.twin];
    const profile = { delayMinMs: delayMs, delayMaxMs: delayMs, lossShare: 0 };
    this.#network = new VirtualNetwork(this.#events, noChance, identities, profile, observer);
    const world = {
      chain,
      events: this.#events,
      network: this.#network,
      monitor: this.#createMonitor(),
      violations: this.#violations,
      observer,
    };
    const delays = { syncMs: 0, executeMs: 0, clockOffsetMs: 0 };
    this.#nodes = identities.map((index, place) => new VirtualNode(place, index, world, noChance, delays));
    for (const node of this.#nodes) if (node.index === schedule.twin) node.isHonest = false;
    this.#honest = this.#nodes.filter(({ isHonest }) => isHonest);
    for (const { place } of this.#honest) this.#lacking.set(place, new Set());
  }

  #createMonitor(): NodeMonitor {
    const isHonest = (place: number) => this.#nodes[place]!.isHonest;
    return {
      onExecuted: (node, block: Block, batches, outcome: Outcome) => {
        if (isHonest(node)) this.#agreement.onExecuted(node, block, outcome);
        for (const name of namesIn(batches)) if (this.#lacking.get(node)?.delete(name)) this.#lackingCount--;
      },
      onMisbehaviour: (node, misbehaviour) => {
        for (const { accused } of misbehaviour)
          if (accused !== this.#schedule.twin)
            this.#violations.add(`the chain of node ${node} accuses honest node ${accused}`);
      },
      onHandedOver: () => undefined,
      onEpoch: () => undefined,
      onSealed: () => undefined,
      onFact: (node, fact) => {
        if (fact.type === 'entered-view' && isHonest(node)) this.#advanceTo(fact.view);
      },
      onFenced: (node, reason) => {
        if (isHonest(node)) this.#violations.add(`node ${node} fenced itself: ${reason}`);
      },
      onRefused: (node, peer, { code, message }) => {
        if (peer !== this.#schedule.twin)
          this.#violations.add(`node ${node} refused honest node ${peer}: ${code} ${message}`);
      },
      onFailed: (node, error) => this.#violations.add(`node ${node}: ${error.message}`),
    };
  }

  run(): ScheduleReport {
    this.#advanceTo(1);
    for (const node of this.#nodes) node.start();
    for (const { place } of this.#nodes) this.#submit(place, `of ${place}`);
    while (this.#stage <= this.#schedule.links.length && this.#events.step(Number.POSITIVE_INFINITY));
    const recoveryMs = this.#recover();
    this.#checkProofs();
    return {
      violations: this.#violations.list(),
      stalls: recoveryMs === null ? this.#whatLacks() : [],
      recoveryMs: recoveryMs ?? recoveryMsMax,
      blocks: Math.max(...this.#honest.map(({ disk }) => disk.executed.length)),
      isTwinProven: this.#honest.some(({ driver }) => [...(driver?.replica.proofs() ?? [])].length > 0),
    };
  }

  #submit(place: number, name: string): void {
    this.#nodes[place]!.submit([transactionOf(name)]);
    if (!this.#nodes[place]!.isHonest) return;
    for (const names of this.#lacking.values()) names.add(name);
    this.#lackingCount += this.#lacking.size;
  }

  /** The links of this view come into force, if they have not yet. */
  #advanceTo(view: number): void {
    if (view <= this.#stage || this.#stage > this.#schedule.links.length) return;
    this.#stage = Math.min(view, this.#schedule.links.length + 1);
    const stage = this.#stage;
    // Not in the middle of a step of the driver, which has more to say on the links of before.
    this.#events.after(0, () => {
      if (this.#stage === stage) this.#connect(allLinks[this.#schedule.links[stage - 1] ?? -1] ?? null);
    });
    this.#events.after(viewMs, () => {
      if (this.#stage === stage) this.#advanceTo(stage + 1);
    });
  }

  #connect(links: Links | null): void {
    const { twin } = this.#schedule;
    if (links === null) return this.#network.heal();
    const groupOf = ({ place, index }: VirtualNode) =>
      place === secondPlace
        ? links.groups[validatorsCount]!
        : place === twin
          ? links.groups[validatorsCount - 1]!
          : links.groups[index < twin ? index : index - 1]!;
    this.#network.partition(this.#nodes.map(groupOf));
    for (const [i, { place }] of this.#honest.entries())
      this.#network.chooseTwin(place, links.sees[i] === 0 ? twin : secondPlace);
  }

  /** Lets time pass until everything is executed; returns how long that took, or null where it takes too long. */
  #recover(): number | null {
    const healedMs = this.#events.nowMs;
    for (const { place } of this.#honest) this.#submit(place, `of ${place}, at the end`);
    while (this.#lackingCount > 0) if (!this.#events.step(healedMs + recoveryMsMax)) return null;
    return Math.round(this.#events.nowMs - healedMs);
  }

  #whatLacks(): string[] {
    return this.#honest.flatMap(({ place, driver }) => {
      const count = this.#lacking.get(place)!.size;
      const status = JSON.stringify(driver?.replica.status());
      return count === 0 ? [] : [`node ${place} has not executed ${count}: ${status}`];
    });
  }

  #checkProofs(): void {
    for (const { place, driver } of this.#honest)
      for (const { accused, type } of driver?.replica.proofs() ?? [])
        if (accused !== this.#schedule.twin)
          this.#violations.add(`honest node ${accused} is proven faulty by node ${place}: ${type}`);
  }
}
