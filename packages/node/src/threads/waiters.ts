/**
 * Edge thread: who waits for what became of a transaction. A waiter is told when its transaction is rejected, or its block
 * certified.
 */
import { toHex } from '@cairn-ledger/core';

export type Waiters = {
  /** Resolves at `wake`, the time-out or the signal. */
  wait(id: Uint8Array, timeoutMs: number, signal: AbortSignal): Promise<void>;
  /** A block with these transactions (32 bytes each) was executed at this height. */
  onExecuted(height: number, ids: Uint8Array): void;
  /** Everything up to this height is certified. */
  onCertified(height: number): void;
  readonly count: number;
};

export function createWaiters(): Waiters {
  const byId = new Map<string, Set<() => void>>();
  /** Waited-for transactions of executed heights that are not certified yet. */
  const executed = new Map<number, string[]>();

  function wake(name: string): void {
    for (const resolve of byId.get(name) ?? []) resolve();
    byId.delete(name);
  }

  return {
    get count() {
      return byId.size;
    },
    wait(id, timeoutMs, signal) {
      const name = toHex(id);
      return new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(timeout);
          signal.removeEventListener('abort', done);
          const others = byId.get(name);
          others?.delete(done);
          if (others?.size === 0) byId.delete(name);
          resolve();
        };
        const timeout = setTimeout(done, timeoutMs);
        signal.addEventListener('abort', done, { once: true });
        const waiting = byId.get(name) ?? new Set();
        waiting.add(done);
        byId.set(name, waiting);
        if (signal.aborted) done();
      });
    },
    onExecuted(height, ids) {
      if (byId.size === 0) return;
      const names: string[] = [];
      for (let at = 0; at < ids.length; at += 32) {
        const name = toHex(ids.subarray(at, at + 32));
        if (byId.has(name)) names.push(name);
      }
      if (names.length > 0) executed.set(height, names);
    },
    onCertified(height) {
      for (const [at, names] of executed) {
        if (at > height) continue;
        executed.delete(at);
        for (const name of names) wake(name);
      }
    },
  };
}
