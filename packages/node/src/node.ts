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

export type NodeToBegin = RunningNode & {
  /**
   * Resolves when it listens, after it has mended what kept it from that, and waited for peers where it needs them. Rejects with a
   * NodeFailed, all that was opened closed again; `node.stopping` where it was stopped meanwhile.
   */
  begin(): Promise<void>;
};

/** Starts a node, as `begin`. What fails later and cannot be mended is logged, and ends the process with exit code 1. */
export async function startNode(config: NodeConfig): Promise<RunningNode> {
  const node = createNode(config);
  await node.begin();
  return node;
}

/** Throws a NodeFailed where settings, keys and genesis are none to begin with. */
export function createNode(config: NodeConfig): NodeToBegin {
  installNodeSha256();
  const founding = orThrow(readFounding(config));
  const log = createLog({ level: config.logLevel, base: { node: config.validatorId } });
  const keeper = createNodeKeeper(config, founding, log);
  let stopped: Promise<void> | null = null;
  return {
    id: config.validatorId,
    begin: () => keeper.begin(),
    get httpUrl() {
      return keeper.httpUrl();
    },
    stop: () => {
      stopped ??= keeper.stop();
      return stopped;
    },
  };
}
