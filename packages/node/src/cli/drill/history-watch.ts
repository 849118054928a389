/**
 * How long a node that was attacked lacks a part of the history: one that has lost its data begins from a state, takes part
 * again, and fetches what is older meanwhile.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DrillNode } from './drill-network.ts';

const everyMs = 250;

export type HistoryWatch = {
  /** When it had everything again after it had lacked something; null: it never lacked anything, or does so still. */
  readonly wholeAtMs: number | null;
  /** What it last said: the lowest height that it has all of. */
  readonly heldFrom: number;
  stop(): Promise<void>;
};

/** @param onWhole the node has everything again */
export function watchHistory({ client }: Pick<DrillNode, 'client'>, onWhole: (atMs: number) => void): HistoryWatch {
  const stopping = new AbortController();
  let heldFrom = 0;
  let wholeAtMs: number | null = null;

  async function look(): Promise<void> {
    const status = await client.status();
    if (!status.ok || status.value.heldFrom === undefined) return;
    const hadAll = heldFrom === 0;
    ({ heldFrom } = status.value);
    if (heldFrom > 0) wholeAtMs = null;
    else if (!hadAll) {
      wholeAtMs = Date.now();
      onWhole(wholeAtMs);
    }
  }

  const running = (async () => {
    while (!stopping.signal.aborted) {
      // What throws is no answer.
      await look().catch(() => undefined);
      await sleep(everyMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
    // As it is in the end.
    await look().catch(() => undefined);
  })();

  return {
    get wholeAtMs() {
      return wholeAtMs;
    },
    get heldFrom() {
      return heldFrom;
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
