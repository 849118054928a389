/**
 * A network for tests: founded by `cairn init` in a temporary folder, one `cairn node` process per validator, on loopback.
 *
 * Nodes are stopped, killed and started again by their process ids. Whatever happens in a test, every process it started
 * is ended and the folder removed (kept with CAIRN_E2E_KEEP=1); when it fails, the ends of the logs are shown. A node that
 * ends without being asked fails its test, whatever else the test looked at.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type CairnError, genesisToTrustAnchor, type Result, sha256, type TrustAnchor } from '@cairn-ledger/core';
import { type Client, createClient } from '@cairn-ledger/sdk';
import { choosePorts } from '../packages/node/src/cli/dev/ports.ts';
import { nodeConfigIn, writeNodeConfig } from '../packages/node/src/config/node-config.ts';

const entry = fileURLToPath(new URL('../packages/node/bin/cairn.js', import.meta.url));
const isKept = process.env.CAIRN_E2E_KEEP === '1';
const STOP_TIMEOUT_MS = 20_000;
const READY_TIMEOUT_MS = 60_000;
const COMMAND_TIMEOUT_MS = 120_000;
const LOG_LINES_SHOWN = 25;
/** Each test file looks for ports from a place of its own: files run side by side. */
export const basePort = 18_000 + (process.pid % 120) * 100;

export type NetworkOptions = {
  /** Why this machine cannot run the test. */
  readonly skip?: string | false;
  readonly nodes?: number;
  /** Besides `alder/desk`. */
  readonly devices?: readonly string[];
  readonly balances?: readonly { readonly account: string; readonly amount: string }[];
  readonly mqtt?: string;
  readonly deltaMs?: number;
  /** Where a node runs in place of loopback: the host of its links. Its HTTP stays on its own loopback. */
  readonly linkHostOf?: (i: number) => string;
  /** What stands before the command of a node and in its environment, asked at every start. */
  readonly wrapOf?: (i: number) => Wrap;
  /** After founding, before the first start. */
  readonly onFounded?: (network: E2eNetwork) => Promise<void>;
  /** Longest the whole test may take. */
  readonly timeoutMs?: number;
  /** What else the test started is ended here, also when it fails. */
  readonly onEnd?: () => Promise<void> | undefined;
};

export type Wrap = { readonly command?: readonly string[]; readonly env?: Readonly<Record<string, string>> };

export type CommandOutcome = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

export type E2eNode = {
  readonly id: string;
  readonly http: string;
  readonly linkPort: number;
  readonly dir: string;
  readonly client: Client;
  /** Throws while it does not run. */
  pid(): number;
  isRunning(): boolean;
  /** Resolves once it serves, or once it was killed before that. */
  start(): Promise<void>;
  /** It is going to end by itself, which counts as no surprise: its exit code, once it has ended. */
  untilEnded(): Promise<number | null>;
  /** SIGTERM; it must end cleanly. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  log(): string;
};

export type E2eNetwork = {
  readonly dir: string;
  readonly networkPath: string;
  readonly genesisPath: string;
  readonly ledgerHash: Uint8Array;
  readonly anchor: TrustAnchor;
  readonly nodes: readonly E2eNode[];
  /** Over all nodes. */
  readonly client: Client;
  keyPath(owner: string): string;
  /** Runs a `cairn` command of this network to its end. */
  cairn(...args: string[]): Promise<CommandOutcome>;
  /** The same, which must succeed; what it said, the lines parsed as JSON. */
  cairnJson<T>(...args: string[]): Promise<T>;
};

export type Step = (claim: string, check: () => Promise<void>, skip?: string | false) => Promise<void>;

