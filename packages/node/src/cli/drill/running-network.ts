/**
 * A development network that `cairn dev` runs, for the attacks that leave nothing behind. Its processes are not the drill's: they
 * can be made to stand still, and nothing else.
 */
import { join } from 'node:path';
import process from 'node:process';
import { createClient } from '@cairn-ledger/sdk';
import { readNetworkFile } from '../../config/network-file.ts';
import { readNodeConfig } from '../../config/node-config.ts';
import { reserveCounters } from '../../keys/counter-file.ts';
import { fleetMembers } from '../dev/dev-network.ts';
import { nodePidPath, readPid } from '../dev/node-process.ts';
import { CommandFailed, orFail } from '../exit-code.ts';
import { networkPathIn, readGenesisFile } from '../network.ts';
import { type DrillNetwork, type DrillNode, freePort, statusTimeoutMs } from './drill-network.ts';
import { createLinkProxy } from './link-proxy.ts';

/** @param dir folder of the network; throws what is wrong with it */
export function openRunningNetwork(dir: string): DrillNetwork {
  const file = orFail(readNetworkFile(networkPathIn(dir)));
  const genesis = orFail(readGenesisFile(file.genesisPath));
  const { validators, members, parameters } = genesis.genesis;
  const keyPath = (owner: string): string => join(dir, 'keys', `${owner.replace('/', '.')}.key`);
  const nodes = file.nodes.map(({ id, http }): DrillNode => {
    const nodeDir = join(dir, 'nodes', id);
    return {
      id,
      member: validators.find((validator) => validator.id === id)?.member ?? '',
      dir: nodeDir,
      http,
      linkPort: orFail(readNodeConfig(nodeDir)).listen.port,
      client: createClient({ nodes: [http], timeoutMs: statusTimeoutMs }),
      isRunning: () => readPid(nodePidPath(nodeDir)) !== null,
      pid: () => pidOf(id, nodeDir),
      start: notOurs,
      stop: notOurs,
      kill: notOurs,
      pause: () => void process.kill(pidOf(id, nodeDir), 'SIGSTOP'),
      resume: () => void process.kill(pidOf(id, nodeDir), 'SIGCONT'),
    };
  });
  return {
    dir,
    nodes,
    genesis,
    deltaMs: parameters.deltaMs,
    mqttUrl: file.mqtt ?? '',
    proxy: createLinkProxy(),
    proxied: null,
    loadDevices: members.slice(0, fleetMembers).map(({ id }) => `${id}/sensor`),
    keyPath,
    counters: async (owner, count) => orFail(await reserveCounters(keyPath(owner), count)),
    freePort,
    onEnded: () => undefined,
    end: async () => undefined,
  };
}

async function notOurs(): Promise<void> {
  throw new Error("the processes of a running network are not the drill's to start or end");
}

function pidOf(id: string, dir: string): number {
  const pid = readPid(nodePidPath(dir));
  if (pid !== null) return pid;
  throw new CommandFailed({
    code: 'dev.not-ready',
    message: `${id} was not started by a \`cairn dev\` that runs now; start the network first`,
  });
}
