/**
 * An MQTT broker inside the process, for development only: no users, no access rules, nothing kept on disk, MQTT 3.1
 * and 3.1.1. A site in production brings Mosquitto, EMQX or another broker of its own.
 */

import { createServer, type Socket } from 'node:net';
import { Aedes } from 'aedes';

/** Connections at the same time; further ones are closed at once. */
const CONNECTIONS_MAX = 1000;
/** A connection from which nothing has come for this long, before it said who it is, is closed. */
const CONNECT_TIMEOUT_MS = 10_000;

export type EmbeddedBroker = {
  /** `mqtt://host:port` */
  readonly url: string;
  close(): Promise<void>;
};

/** @param address port 0 takes any free one; rejects when the address cannot be listened on */
export async function startEmbeddedBroker(address: { host: string; port: number }): Promise<EmbeddedBroker> {
  const aedes = await Aedes.createBroker({ connectTimeout: CONNECT_TIMEOUT_MS });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    aedes.handle(socket);
  });
  server.maxConnections = CONNECTIONS_MAX;
  // A client that breaks the protocol loses its connection; that is all.
  aedes.on('clientError', (client) => client.close());
  aedes.on('connectionError', (client) => client.close());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => aedes.close(() => reject(error)));
    server.listen(address.port, address.host, resolve);
  });
  const listening = server.address();
  const port = typeof listening === 'object' && listening !== null ? listening.port : address.port;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return {
    url: `mqtt://${host}:${port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      await new Promise<void>((resolve) => aedes.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
