/**
 * A node in this process: started, kept alive, and stopped.
 */
import { readFounding } from './config/founding.ts';
import type { NodeConfig } from './config/node-config.ts';
import { installNodeSha256 } from './crypto/sha256.ts';
import { orThrow } from './failure.ts';
import { createLog } from './logging.ts';
import { createNodeKeeper } from './node-keeper.ts';

export { NodeFailed } from './failure.ts';

export type RunningNode = {
  readonly id: string;
  readonly httpUrl: string;
  stop(): Promise<void>;
};

/**
 * Starts a node; resolves when it listens, after it has mended what kept it from that. Rejects with a NodeFailed, all that was
 * opened closed again. What fails later and cannot be mended is logged, and ends the process with exit code 1.
 */
export async function startNode(config: NodeConfig): Promise<RunningNode> {
  installNodeSha256();
  const founding = orThrow(readFounding(config));
  const log = createLog({ level: config.logLevel, base: { node: config.validatorId } });
  const keeper = createNodeKeeper(config, founding, log);
  await keeper.begin();
  let stopped: Promise<void> | null = null;
  return {
    id: config.validatorId,
    get httpUrl() {
      return keeper.httpUrl();
    },
    stop: () => {
      stopped ??= keeper.stop();
      return stopped;
    },
  };
}
