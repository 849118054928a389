/**
 * Nodes in network namespaces of their own, joined by a switch: Linux then loses their packets as a broken network does,
 * without a word to either side.
 *
 * The switch is a namespace too, with two bridges; a partition moves some of the cables to the second one. One direction
 * alone is lost by telling the sender a hardware address that nobody has. The machine's own network is left as it is.
 *
 * HTTP of a node stays on its own loopback. The test reaches it through a door: a process in the namespace that listens on a
 * socket file, and a port of the test's own loopback that leads there.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { type E2eNetwork, until } from './network.ts';

const doorProgram = fileURLToPath(new URL('namespace-door.ts', import.meta.url));
const prefix = `cairn-${process.pid}`;
const switchName = `${prefix}-switch`;
const nobody = '02:00:00:00:00:fe';

export type Namespaces = {
  hostOf(i: number): string;
  /** What stands before the command of a node. */
  commandOf(i: number): readonly string[];
  /** Lets the test reach the HTTP of the nodes. */
  openDoors(network: E2eNetwork): Promise<void>;
  /** These nodes see each other, the rest see each other, and nothing passes between. */
  divide(some: readonly number[]): void;
  /** Nothing that one sends reaches the other; the way back works. */
  lose(from: number, to: number): void;
  /** All see each other. */
  heal(): void;
  remove(): Promise<void>;
};

/** Null where the machine does not let us, with the reason. */
export function makeNamespaces(count: number): Namespaces | { readonly reason: string } {
  const nameOf = (i: number): string => `${prefix}-${i + 1}`;
  const hostOf = (i: number): string => `10.77.0.${i + 1}`;
  const names = [switchName, ...Array.from({ length: count }, (_, i) => nameOf(i))];
  const doors: ChildProcess[] = [];
  const servers: Server[] = [];
  const lost: (readonly [from: number, to: number])[] = [];

  const deleteAll = (): void => {
    for (const name of names) tryIp('netns', 'del', name);
  };
  try {
    for (const name of names) ip('netns', 'add', name);
    for (const bridge of ['one', 'two']) {
      ip('-n', switchName, 'link', 'add', bridge, 'type', 'bridge');
      ip('-n', switchName, 'link', 'set', bridge, 'up');
    }
    for (let i = 0; i < count; i++) {
      const cable = `node${i + 1}`;
      ip('link', 'add', cable, 'netns', switchName, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', nameOf(i));
      ip('-n', nameOf(i), 'addr', 'add', `${hostOf(i)}/24`, 'dev', 'eth0');
      ip('-n', nameOf(i), 'link', 'set', 'lo', 'up');
      ip('-n', nameOf(i), 'link', 'set', 'eth0', 'up');
      ip('-n', switchName, 'link', 'set', cable, 'master', 'one', 'up');
    }
  } catch (cause) {
    deleteAll();
    return { reason: `no network namespaces: ${cause instanceof Error ? cause.message : String(cause)}` };
  }

  function divide(some: readonly number[]): void {
    for (let i = 0; i < count; i++)
      ip('-n', switchName, 'link', 'set', `node${i + 1}`, 'master', some.includes(i) ? 'two' : 'one');
  }

  return {
    hostOf,
    commandOf: (i) => ['ip', 'netns', 'exec', nameOf(i)],
    async openDoors({ nodes }) {
      for (const [i, node] of nodes.entries()) {
        const port = Number(new URL(node.http).port);
        const socketPath = join(node.dir, 'door.sock');
        const args = ['netns', 'exec', nameOf(i), process.execPath, doorProgram, socketPath, String(port)];
        doors.push(spawn('ip', args, { stdio: ['pipe', 'ignore', 'inherit'] }));
        servers.push(await openDoor(port, socketPath));
      }
      await until('the doors are open', 20_000, async () => {
        for (const node of nodes) await once(connect(join(node.dir, 'door.sock')), 'connect');
        return true;
      });
    },
    divide,
    lose(from, to) {
      lost.push([from, to]);
      ip('-n', nameOf(from), 'neigh', 'replace', hostOf(to), 'lladdr', nobody, 'dev', 'eth0', 'nud', 'permanent');
    },
    heal() {
      divide([]);
      for (const [from, to] of lost.splice(0)) ip('-n', nameOf(from), 'neigh', 'del', hostOf(to), 'dev', 'eth0');
    },
    async remove() {
      for (const door of doors) door.kill('SIGKILL');
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
      deleteAll();
    },
  };
}

async function openDoor(port: number, socketPath: string): Promise<Server> {
  const server = createServer((outside) => {
    const inside = connect(socketPath);
    outside.pipe(inside).pipe(outside);
    outside.on('error', () => inside.destroy());
    inside.on('error', () => outside.destroy());
    outside.on('close', () => inside.destroy());
    inside.on('close', () => outside.destroy());
  });
  // What is still open when the test is over must not keep it from ending.
  server.unref();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function ip(...args: string[]): void {
  const done = spawnSync('ip', args, { encoding: 'utf8' });
  if (done.error !== undefined) throw new Error('the command ip (iproute2) is not there');
  if (done.status !== 0) throw new Error(`ip ${args.join(' ')}: ${done.stderr.trim()}`);
}

function tryIp(...args: string[]): void {
  spawnSync('ip', args);
}
