/**
 * Accepts connections and lets in only those that prove a pinned key: TLS 1.3, client certificate with an Ed25519 key
 * that the ledger knows. Nobody else gets to send a single frame.
 *
 * Bounded against strangers: how fast they knock (`admission.ts`), how many handshakes are under way, how long one may
 * take. When too many are under way, the oldest of the address that has most of them makes room, so that an attacker
 * pushes out itself first.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import type { LinkIdentity } from '../crypto/certificate.ts';
import { Admission, type AdmissionLimits, networkOf } from './admission.ts';
import { endOfSocketError, type LinkEnd } from './link-reason.ts';
import { authenticatedKeyOf, tlsOptionsOf } from './tls-settings.ts';

export type ListenerLimits = {
  /** Connections that have not yet proved who they are. */
  readonly pendingMax: number;
  readonly handshakeMs: number;
  readonly admission: AdmissionLimits;
};

export type ListenerEvents = {
  /** @returns null to let in the holder of this key; else why not */
  readonly onAuthenticated: (socket: TLSSocket, key: Uint8Array) => LinkEnd | null;
  /** A connection that never became a link ended. */
  readonly onRefused: (end: LinkEnd) => void;
};

/** A connection in its handshake. */
type Pending = {
  readonly socket: Socket;
  readonly key: string;
  readonly network: string;
  ageMs: number;
  /** What TLS said, before the connection is closed. */
  end: LinkEnd | null;
};

export class TlsListener {
  readonly #limits: ListenerLimits;
  readonly #events: ListenerEvents;
  readonly #server: Server;
  readonly #tls: TlsServer;
  readonly #admission: Admission;
  /** By remote address and port; in the order they came. */
  readonly #pending = new Map<string, Pending>();
  readonly #sockets = new Set<Socket>();
  #accepted = 0;

  constructor(identity: LinkIdentity, limits: ListenerLimits, events: ListenerEvents) {
    this.#limits = limits;
    this.#events = events;
    this.#admission = new Admission(limits.admission, performance.now());
    this.#server = createServer({ noDelay: true }, (socket) => this.#onConnection(socket));
    // This server never listens itself: it is given the connections that were admitted.
    this.#tls = createTlsServer({ ...tlsOptionsOf(identity), requestCert: true });
    this.#tls.on('secureConnection', (socket) => this.#onSecure(socket));
    this.#tls.on('tlsClientError', (error, socket) => this.#onHandshakeError(error, socket));
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  get acceptedCount(): number {
    return this.#accepted;
  }

  listen(host: string, port: number): Promise<AddressInfo> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', reject);
        // From now on an error is one failed accept (no file descriptors left, say): the connection is lost, we go on.
        this.#server.on('error', (error) => this.#events.onRefused(endOfSocketError(error, false)));
        resolve(this.#server.address() as AddressInfo);
      });
    });
  }

  /** Resolves when every connection is closed; those that linger are cut. */
  close(lingerMs: number): Promise<void> {
    for (const pending of this.#pending.values()) this.#drop(pending, { reason: 'link.stopped', detail: '' });
    const cut = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, lingerMs);
    return new Promise((resolve) => {
      this.#server.close(() => {
        clearTimeout(cut);
        resolve();
      });
    });
  }

  /** Ends handshakes that take too long. */
  tick(elapsedMs: number): void {
    for (const pending of this.#pending.values()) {
      pending.ageMs += elapsedMs;
      if (pending.ageMs > this.#limits.handshakeMs)
        this.#drop(pending, { reason: 'link.handshake-timeout', detail: '' });
    }
  }

  #onConnection(socket: Socket): void {
    socket.on('error', ignore);
    const address = socket.remoteAddress;
    if (address === undefined) {
      this.#events.onRefused({ reason: 'link.handshake-ended', detail: '' });
      socket.destroy();
      return;
    }
    if (!this.#admission.admit(address, performance.now())) {
      this.#events.onRefused({ reason: 'link.rate-limited', detail: address });
      socket.resetAndDestroy();
      return;
    }
    if (this.#pending.size >= this.#limits.pendingMax) this.#makeRoom();
    this.#accepted += 1;
    const key = keyOf(socket);
    const pending: Pending = { socket, key, network: networkOf(address), ageMs: 0, end: null };
    this.#pending.set(key, pending);
    this.#sockets.add(socket);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      if (!this.#pending.delete(key)) return;
      this.#events.onRefused(pending.end ?? { reason: 'link.handshake-ended', detail: address });
    });
    this.#tls.emit('connection', socket);
  }

  #onHandshakeError(error: Error, socket: TLSSocket): void {
    // When the connection is gone already, so is its port, and the end of the socket tells all there is to tell.
    const pending = this.#pending.get(keyOf(socket));
    if (pending !== undefined) pending.end ??= endOfSocketError(error, false);
  }

  #onSecure(socket: TLSSocket): void {
    socket.on('error', ignore);
    const key = keyOf(socket);
    const pending = this.#pending.get(key);
    if (pending === undefined || pending.end !== null) {
      socket.destroy();
      return;
    }
    const authenticated = authenticatedKeyOf(socket);
    if (!authenticated.ok) {
      this.#drop(pending, authenticated.error);
      return;
    }
    const refusal = this.#events.onAuthenticated(socket, authenticated.value);
    if (refusal !== null) {
      this.#drop(pending, refusal);
      return;
    }
    this.#pending.delete(key);
    this.#admission.refund(pending.network);
  }

  #makeRoom(): void {
    const counts = new Map<string, number>();
    let busiest = '';
    for (const { network } of this.#pending.values()) {
      const count = (counts.get(network) ?? 0) + 1;
      counts.set(network, count);
      if (count > (counts.get(busiest) ?? 0)) busiest = network;
    }
    for (const pending of this.#pending.values()) {
      if (pending.network !== busiest) continue;
      this.#drop(pending, { reason: 'link.too-many-pending', detail: busiest });
      return;
    }
  }

  #drop(pending: Pending, end: LinkEnd): void {
    if (!this.#pending.delete(pending.key)) return;
    this.#events.onRefused(pending.end ?? end);
    pending.socket.destroy();
  }
}

/** Tells apart the live connections of one listening port. */
function keyOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}

/** Sockets report errors as events; what they mean is told by the end of the connection, which always follows. */
function ignore(): void {}
