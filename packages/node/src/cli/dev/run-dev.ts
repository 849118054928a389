/**
 * Brings a development network up, shows it, and takes it down: broker, nodes, first receipt, fleet, live status. With
 * `--json` the same things are told as events, one object per line, `ready` first.
 */
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, type StatusAnswer } from '@cairn-ledger/sdk';
import { type EmbeddedBroker, startEmbeddedBroker } from '../../mqtt/embedded-broker.ts';
import type { DevCommandOptions } from '../commands/dev.ts';
import { CommandFailed, exitCodes } from '../exit-code.ts';
import { sayJson, style } from '../output.ts';
import { type DevNetwork, type DevNode, requireDevNetwork } from './dev-network.ts';
import { type FirstReceipt, obtainFirstReceipt } from './first-receipt.ts';
import { type Fleet, startFleet } from './fleet.ts';
import { createLiveView, type LiveView, type Picture } from './live-view.ts';
import { nextStepLines, shortPath } from './next-steps.ts';
import { logTail, type NodeExit, type NodeProcess, startNodeProcess } from './node-process.ts';
import { createRestartPauses, isEndedByPeople, type RestartPauses } from './restarts.ts';

const READY_TIMEOUT_MS = 120_000;
const POLL_MS = 150;
const PICTURE_EVERY_MS = 1_000;
const STATUS_TIMEOUT_MS = 2_000;
const JSON_STATUS_EVERY_MS = 5_000;

type Running = { readonly node: DevNode; process: NodeProcess | null; readonly pauses: RestartPauses };

export async function runDev(options: DevCommandOptions): Promise<void> {
  const network = await requireDevNetwork({
    dir: options.dir,
    ...(options.nodes !== undefined && { nodes: options.nodes }),
    ...(options.port !== undefined && { port: options.port }),
  });
  const session = new DevSession(network, options);
  try {
    await session.run();
  } finally {
    await session.end();
  }
  process.exit(exitCodes.done);
}

class DevSession {
  readonly #network: DevNetwork;
  readonly #options: DevCommandOptions;
  readonly #view: LiveView;
  readonly #stopping = new AbortController();
  readonly #running: Running[];
  readonly #clients: ReadonlyMap<string, ReturnType<typeof createClient>>;
  #broker: EmbeddedBroker | null = null;
  #fleet: Fleet | null = null;
  /** All nodes have been in sync once. */
  #isReady = false;

