/**
 * Links between nodes in virtual time: each direction and channel delivers in order after a random delay, frames are lost,
 * doubled or overtaken now and then, and links break: by partition, or when an end crashes. What is under way on a broken
 * link is gone.
 *
 * A place holds one node. Twins are two places with the same validator's keys; every other node is linked to one of them
 * at a time, as a real node keeps one link for each key.
 */
import type { Channel } from '@cairn-ledger/core';
import type { EventQueue } from './event-queue.ts';
import { everyGroup } from './fork-plan.ts';
import type { Observer } from './observer.ts';
import type { Random } from './random.ts';

export type NetworkProfile = {
  readonly delayMinMs: number;
  readonly delayMaxMs: number;
  readonly lossShare: number;
  /** Share of frames that arrive twice, the second time later. */
  readonly doubledShare?: number;
  /** Share of frames that may overtake those before them. */
  readonly overtakingShare?: number;
};

/** `peer` and `from` are validator indices. */
export type NetworkEnd = {
  onFrame(from: number, frame: Uint8Array): void;
  onConnected(peer: number): void;
  onDisconnected(peer: number): void;
};

/** Whether a frame is lost on the way, besides by chance. `from` and `to` are places. */
export type LossRule = (from: number, to: number, frame: Uint8Array) => boolean;

/** `generation` is raised when the link breaks, so that frames under way are not delivered. */
type Link = { isUp: boolean; generation: number };

export class VirtualNetwork {
  readonly #events: EventQueue;
  readonly #random: Random;
  readonly #observer: Observer | null;
  /** Validator index of each place. */
  readonly #identities: readonly number[];
  readonly #placesOf: readonly (readonly number[])[];
  /** The place that a place is linked to, by validator index. */
  readonly #chosen: number[][];
  readonly #ends: (NetworkEnd | null)[];
  readonly #links: readonly (readonly Link[])[];
  readonly #lastArrivalMs: Record<Channel, Float64Array>;
  /** More delay on the way to and from a place. */
  readonly #slownessMs: Float64Array;
  readonly #lossRules = new Set<LossRule>();
  #groups: readonly number[];
  profile: NetworkProfile;
  framesCount = 0;