/** One test over one network. After the first step that fails the others are left out. */
export function networkTest(
  title: string,
  options: NetworkOptions,
  body: (network: FoundedNetwork, step: Step) => Promise<void>,
): void {
  test(title, { timeout: options.timeoutMs ?? 240_000, skip: options.skip ?? false }, async (t) => {
    const started = await foundNetwork(options);
    let failure: unknown = null;
    const step: Step = async (claim, check, skip = false) => {
      await t.test(claim, { skip }, async () => {
        await check().catch((error: unknown) => {
          failure ??= error;
          throw error;
        });
      });
      if (failure !== null) throw new Error(`"${claim}" does not hold; the rest is left out`);
    };
    try {
      await options.onFounded?.(started);
      await Promise.all(started.nodes.map((node) => node.start()));
      await untilInSync(started.nodes);
      await body(started, step);
      for (const node of started.nodes) if (node.isRunning()) await node.stop();
      started.assertNoneEnded();
    } catch (error) {
      showLogs(started.nodes);
      throw error;
    } finally {
      await started.end();
      await options.onEnd?.();
    }
  });
}

export type FoundedNetwork = E2eNetwork & {
  /** A node that was not there when the network was founded; its folder is complete. */
  addNode(id: string, dir: string, http: string, linkPort: number): E2eNode;
  /** Kills what runs and removes the folder. */
  end(): Promise<void>;
  assertNoneEnded(): void;
};

/** Founds a network; none of its nodes runs yet. */
export async function foundNetwork(options: NetworkOptions): Promise<FoundedNetwork> {
  const dir = mkdtempSync(join(tmpdir(), 'cairn-e2e-'));
  const count = options.nodes ?? 4;
  const linkHostOf = options.linkHostOf ?? (() => '127.0.0.1');
  const ports = orFail(await choosePorts(basePort, false, count));
  const members = Array.from(
    { length: Math.max(count, 4) },
    (_, i) => ['alder', 'birch', 'cedar', 'elm'][i] ?? `m-${i + 1}`,
  );
  const ids = Array.from({ length: count }, (_, i) => `node-${String(i + 1).padStart(String(count).length, '0')}`);
  const plan = {
    name: 'end to end',
    members: members.map((id) => ({ id })),
    nodes: ids.map((id, i) => ({
      id,
      member: members[i]!,
      address: `${linkHostOf(i)}:${ports.link[i]}`,
      http: `127.0.0.1:${ports.http[i]}`,
      ...(options.mqtt !== undefined && { mqtt: options.mqtt }),
    })),
    devices: ['alder/desk', ...(options.devices ?? [])].map((id) => ({ id })),
    assets: [{ id: 'eur', decimals: 2, issuer: 'alder' }],
    balances: (options.balances ?? []).map((balance) => ({ ...balance, asset: 'eur' })),
    parameters: { deltaMs: options.deltaMs ?? 100 },
  };
  const planPath = join(dir, 'plan.json');
  writeFileSync(planPath, JSON.stringify(plan));
  const networkDir = join(dir, 'network');
  const founded = await runCairn(['init', '--from', planPath, '--dir', networkDir, '--json'], dir);
  assert.equal(founded.code, 0, founded.stderr);
  const { genesisPath, keyPaths, nodeDirs } = JSON.parse(founded.stdout) as {
    genesisPath: string;
    keyPaths: Record<string, string>;
    nodeDirs: Record<string, string>;
  };
  const genesis = new Uint8Array(readFileSync(genesisPath));
  const anchor = orFail(genesisToTrustAnchor(genesis));
  const networkPath = join(networkDir, 'network.json');
  const nodes = ids.map((id, i) => {
    const http = { host: '127.0.0.1', port: ports.http[i]! };
    const nodeDir = nodeDirs[id]!;
    writeNodeConfig(
      nodeDir,
      nodeConfigIn(nodeDir, {
        validatorId: id,
        listen: { host: linkHostOf(i), port: ports.link[i]! },
        http,
        logLevel: (process.env.CAIRN_E2E_LOG as 'info' | undefined) ?? 'info',
        ...(options.mqtt !== undefined && { mqtt: { brokerUrl: options.mqtt } }),
      }),
    );
    const wrap = (): Wrap => options.wrapOf?.(i) ?? {};
    return createNode(id, nodeDir, `http://127.0.0.1:${http.port}`, ports.link[i]!, anchor, wrap);
  });
  const cairn = (...args: string[]): Promise<CommandOutcome> =>
    runCairn(args, dir, { CAIRN_NETWORK: networkPath, CAIRN_KEY: keyPaths['alder/desk']! });
  return {
    dir,
    networkPath,
    genesisPath,
    ledgerHash: sha256(genesis),
    anchor,
    nodes,
    client: createClient({ nodes: nodes.map((node) => node.http), anchor }),
    keyPath: (owner) => keyPaths[owner]!,
    cairn,
    async cairnJson<T>(...args: string[]) {
      const outcome = await cairn(...args, '--json');
      assert.equal(outcome.code, 0, `cairn ${args.join(' ')}: ${outcome.stderr}`);
      return JSON.parse(outcome.stdout) as T;
    },
    addNode(id, nodeDir, http, linkPort) {
      const added = createNode(id, nodeDir, http, linkPort, anchor, () => ({}));
      nodes.push(added);
      return added;
    },
    assertNoneEnded: () =>
      assert.deepEqual(
        nodes.flatMap((node) => node.surprises()),
        [],
        'no node ended unasked',
      ),
    async end() {
      await Promise.all(nodes.map((node) => node.kill()));
      if (!isKept) rmSync(dir, { recursive: true, force: true });
    },
  };
}

