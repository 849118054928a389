/**
 * What was opened, closed in the opposite order: after a stop, and after a start that came only half the way. One that
 * fails does not keep the others from being closed.
 */
export type Closers = {
  /** After `closeAll` it is closed at once. */
  add(close: () => void | Promise<void>): void;
  /** Rejects with the first failure, once all have been closed. */
  closeAll(): Promise<void>;
};

export function createClosers(): Closers {
  const closers: (() => void | Promise<void>)[] = [];
  let isClosed = false;
  return {
    add(close) {
      if (!isClosed) closers.push(close);
      else void (async () => close())().catch(() => undefined);
    },
    async closeAll() {
      isClosed = true;
      const failures: unknown[] = [];
      for (let close = closers.pop(); close !== undefined; close = closers.pop()) {
        try {
          await close();
        } catch (cause) {
          failures.push(cause);
        }
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}
