/**
 * Edge thread: who waits for what became of a transaction, accepted or rejected. A waiter is told when the block of its
 * transaction is certified.
 */
import { toHex } from '@cairn-ledger/core';

export type Waiters = {
  /**
   * Resolves when it is certified, at the time-out or at the signal.
   *
   * @param executedHeight where it is known to be executed already: nobody will say so again
   */
  wait(id: Uint8Array, executedHeight: number | null, timeoutMs: number, signal: AbortSignal): Promise<void>;
  /** A block with these transactions (32 bytes each) was executed at this height. */
  onExecuted(height: number, ids: Uint8Array): void;
  /** Everything up to this height is certified. */
  onCertified(height: number): void;
  readonly count: number;
};

export function createWaiters(): Waiters {
  const byId = new Map<string, Set<() => void>>();
  /** Waited-for transactions of executed heights that are not certified yet. */
  const executed = new Map<number, Set<string>>();

  function wake(name: string): void {
    for (const resolve of byId.get(name) ?? []) resolve();
    byId.delete(name);
  }

  function noteExecuted(height: number, names: readonly string[]): void {
    const known = executed.get(height) ?? new Set();
    for (const name of names) known.add(name);
    executed.set(height, known);
  }

  return {
    get count() {
      return byId.size;
    },
    wait(id, executedHeight, timeoutMs, signal) {
      const name = toHex(id);
      if (executedHeight !== null) noteExecuted(executedHeight, [name]);
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
      if (names.length > 0) noteExecuted(height, names);
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