function createNode(
  id: string,
  dir: string,
  http: string,
  linkPort: number,
  anchor: TrustAnchor,
  wrap: () => Wrap,
): E2eNode & { surprises(): string[] } {
  const logPath = join(dir, 'node.log');
  const surprises: string[] = [];
  let child: ChildProcess | null = null;
  let ended: Promise<number | null> = Promise.resolve(null);
  let isAsked = false;

  const endBy = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> => {
    if (child === null) return null;
    isAsked = true;
    const last = setTimeout(() => child?.kill('SIGKILL'), STOP_TIMEOUT_MS);
    child.kill(signal);
    const code = await ended;
    clearTimeout(last);
    return code;
  };

  return {
    id,
    http,
    dir,
    linkPort,
    client: createClient({ nodes: [http], anchor, timeoutMs: 20_000 }),
    surprises: () => surprises,
    isRunning: () => child !== null,
    pid() {
      assert.ok(child?.pid !== undefined, `${id} runs`);
      return child.pid;
    },
    async start() {
      assert.equal(child, null, `${id} does not run yet`);
      const log = openSync(logPath, 'a', 0o600);
      // Over the channel the node learns when the test itself is gone, however that came about.
      const { command = [], env = {} } = wrap();
      const [program, ...args] = [...command, process.execPath, entry, 'node', dir];
      // Ctrl-C in the test's terminal is for the test alone.
      const started = spawn(program!, args, {
        detached: true,
        stdio: ['ignore', log, log, 'ipc'],
        env: { ...process.env, ...env },
      });
      closeSync(log);
      child = started;
      isAsked = false;
      ended = new Promise((resolve) => {
        started.once('exit', (code, signal) => {
          child = null;
          if (!isAsked) surprises.push(`${id} ended by itself: ${signal ?? `code ${code}`}`);
          resolve(code);
        });
      });
      const hasStarted = new Promise<boolean>((resolve) => started.once('message', () => resolve(true)));
      const isUp = await Promise.race([hasStarted, ended.then(() => false)]);
      assert.ok(isUp || isAsked, `${id} starts; it said:\n${tail(logPath)}`);
    },
    untilEnded() {
      isAsked = true;
      return ended;
    },
    async stop() {
      const code = await endBy('SIGTERM');
      assert.equal(code, 0, `${id} stops cleanly`);
    },
    async kill() {
      await endBy('SIGKILL');
    },
    log: () => readFileSync(logPath, 'utf8'),
  };
}

/** A `cairn` command as a process, to its end. */
export async function runCairn(
  args: readonly string[],
  cwd: string,
  env: Record<string, string> = {},
): Promise<CommandOutcome> {
  const command = startCairn(args, cwd, env);
  return command.ended;
}

export type RunningCommand = {
  readonly process: ChildProcess;
  readonly ended: Promise<CommandOutcome>;
  /** What it has printed so far. */
  stdout(): string;
};

