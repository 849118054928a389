/**
 * Links between nodes in virtual time: each direction and channel delivers in order after a random delay, frames are lost
 * now and then, and links break: by partition, or when an end crashes. What is under way on a broken link is gone.
 */
import type { Channel } from '@cairn-ledger/core';
import type { EventQueue } from './event-queue.ts';
import type { Random } from './random.ts';

export type NetworkProfile = { readonly delayMinMs: number; readonly delayMaxMs: number; readonly lossShare: number };

export type NetworkEnd = {
  onFrame(from: number, frame: Uint8Array): void;
  onConnected(peer: number): void;
  onDisconnected(peer: number): void;
};

/** Whether a frame is lost on the way, besides by chance. */
export type LossRule = (from: number, to: number, frame: Uint8Array) => boolean;

export class VirtualNetwork {
  readonly #events: EventQueue;
  readonly #random: Random;
  readonly #ends: (NetworkEnd | null)[];
  /** Generation of each pair's link: raised when it breaks, so that frames under way are not delivered. */
  readonly #links: { isUp: boolean; generation: number }[][];
  readonly #lastArrivalMs: Record<Channel, Float64Array>;
  readonly #lossRules = new Set<LossRule>();
  #groups: readonly number[];
  profile: NetworkProfile;
  framesCount = 0;

  constructor(events: EventQueue, random: Random, nodesCount: number, profile: NetworkProfile) {
    this.#events = events;
    this.#random = random;
    this.#ends = new Array<NetworkEnd | null>(nodesCount).fill(null);
    this.#links = Array.from({ length: nodesCount }, () =>
      Array.from({ length: nodesCount }, () => ({ isUp: false, generation: 0 })),
    );
    const directions = nodesCount * nodesCount;
    this.#lastArrivalMs = { control: new Float64Array(directions), bulk: new Float64Array(directions) };
    this.#groups = new Array<number>(nodesCount).fill(0);
    this.profile = profile;
  }

  attach(node: number, end: NetworkEnd): void {
    this.#ends[node] = end;
    this.#connectWhatCan();
  }

  detach(node: number): void {
    this.#ends[node] = null;
    for (let peer = 0; peer < this.#ends.length; peer++) this.#break(node, peer);
  }

  /** Nodes with the same number reach each other. */
  partition(groups: readonly number[]): void {
    this.#groups = groups;
    for (let a = 0; a < groups.length; a++) for (let b = 0; b < a; b++) if (groups[a] !== groups[b]) this.#break(a, b);
    this.#connectWhatCan();
  }

  /** Loses what the rule says from now on; the answer ends it. */
  lose(rule: LossRule): () => void {
    this.#lossRules.add(rule);
    return () => this.#lossRules.delete(rule);
  }

  send(from: number, to: number, channel: Channel, frame: Uint8Array): void {
    this.framesCount++;
    const link = this.#link(from, to);
    if (!link.isUp) return;
    const { delayMinMs, delayMaxMs, lossShare } = this.profile;
    if (lossShare > 0 && this.#random.chance(lossShare)) return;
    for (const rule of this.#lossRules) if (rule(from, to, frame)) return;
    const { generation } = link;
    const delayMs = delayMinMs + this.#random.next() * (delayMaxMs - delayMinMs);
    const arrivals = this.#lastArrivalMs[channel];
    const direction = from * this.#ends.length + to;
    const atMs = Math.max(this.#events.nowMs + delayMs, arrivals[direction]!);
    arrivals[direction] = atMs;
    this.#events.at(atMs, () => {
      if (link.isUp && link.generation === generation) this.#ends[to]?.onFrame(from, frame);
    });
  }

  #connectWhatCan(): void {
    for (let a = 0; a < this.#ends.length; a++) {
      for (let b = 0; b < a; b++) {
        const link = this.#link(a, b);
        if (link.isUp || this.#ends[a] === null || this.#ends[b] === null || this.#groups[a] !== this.#groups[b])
          continue;
        const { generation } = link;
        this.#events.after(this.profile.delayMaxMs, () => {
          if (link.isUp || link.generation !== generation || this.#ends[a] === null || this.#ends[b] === null) return;
          link.isUp = true;
          this.#ends[a]?.onConnected(b);
          this.#ends[b]?.onConnected(a);
        });
      }
    }
  }

  #break(a: number, b: number): void {
    if (a === b) return;
    const link = this.#link(a, b);
    const wasUp = link.isUp;
    link.isUp = false;
    link.generation++;
    if (!wasUp) return;
    this.#ends[a]?.onDisconnected(b);
    this.#ends[b]?.onDisconnected(a);
  }

  #link(a: number, b: number) {
    return this.#links[Math.max(a, b)]![Math.min(a, b)]!;
  }
}
