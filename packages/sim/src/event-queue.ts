/** Virtual time: events in order of their moment, then of their making. */

type Event = { readonly atMs: number; readonly order: number; readonly run: () => void };

export class EventQueue {
  nowMs = 0;
  #heap: Event[] = [];
  #order = 0;

  at(atMs: number, run: () => void): void {
    const event = { atMs: Math.max(atMs, this.nowMs), order: this.#order++, run };
    const heap = this.#heap;
    let i = heap.length;
    heap.push(event);
    for (; i > 0; ) {
      const parent = (i - 1) >> 1;
      // Whatever is there already was made before it.
      if (event.atMs >= heap[parent]!.atMs) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = event;
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.nowMs + delayMs, run);
  }

  /** Runs the next event; false when none is due by `untilMs`. */
  step(untilMs: number): boolean {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.atMs > untilMs) return false;
    const last = heap.pop()!;
    const { length } = heap;
    if (length > 0) {
      let i = 0;
      for (let least = 1; least < length; least = 2 * i + 1) {
        const right = least + 1;
        if (right < length && isBefore(heap[right]!, heap[least]!)) least = right;
        if (isBefore(last, heap[least]!)) break;
        heap[i] = heap[least]!;
        i = least;
      }
      heap[i] = last;
    }
    this.nowMs = first.atMs;
    first.run();
    return true;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