export function startCairn(args: readonly string[], cwd: string, env: Record<string, string> = {}): RunningCommand {
  const child = spawn(process.execPath, [entry, ...args], {
    cwd,
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const last = setTimeout(() => child.kill('SIGKILL'), COMMAND_TIMEOUT_MS);
  const ended = new Promise<CommandOutcome>((resolve) => {
    child.once('close', (code) => {
      clearTimeout(last);
      resolve({ code, stdout, stderr });
    });
  });
  return { process: child, ended, stdout: () => stdout };
}

export type NodeView = {
  readonly executedHeight: number;
  readonly certifiedHeight: number;
  readonly historySize: number;
  readonly transactions: number;
  readonly readings: number;
  readonly view: number;
  readonly inSync: boolean;
};

/** The value of a result that must be one. */
export function orFail<T>(result: Result<T, CairnError>, what = 'it'): T {
  if (!result.ok) assert.fail(`${what} fails: ${result.error.message} [${result.error.code}]`);
  return result.value;
}

export async function statusOf(node: Pick<E2eNode, 'client' | 'id'>): Promise<NodeView> {
  return orFail(await node.client.status(), `the status of ${node.id}`);
}

export async function untilInSync(nodes: readonly E2eNode[]): Promise<void> {
  await until('all nodes are in sync', READY_TIMEOUT_MS, async () => {
    const statuses = await Promise.all(nodes.map((node) => node.client.status()));
    return statuses.every((status) => status.ok && status.value.inSync);
  });
}

type Checkpoint = { readonly historySize: number; readonly historyRoot: string; readonly stateRoot: string };

/** All nodes reach what the furthest of them has executed, certified; their roots are equal there and at some heights before. */
export async function assertAgreement(nodes: readonly E2eNode[]): Promise<number> {
  const statuses = await Promise.all(nodes.map(statusOf));
  const height = Math.max(...statuses.map((status) => status.executedHeight));
  await until(`height ${height} is certified on every node`, READY_TIMEOUT_MS, async () => {
    const now = await Promise.all(nodes.map(statusOf));
    return now.every((status) => status.certifiedHeight >= height);
  });
  const heights = new Set([1, 2, 3, 4, 5].map((part) => Math.max(1, Math.floor((height * part) / 5))));
  for (const at of height === 0 ? [] : heights) {
    const answers = await Promise.all(nodes.map((node) => node.client.get<Checkpoint>(`/v1/checkpoints/${at}`)));
    const roots = answers.flatMap((answer, i) => {
      // A node founded from a snapshot has the chain from that height on only, and says so.
      if (!answer.ok && answer.error.code === 'history.not-held') return [];
      const { historySize, historyRoot, stateRoot } = orFail(answer, `checkpoint ${at} of ${nodes[i]!.id}`);
      return [{ historySize, historyRoot, stateRoot }];
    });
    assert.ok(roots.length > 1 || at < height, `more than one node holds checkpoint ${at}`);
    for (const root of roots) assert.deepEqual(root, roots[0], `the nodes have equal roots at height ${at}`);
  }
  return height;
}

/** Value of a metric of a node, summed over its labels that contain `label`. */
export async function metricOf(node: E2eNode, name: string, label = ''): Promise<number> {
  const text = await (await fetch(`${node.http}/metrics`)).text();
  let sum = 0;
  for (const line of text.split('\n')) {
    const match = /^cairn_([a-z_]+)(\{[^}]*\})? ([-+.eE0-9]+)/.exec(line);
    if (match?.[1] === name && (match[2] ?? '').includes(label)) sum += Number(match[3]);
  }
  return sum;
}

export function residentMiB(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return line === null ? 0 : Number(line[1]) / 1024;
}

/** Waits until something holds; what the check throws counts as "not yet". */
export async function until(what: string, timeoutMs: number, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  let last = '';
  for (;;) {
    try {
      if (await holds()) return;
    } catch (error) {
      last = `: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (performance.now() > deadline)
      assert.fail(`after ${timeoutMs / 1000} s it still does not hold that ${what}${last}`);
    await sleep(100);
  }
}

export { sleep };

export function showLogs(nodes: readonly E2eNode[]): void {
  for (const node of nodes) console.error(`--- end of the log of ${node.id}\n${tail(join(node.dir, 'node.log'))}`);
}

function tail(path: string): string {
  try {
    return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-LOG_LINES_SHOWN).join('\n');
  } catch {
    return '(none)';
  }
}
