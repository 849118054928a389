/**
 * The network of a drill: a development network in a temporary folder, with devices for the load. Each node is a process of its
 * own; one that ends unasked is started again after a second, as a service manager does. Everything ends with the drill.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient } from '@cairn-ledger/sdk';
import { readNodeConfig, writeNodeConfig } from '../../config/node-config.ts';
import { reserveCounters } from '../../keys/counter-file.ts';
import { type EmbeddedBroker, startEmbeddedBroker } from '../../mqtt/embedded-broker.ts';
import { type DevNetwork, devPlan, requireDevNetwork } from '../dev/dev-network.ts';
import { logTail, type NodeProcess, startNodeProcess } from '../dev/node-process.ts';
import { choosePorts } from '../dev/ports.ts';
import { CommandFailed, orFail } from '../exit-code.ts';
import { foundNetwork } from '../founding/found-network.ts';
import type { GenesisFile } from '../network.ts';
import { createLinkProxy, type LinkProxy } from './link-proxy.ts';

const basePort = 19_700;
const restartPauseMs = 1_000;
/** For each node: on two busy cores a process takes seconds to start. */
const readyMsPerNode = 15_000;
export const statusTimeoutMs = 1_500;
/** From here on two cores do not keep up with the delays of a local network. */
const largeNetwork = 8;
const largeDeltaMs = 500;
const lanDeltaMs = 100;

export type DrillNode = {
  readonly id: string;
  readonly member: string;
  readonly dir: string;
  readonly http: string;
  readonly linkPort: number;
  /** Of this node alone; gives up soon. */
  readonly client: Client;
  isRunning(): boolean;
  pid(): number;
  /** Resolves once it serves. */
  start(preloadPath?: string): Promise<void>;
  stop(): Promise<void>;
  kill(): Promise<void>;
  /** As it stands, without a word; `resume` lets it go on. */
  pause(): void;
  resume(): void;
};

export type DrillNetwork = {
  readonly dir: string;
  readonly nodes: readonly DrillNode[];
  readonly genesis: GenesisFile;
  readonly deltaMs: number;
  readonly mqttUrl: string;
  /** Cuts the links of the node that was named when the network was founded. */
  readonly proxy: LinkProxy;
  readonly proxied: DrillNode | null;
  /** One for each client of the load. */
  readonly loadDevices: readonly string[];
  keyPath(owner: string): string;
  /** The next counters of a key, used up. */
  counters(owner: string, count: number): Promise<bigint>;
  /** A port of loopback that nothing listens on. */
  freePort(): Promise<number>;
  /** Told when a node ended unasked. */
  onEnded(listener: (node: DrillNode, why: string) => void): void;
  end(): Promise<void>;
};

export type DrillNetworkOptions = {
  readonly nodes: number;
  /** Index of the node whose links all pass through the proxy; null: of none. */
  readonly proxied: number | null;
  /** The folder stays, for looking at logs and data. */
  readonly isKept?: boolean;
};

const loadDevices = Array.from({ length: 32 }, (_, i) => `alder/drill-${i + 1}`);

