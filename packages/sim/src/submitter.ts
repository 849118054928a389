/** Submits transactions at nodes of a world: steadily, in bursts, with idle times between. Each has a name of its own. */
import type { Batch } from '@cairn-ledger/core';
import type { EventQueue } from './event-queue.ts';
import type { Random } from './random.ts';
import type { VirtualNode } from './virtual-node.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function transactionOf(name: string): Uint8Array {
  return encoder.encode(name);
}

export function nameOfTransaction(transaction: Uint8Array): string {
  return decoder.decode(transaction);
}

export function namesIn(batches: readonly Batch[]): string[] {
  return batches.flatMap(({ transactions }) => transactions.map(nameOfTransaction));
}

export class Submitter {
  readonly #events: EventQueue;
  readonly #nodes: readonly VirtualNode[];
  readonly #random: Random;
  readonly #pauseMs: number;
  #count = 0;
  #isOver = false;

  constructor(events: EventQueue, nodes: readonly VirtualNode[], random: Random, pauseMs: number) {
    this.#events = events;
    this.#nodes = nodes;
    this.#random = random;
    this.#pauseMs = pauseMs;
  }

  run(): void {
    if (this.#isOver) return;
    const random = this.#random;
    const alive = this.#nodes.filter((node) => node.driver !== null);
    const isBurst = random.chance(0.01);
    if (alive.length > 0) {
      const times = isBurst ? random.integer(5, 40) : 1;
      for (let i = 0; i < times; i++) {
        const node = random.pick(alive);
        this.#events.after(isBurst ? i * 11 : 0, () => node.submit(this.#draw(random.integer(1, 4))));
      }
    }
    const pauseMs = random.chance(0.02) ? random.next() * 3_000 : random.next() * this.#pauseMs;
    this.#events.after(pauseMs, () => this.run());
  }

  stop(): void {
    this.#isOver = true;
  }

  #draw(count: number): Uint8Array[] {
    return Array.from({ length: count }, () => transactionOf(`transaction ${this.#count++}`));
  }
}
