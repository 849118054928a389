/** Brokers for tests: a Mosquitto process of its own on a free loopback port, stopped by its pid. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MOSQUITTO = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto', '/opt/homebrew/sbin/mosquitto'].find(existsSync);

/** For `test(..., { skip: mosquittoMissing })`. */
export const mosquittoMissing = MOSQUITTO === undefined ? 'mosquitto is not installed' : false;

export type TestBroker = {
  readonly url: string;
  readonly port: number;
  /** Stops it; its sessions survive. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Stops it for good. */
  close(): Promise<void>;
};

/** @param lines further lines of mosquitto.conf */
export async function startMosquitto(lines: readonly string[] = []): Promise<TestBroker> {
  const directory = mkdtempSync(join(tmpdir(), 'cairn-mosquitto-'));
  const port = await freePort();
  const config = join(directory, 'mosquitto.conf');
  writeFileSync(
    config,
    [
      `listener ${port} 127.0.0.1`,
      'allow_anonymous true',
      'persistence true',
      `persistence_location ${directory}/`,
      ...(process.getuid?.() === 0 ? ['user root'] : []),
      'log_dest none',
      ...lines,
      '',
    ].join('\n'),
  );
  let child: ChildProcess | null = null;
  const broker: TestBroker = {
    url: `mqtt://127.0.0.1:${port}`,
    port,
    async start() {
      child = spawn(MOSQUITTO as string, ['-c', config], { stdio: 'ignore' });
      await untilListening(port);
    },
    async stop() {
      if (child === null) return;
      const ended = new Promise((resolve) => child?.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
      child = null;
    },
    async close() {
      await broker.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  await broker.start();
  return broker;
}

/** Publishes with mosquitto_pub; `input` goes to its standard input. Resolves when the broker has taken it. */
export function mosquittoPublish(port: number, args: readonly string[], input?: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = execFile('mosquitto_pub', ['-h', '127.0.0.1', '-p', String(port), ...args], (error) =>
      error ? reject(error) : resolve(),
    );
    child.stdin?.end(input);
  });
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

async function untilListening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const isListening = await new Promise<boolean>((resolve) => {
      const socket = connect({ port, host: '127.0.0.1' }, () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
    if (isListening) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`mosquitto does not listen on port ${port}`);
}