/** Founds and starts it; resolves once all nodes are in sync. */
export async function startDrillNetwork(options: DrillNetworkOptions): Promise<DrillNetwork> {
  const dir = mkdtempSync(join(tmpdir(), 'cairn-drill-'));
  const closers: (() => unknown)[] = [];
  if (options.isKept !== true) closers.push(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
  const end = async (): Promise<void> => {
    for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close();
  };
  try {
    const ports = orFail(await choosePorts(basePort + (process.pid % 100) * 100, false, options.nodes));
    const plan = devPlan(options.nodes, ports);
    const deltaMs = options.nodes >= largeNetwork ? largeDeltaMs : lanDeltaMs;
    const devices = loadDevices.map((id) => ({ id, key: null }));
    const withDevices = {
      ...plan,
      devices: [...plan.devices, ...devices],
      parameters: { ...plan.parameters, deltaMs },
    };
    orFail(foundNetwork(withDevices, join(dir, 'network'), Date.now()));
    const founded = await requireDevNetwork({ dir: join(dir, 'network') });
    const broker = await startEmbeddedBroker({ host: '127.0.0.1', port: founded.mqttPort });
    closers.push(() => broker.close());
    const proxy = createLinkProxy();
    closers.push(() => proxy.close());
    if (options.proxied !== null) await leadThrough(proxy, founded, options.proxied);
    const network = createNetwork(founded, { proxy, broker, deltaMs, proxied: options.proxied, end });
    const killAll = (): void => network.nodes.forEach((node) => void node.kill());
    process.once('exit', killAll);
    closers.push(() => process.removeListener('exit', killAll));
    closers.push(() => Promise.all(network.nodes.map((node) => node.kill())));
    await startAll(network);
    return network;
  } catch (error) {
    await end();
    throw error;
  }
}

type Parts = {
  readonly proxy: LinkProxy;
  readonly broker: EmbeddedBroker;
  readonly deltaMs: number;
  readonly proxied: number | null;
  readonly end: () => Promise<void>;
};

function createNetwork(founded: DevNetwork, { proxy, broker, deltaMs, proxied, end }: Parts): DrillNetwork {
  const listeners: ((node: DrillNode, why: string) => void)[] = [];
  let isOver = false;
  const nodes = founded.nodes.map((node) =>
    createNode(
      { ...node, linkPort: orFail(readNodeConfig(node.dir)).listen.port },
      (ended, why) => {
        for (const listener of listeners) listener(ended, why);
      },
      () => !isOver,
    ),
  );
  return {
    dir: founded.dir,
    nodes,
    genesis: founded.genesis,
    deltaMs,
    mqttUrl: broker.url,
    proxy,
    proxied: proxied === null ? null : nodes[proxied]!,
    loadDevices,
    keyPath: founded.keyPath,
    counters: async (owner, count) => orFail(await reserveCounters(founded.keyPath(owner), count)),
    freePort,
    onEnded: (listener) => void listeners.push(listener),
    async end() {
      isOver = true;
      await end();
    },
  };
}

function createNode(
  known: Pick<DrillNode, 'id' | 'member' | 'dir' | 'http' | 'linkPort'>,
  onEnded: (node: DrillNode, why: string) => void,
  mayRestart: () => boolean,
): DrillNode {
  let running: NodeProcess | null = null;
  let isAsked = false;
  let preload: string | null = null;

  async function start(): Promise<void> {
    const started = startNodeProcess(known.dir, preload);
    running = started;
    isAsked = false;
    void started.exited.then(({ code, signal }) => {
      if (running === started) running = null;
      if (isAsked || !mayRestart()) return;
      onEnded(node, signal ?? `code ${code}`);
      void restart();
    });
    const exit = await started.started;
    if (exit === null || isAsked) return;
    throw new CommandFailed({
      code: 'dev.node-failed',
      message: `${known.id} did not start. The end of its log:\n${logTail(started.logPath)}`,
    });
  }

  async function restart(): Promise<void> {
    await sleep(restartPauseMs);
    if (running !== null || isAsked || !mayRestart()) return;
    // One that ends again before it serves comes back here by itself.
    await start().catch(() => undefined);
  }

  const node: DrillNode = {
    ...known,
    client: createClient({ nodes: [known.http], timeoutMs: statusTimeoutMs }),
    isRunning: () => running !== null,
    pid() {
      if (running === null) throw new Error(`${known.id} does not run`);
      return running.pid;
    },
    start(preloadPath) {
      preload = preloadPath ?? null;
      return start();
    },
    async stop() {
      isAsked = true;
      await running?.stop();
    },
    async kill() {
      isAsked = true;
      running?.kill();
      await running?.exited;
    },
    pause: () => void process.kill(node.pid(), 'SIGSTOP'),
    resume: () => void process.kill(node.pid(), 'SIGCONT'),
  };
  return node;
}

async function startAll(network: DrillNetwork): Promise<void> {
  await Promise.all(network.nodes.map((node) => node.start()));
  await untilInSync(network.nodes, readyMsPerNode * network.nodes.length);
}

/** Throws `dev.not-ready` when they are not all active and in sync in time. */
export async function untilInSync(nodes: readonly DrillNode[], timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const statuses = await Promise.all(nodes.map((node) => node.client.status()));
    const late = nodes.filter((_, i) => {
      const status = statuses[i]!;
      return !status.ok || !status.value.inSync || status.value.suspended.length > 0;
    });
    if (late.length === 0) return;
    if (performance.now() > deadline) {
      throw new CommandFailed({
        code: 'dev.not-ready',
        message: `${late.map(({ id }) => id).join(', ')} did not get in sync in ${timeoutMs / 1000} s`,
      });
    }
    await sleep(150);
  }
}

/** Every link of this node, whoever dials it, passes through the proxy. */
async function leadThrough(proxy: LinkProxy, { nodes }: DevNetwork, index: number): Promise<void> {
  const configs = nodes.map(({ dir }) => orFail(readNodeConfig(dir)));
  const own = configs[index]!;
  const toOwn = await proxy.leadTo(own.listen.port);
  for (const [i, config] of configs.entries()) {
    const peers: Record<string, readonly string[]> = { ...config.peers };
    if (i === index) {
      for (const [j, other] of configs.entries())
        if (j !== index) peers[other.validatorId] = [`127.0.0.1:${await proxy.leadTo(other.listen.port)}`];
    } else peers[own.validatorId] = [`127.0.0.1:${toOwn}`];
    writeNodeConfig(nodes[i]!.dir, { ...config, peers });
  }
}

/** A port of loopback that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
