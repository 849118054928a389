/**
 * The transport over TCP: mutual TLS 1.3 with keys pinned on the ledger, two connections per pair of nodes.
 *
 * Who does what: `tls-listener.ts` and `tls-dialer.ts` make connections and prove keys; `link.ts` is one connection;
 * `peer-links.ts` keeps one link per channel with one peer. This file holds them together, and owns what they share: the
 * tick, and the flush at the end of each turn of the event loop, which sends control before bulk.
 */
import { randomBytes } from 'node:crypto';
import { assert } from '@cairn-ledger/core';
import { createLinkIdentity } from '../crypto/certificate.ts';
import { ADMISSION_LIMITS } from './admission.ts';
import { LINK_LIMITS, Link, type LinkLimits } from './link.ts';
import { type Hello, LINK_VERSION } from './link-message.ts';
import { type LinkEnd, LinkEndCounts } from './link-reason.ts';
import { DIAL_LIMITS, type DialLimits, type PeerHost, PeerLinks } from './peer-links.ts';
import { dialTls } from './tls-dialer.ts';
import { type ListenerLimits, TlsListener } from './tls-listener.ts';
import { secureContextOf } from './tls-settings.ts';
import type {
  Channel,
  PeerAddress,
  PeerId,
  PeerStatus,
  Transport,
  TransportCounters,
  TransportEvents,
} from './transport.ts';

export type TlsTransportOptions = {
  readonly id: PeerId;
  /** 32-byte Ed25519 seed of the link key that the ledger has for this validator. */
  readonly linkSecretKey: Uint8Array;
  /** 32 bytes: nodes of another ledger are refused. */
  readonly ledgerHash: Uint8Array;
  /** `port` 0: any free one, see `address`. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly peers: readonly PeerAddress[];
  readonly events: TransportEvents;
  readonly limits?: Partial<TlsTransportLimits>;
};

export type TlsTransportLimits = {
  readonly link: LinkLimits;
  readonly dial: DialLimits;
  readonly listener: ListenerLimits;
};

export const TLS_TRANSPORT_LIMITS: TlsTransportLimits = {
  link: LINK_LIMITS,
  dial: DIAL_LIMITS,
  listener: { pendingMax: 256, handshakeMs: 5_000, admission: ADMISSION_LIMITS },
};

export interface TlsTransport extends Transport {
  /** Where it listens; null before `start`. */
  address(): { readonly host: string; readonly port: number } | null;
}

const TICK_MS = 25;
/** What one link may write at once, and all bulk links together in one turn: a turn takes a few milliseconds at most. */
const WRITE_BYTES_MAX = 256 << 10;
const BULK_BYTES_PER_TURN = 2 << 20;

export function createTlsTransport(options: TlsTransportOptions): TlsTransport {
  return new TcpTransport(options);
}

class TcpTransport implements TlsTransport {
  readonly #options: TlsTransportOptions;
  readonly #limits: TlsTransportLimits;
  readonly #listener: TlsListener;
  readonly #host: PeerHost;
  readonly #peers = new Map<PeerId, PeerLinks>();
  /** By link key in hex. */
  readonly #peersByKey = new Map<string, PeerLinks>();
  readonly #counts = new LinkEndCounts();
  readonly #waiting: Readonly<Record<Channel, Set<Link>>> = { control: new Set(), bulk: new Set() };
  readonly #links = new Set<Link>();
  readonly #instance = randomBytes(8);
  #helloSequence = 0;
  /** What has yet to be told to the owner. */
  #news: (() => void)[] = [];
  #isFlushPlanned = false;
  #ticker: NodeJS.Timeout | null = null;
  #tickedAt = 0;
  #state: 'new' | 'running' | 'stopped' = 'new';
  #address: { readonly host: string; readonly port: number } | null = null;