  constructor(
    events: EventQueue,
    random: Random,
    identities: readonly number[],
    profile: NetworkProfile,
    observer: Observer | null = null,
  ) {
    this.#events = events;
    this.#random = random;
    this.#observer = observer;
    this.#identities = identities;
    const validatorsCount = Math.max(...identities) + 1;
    this.#placesOf = Array.from({ length: validatorsCount }, (_, index) =>
      identities.flatMap((identity, place) => (identity === index ? [place] : [])),
    );
    this.#chosen = identities.map((_, place) => this.#placesOf.map((places) => places[this.#rankOf(place, places)]!));
    this.#ends = new Array<NetworkEnd | null>(identities.length).fill(null);
    this.#links = identities.map(() => identities.map(() => ({ isUp: false, generation: 0 })));
    const directions = identities.length * identities.length;
    this.#lastArrivalMs = { control: new Float64Array(directions), bulk: new Float64Array(directions) };
    this.#slownessMs = new Float64Array(identities.length);
    this.#groups = new Array<number>(identities.length).fill(0);
    this.profile = profile;
  }

  /** First twins are linked to first ones, second to second ones. */
  #rankOf(place: number, places: readonly number[]): number {
    return Math.min(this.#placesOf[this.#identities[place]!]!.indexOf(place), places.length - 1);
  }

  attach(place: number, end: NetworkEnd): void {
    this.#ends[place] = end;
    this.#connectWhatCan();
  }

  detach(place: number): void {
    this.#ends[place] = null;
    for (let peer = 0; peer < this.#ends.length; peer++) this.#break(place, peer);
  }

  /** Places with the same number reach each other; `everyGroup` reaches everybody. */
  partition(groups: readonly number[]): void {
    this.#groups = groups;
    this.#breakWhatMust();
    this.#connectWhatCan();
  }

  heal(): void {
    this.partition(this.#groups.map(() => 0));
  }

  /** Links a place to this one of a validator's twins. */
  chooseTwin(place: number, twinPlace: number): void {
    const identity = this.#identities[twinPlace]!;
    if (this.#identities[place] === identity || this.#placesOf[this.#identities[place]!]!.length > 1) return;
    this.#chosen[place]![identity] = twinPlace;
    this.#breakWhatMust();
    this.#connectWhatCan();
  }

  /** Delays everything to and from a place by this much more. */
  slowDown(place: number, byMs: number): void {
    this.#slownessMs[place] = byMs;
  }

  /** Loses what the rule says from now on; the answer ends it. */
  lose(rule: LossRule): () => void {
    this.#lossRules.add(rule);
    return () => this.#lossRules.delete(rule);
  }

  /** When the last frame that is under way now has come, where frames keep their order: a slow link goes on being slow for these. */
  lastArrivalMs(): number {
    const { control, bulk } = this.#lastArrivalMs;
    return Math.max(...control, ...bulk);
  }

  /** @param toIndex a validator */
  send(from: number, toIndex: number, channel: Channel, frame: Uint8Array): void {
    this.framesCount++;
    const to = this.#chosen[from]![toIndex]!;
    const link = this.#link(from, to);
    if (!link.isUp) return;
    const isLost = this.#isLost(from, to, frame);
    this.#observer?.({ type: 'sent', from, to, frame, isLost }, this.#events.nowMs);
    if (isLost) return;
    this.#deliverOnce(link, from, to, channel, frame, false);
    const { doubledShare } = this.profile;
    if (doubledShare !== undefined && this.#random.chance(doubledShare))
      this.#deliverOnce(link, from, to, channel, frame, true);
  }

  #isLost(from: number, to: number, frame: Uint8Array): boolean {
    const { lossShare } = this.profile;
    if (lossShare > 0 && this.#random.chance(lossShare)) return true;
    for (const rule of this.#lossRules) if (rule(from, to, frame)) return true;
    return false;
  }

  #deliverOnce(link: Link, from: number, to: number, channel: Channel, frame: Uint8Array, isSecond: boolean): void {
    const { delayMinMs, delayMaxMs, overtakingShare } = this.profile;
    const { generation } = link;
    const usualMs = delayMinMs + this.#random.next() * (delayMaxMs - delayMinMs);
    const delayMs = usualMs + this.#slownessMs[from]! + this.#slownessMs[to]! + (isSecond ? delayMaxMs : 0);
    let atMs = this.#events.nowMs + delayMs;
    const mayOvertake = isSecond || (overtakingShare !== undefined && this.#random.chance(overtakingShare));
    if (!mayOvertake) {
      const arrivals = this.#lastArrivalMs[channel];
      const direction = from * this.#ends.length + to;
      atMs = Math.max(atMs, arrivals[direction]!);
      arrivals[direction] = atMs;
    }
    this.#events.at(atMs, () => {
      if (!link.isUp || link.generation !== generation) return;
      this.#observer?.({ type: 'received', from, to, frame }, this.#events.nowMs);
      this.#ends[to]?.onFrame(this.#identities[from]!, frame);
    });
  }

  #mayConnect(a: number, b: number): boolean {
    return (
      (this.#groups[a] === this.#groups[b] || this.#groups[a] === everyGroup || this.#groups[b] === everyGroup) &&
      this.#identities[a] !== this.#identities[b] &&
      this.#chosen[a]![this.#identities[b]!] === b &&
      this.#chosen[b]![this.#identities[a]!] === a
    );
  }

  #connectWhatCan(): void {
    for (let a = 0; a < this.#ends.length; a++) {
      for (let b = 0; b < a; b++) {
        const link = this.#link(a, b);
        if (link.isUp || this.#ends[a] === null || this.#ends[b] === null || !this.#mayConnect(a, b)) continue;
        const { generation } = link;
        this.#events.after(this.profile.delayMaxMs, () => {
          const isGone = this.#ends[a] === null || this.#ends[b] === null || link.generation !== generation;
          if (isGone || link.isUp || !this.#mayConnect(a, b)) return;
          link.isUp = true;
          this.#observer?.({ type: 'connected', a, b }, this.#events.nowMs);
          this.#ends[a]?.onConnected(this.#identities[b]!);
          this.#ends[b]?.onConnected(this.#identities[a]!);
        });
      }
    }
  }

  #breakWhatMust(): void {
    for (let a = 0; a < this.#ends.length; a++) {
      for (let b = 0; b < a; b++) if (!this.#mayConnect(a, b)) this.#break(a, b);
    }
  }

  #break(a: number, b: number): void {
    if (a === b) return;
    const link = this.#link(a, b);
    const wasUp = link.isUp;
    link.isUp = false;
    link.generation++;
    if (!wasUp) return;
    this.#observer?.({ type: 'disconnected', a, b }, this.#events.nowMs);
    this.#ends[a]?.onDisconnected(this.#identities[b]!);
    this.#ends[b]?.onDisconnected(this.#identities[a]!);
  }

  #link(a: number, b: number): Link {
    return this.#links[Math.max(a, b)]![Math.min(a, b)]!;
  }
}
