/** One timer of the clock `performance.now()`; setting it again replaces the time. */

/** Longer waits are cut into such pieces: whoever set the timer looks at the clock anyway. */
const waitMsMax = 60_000;

export type Timer = { set(atMs: number, callback: () => void): void; clear(): void };

export function createTimer(): Timer {
  let timeout: NodeJS.Timeout | null = null;
  const clear = (): void => {
    if (timeout !== null) clearTimeout(timeout);
    timeout = null;
  };
  return {
    clear,
    set(atMs, callback) {
      clear();
      timeout = setTimeout(callback, Math.min(Math.max(0, atMs - performance.now()), waitMsMax));
    },
  };
}
