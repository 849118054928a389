/**
 * A node in this process: started, kept alive, and stopped.
 */
import { type Closers, createClosers } from './closers.ts';
import { readFounding } from './config/founding.ts';
import type { NodeConfig } from './config/node-config.ts';
import { installNodeSha256 } from './crypto/sha256.ts';
import { createFailure, errorOf, NodeFailed, orThrow } from './failure.ts';
import { createLog } from './logging.ts';
import { beginLife, type Life } from './node-life.ts';

export { NodeFailed } from './failure.ts';

export type RunningNode = {
  readonly id: string;
  readonly httpUrl: string;
  stop(): Promise<void>;
};

/**
 * Starts a node; resolves when it listens. Rejects with a NodeFailed, all that was opened closed again. What fails later
 * is logged and ends the process with exit code 1.
 */
export async function startNode(config: NodeConfig): Promise<RunningNode> {
  installNodeSha256();
  const founding = orThrow(readFounding(config));
  const log = createLog({ level: config.logLevel, base: { node: config.validatorId } });
  const closers: Closers = createClosers();
  const life: Life = { phase: 'starting', driver: null };
  const failure = createFailure(log, () => {
    life.driver?.stop();
  });
  closers.add(() => failure.release());
  let httpUrl: string;
  try {
    httpUrl = await failure.whileStarting(beginLife({ config, founding, log, closers, life, failure }));
  } catch (cause) {
    failure.onStopping();
    await closers.closeAll().catch(() => undefined);
    log.flush();
    throw new NodeFailed(errorOf(cause));
  }

  let stopped: Promise<void> | null = null;
  async function stop(): Promise<void> {
    failure.onStopping();
    life.phase = 'stopping';
    try {
      await closers.closeAll();
      log.info('node.stopped');
    } finally {
      log.flush();
    }
  }
  return {
    id: config.validatorId,
    httpUrl,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}