  constructor(network: DevNetwork, options: DevCommandOptions) {
    this.#network = network;
    this.#options = options;
    this.#view = createLiveView();
    this.#running = network.nodes.map((node) => ({
      node,
      process: null,
      pauses: createRestartPauses(),
    }));
    this.#clients = new Map(
      network.nodes.map((node) => [node.id, createClient({ nodes: [node.http], timeoutMs: STATUS_TIMEOUT_MS })]),
    );
    process.on('SIGINT', this.#onSignal);
    process.on('SIGTERM', this.#onSignal);
    process.on('SIGHUP', this.#onSignal);
    // Whatever ends this process: no node may outlive it.
    process.on('exit', () => {
      this.#killAll();
      network.release();
    });
  }

  async run(): Promise<void> {
    const { nodes, dir, isNew, mqttPort } = this.#network;
    this.#say(`${isNew ? 'founding' : 'going on with'} a network of ${nodes.length} nodes in ${shortPath(dir)}`);
    this.#broker = await startEmbeddedBroker({ host: '127.0.0.1', port: mqttPort });
    for (const running of this.#running) this.#start(running);
    if (!(await this.#waitUntilReady())) return;
    this.#tellReady();
    if (this.#options.fleet) this.#fleet = startFleet(this.#network, this.#broker.url);
    await this.#showFirstReceipt();
    await this.#watch();
  }

  /** Takes everything down, in the order in which it depends on each other. */
  async end(): Promise<void> {
    this.#stopping.abort();
    this.#view.close();
    await this.#fleet?.stop();
    await Promise.all(this.#running.map((running) => running.process?.stop()));
    await this.#broker?.close();
    this.#network.release();
    if (!this.#isReady) return;
    if (this.#options.json === true) sayJson({ event: 'stopped' });
    else this.#view.say('stopped; the next start goes on from here');
  }

  readonly #onSignal = (): void => {
    if (!this.#stopping.signal.aborted) {
      this.#say('stopping...');
      this.#stopping.abort();
      return;
    }
    process.exit(exitCodes.failed);
  };

  #start(running: Running): void {
    const startedMs = performance.now();
    const started = startNodeProcess(running.node.dir);
    running.process = started;
    void started.exited.then((exit) => this.#nodeExited(running, started, exit, performance.now() - startedMs));
  }

  async #nodeExited(running: Running, ended: NodeProcess, exit: NodeExit, ranMs: number): Promise<void> {
    running.process = null;
    // Before all were ready once, a node that ends is told with its reason by who waits for it.
    if (this.#stopping.signal.aborted || !this.#isReady) return;
    const { id, dir } = running.node;
    const pauseMs = this.#options.restart !== true && isEndedByPeople(exit) ? null : running.pauses.next(ranMs);
    if (this.#options.json === true) {
      sayJson({ event: 'node-exited', id, pid: ended.pid, ...exit, restartsInMs: pauseMs });
    } else {
      const how = exit.signal === null ? `ended with code ${exit.code}` : `was ended by ${exit.signal}`;
      this.#view.say(style('yellow', `${id} (process ${ended.pid}) ${how}; the others go on.`));
      const back = `bring it back: npx cairn node ${shortPath(dir)}`;
      const next = pauseMs === null ? back : `it is started again in ${pauseMs / 1_000} s`;
      this.#view.say(`  ${next}      its log: ${ended.logPath}`);
    }
    if (pauseMs === null) return;
    await sleep(pauseMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
    if (!this.#stopping.signal.aborted) this.#restart(running);
  }

  #restart(running: Running): void {
    this.#start(running);
    const pid = running.process?.pid;
    if (this.#options.json === true) sayJson({ event: 'node-restarted', id: running.node.id, pid });
    else this.#view.say(`${running.node.id} is started again (process ${pid})`);
  }

  /** False when stopped before that. Throws when a node ends, or it takes too long. */
  async #waitUntilReady(): Promise<boolean> {
    const deadline = performance.now() + READY_TIMEOUT_MS;
    const processes = this.#running.map((running) => ({ node: running.node, process: running.process! }));
    for (;;) {
      if (this.#stopping.signal.aborted) return false;
      for (const { node, process: child } of processes) {
        const ended = await Promise.race([child.exited, sleep(0, null)]);
        if (ended !== null) throw new CommandFailed(startFailure(node, child, ended));
      }
      const statuses = await this.#statuses();
      if (statuses.every((status) => status?.inSync === true && status.mode === 'active')) {
        this.#isReady = true;
        return true;
      }
      if (performance.now() > deadline) {
        const late = this.#running.filter((_, index) => statuses[index]?.inSync !== true).map(({ node }) => node.id);
        throw new CommandFailed({
          code: 'dev.not-ready',
          message: `${late.join(', ')} did not get in sync in ${READY_TIMEOUT_MS / 1000} s. Their logs: ${this.#network.dir}/nodes/*/node.log`,
        });
      }
      await sleep(POLL_MS);
    }
  }

  #tellReady(): void {
    const nodes = this.#running.map(({ node, process: child }) => ({
      id: node.id,
      http: node.http,
      pid: child?.pid ?? null,
      dir: node.dir,
    }));
    if (this.#options.json === true) {
      sayJson({
        event: 'ready',
        nodes,
        mqtt: this.#broker!.url,
        network: this.#network.networkPath,
        genesis: `${this.#network.dir}/genesis.cbor`,
      });
      return;
    }
    this.#view.say(style('green', `${nodes.length} nodes are in sync`));
    for (const { node, process: child } of this.#running)
      this.#view.say(`  ${node.id}  ${node.http}  ${node.member}  process ${child?.pid ?? '-'}`);
    this.#view.say(`  MQTT    ${this.#broker!.url}`);
  }

  async #showFirstReceipt(): Promise<void> {
    const receipt = await obtainFirstReceipt(this.#network, this.#stopping.signal);
    if (this.#stopping.signal.aborted) return;
    if (!receipt.ok) {
      if (this.#options.json === true) sayJson({ event: 'receipt-failed', error: receipt.error });
      else this.#view.say(style('red', `no first receipt: ${receipt.error.message} [${receipt.error.code}]`));
      return;
    }
    if (this.#options.json === true) sayJson({ event: 'receipt', ...receipt.value });
    else this.#printReceipt(receipt.value);
  }

  #printReceipt(receipt: FirstReceipt): void {
    this.#view.say('');
    this.#view.say(style('green', `first receipt, verified: ${receipt.id}`));
    this.#view.say(
      `  leaf ${receipt.leafIndex}, certified at height ${receipt.height}, signed by ${receipt.signers.join(', ')}; ${Math.round(receipt.tookMs)} ms after handing in`,
    );
    this.#view.say('');
    for (const line of nextStepLines(this.#network, receipt)) this.#view.say(line);
  }

  /** Shows the network until it is stopped. */
  async #watch(): Promise<void> {
    let toldMs = performance.now();
    while (!this.#stopping.signal.aborted) {
      const statuses = await this.#statuses();
      if (this.#stopping.signal.aborted) return;
      const picture: Picture = {
        nodes: this.#running.map(({ node, process: child }, index) => ({
          node,
          pid: child?.pid ?? null,
          status: statuses[index] ?? null,
        })),
        fleet: this.#fleet?.status() ?? null,
      };
      if (this.#options.json !== true) this.#view.show(picture);
      else if (performance.now() - toldMs >= JSON_STATUS_EVERY_MS) {
        toldMs = performance.now();
        tellStatus(picture);
      }
      await sleep(PICTURE_EVERY_MS, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
    }
  }

  async #statuses(): Promise<(StatusAnswer | null)[]> {
    return Promise.all(
      this.#network.nodes.map(async (node) => {
        // One request, no retries: what is down now shall be seen to be down.
        const status = await this.#clients.get(node.id)!.status();
        return status.ok ? status.value : null;
      }),
    );
  }

  #say(line: string): void {
    if (this.#options.json !== true) this.#view.say(line);
  }

  #killAll(): void {
    for (const running of this.#running) running.process?.kill();
  }
}

function tellStatus(picture: Picture): void {
  const nodes = picture.nodes.map(({ node, pid, status }) => ({
    id: node.id,
    pid,
    mode: status?.mode ?? 'down',
    inSync: status?.inSync ?? false,
    height: status?.executedHeight ?? null,
    certifiedHeight: status?.certifiedHeight ?? null,
    transactions: status?.transactions ?? null,
    readings: status?.readings ?? null,
  }));
  sayJson({ event: 'status', nodes, fleet: picture.fleet });
}

function startFailure(node: DevNode, child: NodeProcess, exit: NodeExit): { code: string; message: string } {
  const how = exit.signal === null ? `code ${exit.code}` : exit.signal;
  return {
    code: 'dev.node-failed',
    message: `${node.id} did not start (${how}). The end of ${child.logPath}:\n${logTail(child.logPath)}`,
  };
}
