/**
 * The only way between one node and the others: a relay on loopback for each direction, which can be cut like a cable. While it is
 * cut nothing passes, and neither side is told: connections stay open and silent, new ones are accepted and lead nowhere.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

const host = '127.0.0.1';

export type LinkProxy = {
  /** A port that leads to `port`. */
  leadTo(port: number): Promise<number>;
  cut(): void;
  mend(): void;
  close(): Promise<void>;
};

export function createLinkProxy(): LinkProxy {
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  let isCut = false;

  function relay(near: Socket, port: number): void {
    // What began while nothing passed never comes through.
    if (isCut) return keep(near);
    const far = connect(port, host);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      keep(from);
      from.setNoDelay(true);
      from.on('data', (chunk) => {
        if (!to.write(chunk)) from.pause();
      });
      to.on('drain', () => {
        if (!isCut) from.resume();
      });
      from.on('end', () => to.end());
      from.on('close', () => to.destroy());
    }
  }

  function keep(socket: Socket): void {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  }

  return {
    async leadTo(port) {
      const server = createServer((near) => relay(near, port));
      servers.push(server);
      server.listen(0, host);
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    },
    cut() {
      isCut = true;
      for (const socket of sockets) socket.pause();
    },
    mend() {
      isCut = false;
      for (const socket of sockets) socket.resume();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}