  constructor(options: TlsTransportOptions) {
    assert(options.ledgerHash.length === 32, 'a ledger hash has 32 bytes');
    this.#options = options;
    this.#limits = { ...TLS_TRANSPORT_LIMITS, ...options.limits };
    const identity = createLinkIdentity(options.linkSecretKey);
    const context = secureContextOf(identity);
    this.#listener = new TlsListener(identity, this.#limits.listener, {
      onAuthenticated: (socket, key) => {
        const peer = this.#peersByKey.get(hexOf(key));
        return peer === undefined ? { reason: 'link.unknown-key', detail: hexOf(key) } : peer.accept(socket);
      },
      onRefused: (end) => this.#counts.add(end.reason),
    });
    this.#host = {
      ownId: options.id,
      limits: this.#limits.dial,
      nextHello: (channel) => this.#nextHello(channel),
      dial: (endpoint, key, events) => dialTls(endpoint, key, context, this.#limits.listener.handshakeMs, events),
      createLink: (socket, peer, dialedFor, events) => {
        const link = new Link(socket, peer, dialedFor, this.#limits.link, events);
        this.#links.add(link);
        return link;
      },
      checkHello: (hello, peer) => this.#checkHello(hello, peer),
      onFrame: (link, frame) => {
        this.#tellNews();
        options.events.onFrame(link.peer, link.channel, frame);
      },
      onWaiting: (link) => this.#planFlush(link),
      onConnected: (peer) => this.#tell(() => options.events.onConnected(peer)),
      onDisconnected: (peer, reason) => this.#tell(() => options.events.onDisconnected(peer, reason)),
      onSecondInstance: (peer) => this.#tell(() => options.events.onSecondInstance?.(peer)),
      onEnd: (end) => this.#counts.add(end.reason),
    };
    this.updatePeers(options.peers);
  }

  async start(): Promise<void> {
    assert(this.#state === 'new', 'a transport is started once');
    this.#state = 'running';
    const { address, port } = await this.#listener.listen(this.#options.listen.host, this.#options.listen.port);
    this.#address = { host: address, port };
    if (this.#state !== 'running') return;
    this.#tickedAt = performance.now();
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  async stop(): Promise<void> {
    if (this.#state === 'stopped') return;
    this.#state = 'stopped';
    if (this.#ticker !== null) clearInterval(this.#ticker);
    const links = [...this.#links];
    for (const peer of this.#peers.values())
      peer.endAll({ reason: 'link.stopped', detail: '' }, Number.MAX_SAFE_INTEGER);
    const lingerMs = this.#limits.link.lingerMs;
    await Promise.all([this.#listener.close(lingerMs), ...links.map((link) => link.whenClosed())]);
  }

  address(): { readonly host: string; readonly port: number } | null {
    return this.#address;
  }

  send(peer: PeerId, channel: Channel, frame: Uint8Array): boolean {
    return this.#peers.get(peer)?.send(channel, frame) ?? false;
  }

  peers(): PeerStatus[] {
    return [...this.#peers.values()].map((peer) => peer.status());
  }

  counters(): TransportCounters {
    const { acceptedCount, pendingCount } = this.#listener;
    return { closes: this.#counts.snapshot(), accepted: acceptedCount, pending: pendingCount };
  }

  updatePeers(list: readonly PeerAddress[]): void {
    const wanted = new Map(list.filter(({ id }) => id !== this.#options.id).map((peer) => [peer.id, peer]));
    for (const peer of this.#peers.values()) {
      const next = wanted.get(peer.id);
      if (next !== undefined && hexOf(next.linkKey) === hexOf(peer.key)) continue;
      this.#peers.delete(peer.id);
      this.#peersByKey.delete(hexOf(peer.key));
      peer.endAll({ reason: 'link.removed', detail: '' }, 0);
    }
    for (const next of wanted.values()) {
      const present = this.#peers.get(next.id);
      if (present !== undefined) {
        present.updateAddresses(next.addresses);
        continue;
      }
      const peer = new PeerLinks(next, this.#host);
      this.#peers.set(peer.id, peer);
      this.#peersByKey.set(hexOf(peer.key), peer);
    }
  }

  disconnect(peer: PeerId, reason: string, backoffMs: number): void {
    this.#peers.get(peer)?.endAll({ reason: 'link.disconnected', detail: reason }, backoffMs);
  }

  holdReading(peer: PeerId, channel: Channel, isHeld: boolean): void {
    this.#peers.get(peer)?.hold(channel, isHeld);
  }

  #nextHello(channel: Channel): Hello {
    const { id, ledgerHash } = this.#options;
    this.#helloSequence += 1;
    const [instance, sequence] = [this.#instance, this.#helloSequence];
    return { type: 'hello', version: LINK_VERSION, ledgerHash, id, channel, instance, sequence };
  }

  #checkHello(hello: Hello, peer: PeerId): LinkEnd | null {
    if (hello.version !== LINK_VERSION) return { reason: 'link.wrong-version', detail: String(hello.version) };
    if (Buffer.compare(hello.ledgerHash, this.#options.ledgerHash) !== 0) {
      return { reason: 'link.wrong-ledger', detail: hexOf(hello.ledgerHash) };
    }
    // A peer that is known by its key alone has proved that key, and may call itself what it likes: it is not told apart by it.
    return hello.id === peer || peer.startsWith('key:') ? null : { reason: 'link.wrong-id', detail: hello.id };
  }

  #tick(): void {
    const now = performance.now();
    const elapsedMs = Math.min(now - this.#tickedAt, 4 * TICK_MS);
    this.#tickedAt = now;
    this.#listener.tick(elapsedMs);
    for (const peer of this.#peers.values()) peer.tick(elapsedMs);
    for (const link of this.#links) if (link.isEnded) this.#links.delete(link);
  }

  /** All that is sent in one turn of the event loop leaves together, at the end of it. */
  #planFlush(link: Link): void {
    this.#waiting[link.channel].add(link);
    if (this.#isFlushPlanned) return;
    this.#isFlushPlanned = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushPlanned = false;
    for (const link of take(this.#waiting.control)) link.flush(WRITE_BYTES_MAX);
    let bytes = 0;
    for (const link of take(this.#waiting.bulk)) {
      // Those that have to wait for the next turn come first in it.
      if (bytes >= BULK_BYTES_PER_TURN) this.#planFlush(link);
      else bytes += link.flush(WRITE_BYTES_MAX);
    }
  }

  /** The owner is told later, so that nothing reaches it from within a call of its own. */
  #tell(news: () => void): void {
    this.#news.push(news);
    if (this.#news.length === 1) queueMicrotask(() => this.#tellNews());
  }

  #tellNews(): void {
    if (this.#news.length === 0) return;
    for (const news of this.#news.splice(0)) news();
  }
}

function take<T>(set: Set<T>): T[] {
  const items = [...set];
  set.clear();
  return items;
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
