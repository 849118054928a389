/**
 * How much is asked of one peer at a time. A node answers so many requests of a peer at once, and in one Delta, and drops what goes
 * beyond: an asker that keeps to that waits its turn here, instead of for answers that never come.
 */
import { type Message, requestBudget, requestCost } from '@cairn-ledger/core';

/** Requests of one peer that a node has under way at once. */
export const requestsPerPeerMax = 8;
/** Of what a peer allows in one Delta: the rest is for what arrives closer together than it was sent. */
const unitsMax = Math.floor((requestBudget * 7) / 8);

export type PeerSlots = {
  /** Waits until the peer may be asked; each `take` is followed by a `release`. Ends at once where the signal is aborted. */
  take(peer: string, request: Message, signal: AbortSignal): Promise<void>;
  release(peer: string): void;
  /** Requests that wait for their answer, or for their turn. */
  load(peer: string): number;
};

type Slots = {
  open: number;
  readonly waiting: (() => void)[];
  /** What was asked in the last Delta, oldest first. */
  readonly spent: { readonly atMs: number; readonly units: number }[];
  units: number;
  timer: NodeJS.Timeout | null;
};

/**
 * @param deltaMs of the network; null: peers count nothing
 * @param share of what a peer answers, for who is not the only one in its node that asks
 * @param now milliseconds, ascending
 */
export function createPeerSlots(
  deltaMs: number | null,
  share = 1,
  now: () => number = () => performance.now(),
): PeerSlots {
  const openMax = Math.max(1, Math.floor(requestsPerPeerMax * share));
  const unitsAtOnceMax = Math.floor(unitsMax * share);
  const all = new Map<string, Slots>();

  function slotsOf(peer: string): Slots {
    let slots = all.get(peer);
    if (slots === undefined) {
      slots = { open: 0, waiting: [], spent: [], units: 0, timer: null };
      all.set(peer, slots);
    }
    return slots;
  }

  function wake({ waiting }: Slots): void {
    // In order; whoever finds nothing free queues up again.
    for (const go of waiting.splice(0)) go();
  }

  /** Milliseconds until the peer may be asked so much more; 0: now. */
  function pauseMs(slots: Slots, units: number): number {
    if (deltaMs === null) return 0;
    const nowMs = now();
    while (slots.spent.length > 0 && slots.spent[0]!.atMs + deltaMs <= nowMs) slots.units -= slots.spent.shift()!.units;
    const [oldest] = slots.spent;
    return oldest === undefined || slots.units + units <= unitsAtOnceMax ? 0 : oldest.atMs + deltaMs - nowMs;
  }

  return {
    async take(peer, request, signal) {
      const slots = slotsOf(peer);
      const units = requestCost(request);
      while (!signal.aborted) {
        const ms = slots.open >= openMax ? null : pauseMs(slots, units);
        if (ms === 0) break;
        if (ms !== null)
          slots.timer ??= setTimeout(() => {
            slots.timer = null;
            wake(slots);
          }, ms);
        await turn(slots, signal);
      }
      slots.open++;
      if (signal.aborted || deltaMs === null) return;
      slots.spent.push({ atMs: now(), units });
      slots.units += units;
    },
    release(peer) {
      const slots = slotsOf(peer);
      slots.open--;
      wake(slots);
    },
    load(peer) {
      const slots = all.get(peer);
      return slots === undefined ? 0 : slots.open + slots.waiting.length;
    },
  };
}

function turn({ waiting }: Slots, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      signal.removeEventListener('abort', onAborted);
      resolve();
    };
    const onAborted = (): void => {
      waiting.splice(waiting.indexOf(go), 1);
      resolve();
    };
    waiting.push(go);
    signal.addEventListener('abort', onAborted, { once: true });
  });
}
