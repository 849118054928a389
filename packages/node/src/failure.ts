/**
 * How a node ends when it must. While it starts, whoever starts it is told; afterwards the log is, and the process ends at
 * once: on the next start everything is verified again.
 */
import process from 'node:process';
import type { CairnError } from '@cairn-ledger/core';
import type { Log } from './logging.ts';

/** A failure at start carries a code of the catalogue; whoever started the node shows it. */
export class NodeFailed extends Error implements CairnError {
  readonly code: string;
  constructor(error: CairnError) {
    super(error.message);
    this.code = error.code;
  }
}

/** Whatever was thrown, as an error with a code. What nobody expected is named with the place it comes from. */
export function errorOf(cause: unknown, where = 'the node'): CairnError {
  const { code, message } = (cause ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === 'string' && typeof message === 'string' && /^[a-z]+\.[a-z0-9-]+$/.test(code))
    return { code, message };
  return { code: 'node.failed', message: `${where} ended: ${textOf(cause)}` };
}

function textOf(cause: unknown): string {
  if (cause instanceof Error) {
    const place = /\n\s+at (.*)/.exec(cause.stack ?? '')?.[1];
    return `${cause.name}: ${cause.message}${place === undefined ? '' : ` (at ${place})`}`;
  }
  const { message } = (cause ?? {}) as { message?: unknown };
  return typeof message === 'string' ? message : (JSON.stringify(cause) ?? String(cause));
}

export function orThrow<T>(result: { ok: true; value: T } | { ok: false; error: CairnError }): T {
  if (!result.ok) throw new NodeFailed(result.error);
  return result.value;
}

export type Failure = {
  /** The end: called once or more, the first counts. */
  fail(error: CairnError): void;
  /** The result of a start, or the failure that came first. */
  whileStarting<T>(start: Promise<T>): Promise<T>;
  /** From here on failures are those of stopping: not reported. */
  onStopping(): void;
  /** What nobody catches is no longer the node's. */
  release(): void;
};

/**
 * @param onFailed at once: nothing may be signed any more
 * @param onRunning what failed while the node runs: true where somebody takes care of it, else the process ends
 * @param exit for tests
 */
export function createFailure(
  log: Pick<Log, 'error' | 'flush'>,
  onFailed: () => void,
  onRunning: (error: CairnError) => boolean = () => false,
  exit: (code: number) => void = (code) => process.exit(code),
): Failure {
  let state: 'starting' | 'running' | 'over' = 'starting';
  const starting = Promise.withResolvers<never>();
  starting.promise.catch(() => undefined);

  let isFailed = false;
  function fail(error: CairnError): void {
    // Also while stopping, when turns may still be under way.
    if (!isFailed) onFailed();
    isFailed = true;
    if (state === 'over') return;
    const isStarting = state === 'starting';
    state = 'over';
    if (isStarting) return starting.reject(new NodeFailed(error));
    if (onRunning(error)) return;
    log.error('node.failed', { code: error.code, message: error.message });
    // The log writes behind its caller; the process must not end before it.
    log.flush();
    exit(1);
  }

  const onUncaught = (cause: unknown): void => {
    const stack = cause instanceof Error ? cause.stack : undefined;
    if (state === 'running') log.error('node.uncaught', { stack });
    fail(errorOf(cause));
  };
  process.on('uncaughtException', onUncaught);

  return {
    fail,
    async whileStarting(start) {
      const result = await Promise.race([start, starting.promise]);
      state = 'running';
      return result;
    },
    onStopping() {
      state = 'over';
    },
    release: () => void process.off('uncaughtException', onUncaught),
  };
}
