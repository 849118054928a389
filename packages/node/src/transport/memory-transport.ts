/**
 * The transport between nodes of one process: same port, same limits, no sockets. Frames are copied on the way and
 * arrive in a later turn of the event loop. Links can be cut and healed, for tests.
 */
import { assert } from '@cairn-ledger/core';
import { type LinkEnd, LinkEndCounts } from './link-reason.ts';
import {
  CHANNELS,
  type Channel,
  type ChannelCounters,
  FRAME_BYTES_MAX,
  type PeerAddress,
  type PeerId,
  type PeerStatus,
  QUEUE_BYTES_MAX,
  type Transport,
  type TransportCounters,
  type TransportEvents,
} from './transport.ts';

export type MemoryNetwork = {
  readonly createTransport: (options: MemoryTransportOptions) => Transport;
  /** Breaks, or allows again, the links between two nodes, whether or not they exist. */
  readonly setCut: (a: PeerId, b: PeerId, isCut: boolean) => void;
};

export type MemoryTransportOptions = {
  readonly id: PeerId;
  readonly peers: readonly PeerAddress[];
  readonly events: TransportEvents;
};

export function createMemoryNetwork(): MemoryNetwork {
  const nodes = new Map<PeerId, MemoryTransport>();
  const cuts = new Set<string>();
  const canReach = (a: PeerId, b: PeerId): boolean => !cuts.has(pairOf(a, b));
  const reconcile = (): void => {
    for (const node of nodes.values()) node.reconcile();
  };
  const network: Network = { nodes, canReach, reconcile };
  return {
    createTransport: (options) => new MemoryTransport(options, network),
    setCut: (a, b, isCut) => {
      if (isCut) cuts.add(pairOf(a, b));
      else cuts.delete(pairOf(a, b));
      reconcile();
    },
  };
}

/** What the transports of one network share; `nodes` holds those that run. */
type Network = {
  readonly nodes: Map<PeerId, MemoryTransport>;
  readonly canReach: (a: PeerId, b: PeerId) => boolean;
  readonly reconcile: () => void;
};

type Mutable<T> = { -readonly [key in keyof T]: T[key] };

type Remote = {
  readonly counters: Record<Channel, Mutable<ChannelCounters>>;
  /** The transport at the other end, of which a restart makes another; null while down. */
  link: MemoryTransport | null;
  /** Frames under way to the peer. */
  readonly outbox: { readonly channel: Channel; readonly frame: Uint8Array }[];
  isDeliveryPlanned: boolean;
  readonly held: Set<Channel>;
  keptOut: NodeJS.Timeout | null;
  lastClose: LinkEnd | null;
};

class MemoryTransport implements Transport {
  readonly id: PeerId;
  readonly #events: TransportEvents;
  readonly #network: Network;
  readonly #remotes = new Map<PeerId, Remote>();
  readonly #counts = new LinkEndCounts();

  constructor(options: MemoryTransportOptions, network: Network) {
    this.id = options.id;
    this.#events = options.events;
    this.#network = network;
    this.updatePeers(options.peers);
  }

  get #isRunning(): boolean {
    return this.#network.nodes.get(this.id) === this;
  }

  async start(): Promise<void> {
    assert(!this.#network.nodes.has(this.id), 'one transport of an id runs at a time');
    this.#network.nodes.set(this.id, this);
    this.#network.reconcile();
  }

  async stop(): Promise<void> {
    if (!this.#isRunning) return;
    for (const [id, remote] of this.#remotes) this.#end(id, remote, { reason: 'link.stopped', detail: '' });
    this.#network.nodes.delete(this.id);
    this.#network.reconcile();
    await new Promise((resolve) => setImmediate(resolve));
  }

  send(peer: PeerId, channel: Channel, frame: Uint8Array): boolean {
    assert(frame.length > 0 && frame.length <= FRAME_BYTES_MAX[channel], 'a frame keeps to the limit of its channel');
    const remote = this.#remotes.get(peer);
    if (remote === undefined) return false;
    const counters = remote.counters[channel];
    if (remote.link === null || counters.queuedBytes + frame.length > QUEUE_BYTES_MAX[channel]) {
      counters.drops += 1;
      return false;
    }
    counters.queuedBytes += frame.length;
    remote.outbox.push({ channel, frame: new Uint8Array(frame) });
    this.#planDelivery(remote);
    return true;
  }

  peers(): PeerStatus[] {
    return [...this.#remotes].map(([id, { counters, link, lastClose }]) => ({
      id,
      isConnected: link !== null,
      channels: { control: { ...counters.control }, bulk: { ...counters.bulk } },
      rttMs: link === null ? null : 0,
      rttMinMs: link === null ? null : 0,
      lastClose,
    }));
  }

  counters(): TransportCounters {
    return { closes: this.#counts.snapshot(), accepted: 0, pending: 0 };
  }

  updatePeers(list: readonly PeerAddress[]): void {
    const ids = new Set(list.map(({ id }) => id).filter((id) => id !== this.id));
    for (const [id, remote] of this.#remotes) {
      if (ids.has(id)) continue;
      this.#end(id, remote, { reason: 'link.removed', detail: '' });
      this.#remotes.delete(id);
    }
    for (const id of ids) if (!this.#remotes.has(id)) this.#remotes.set(id, createRemote());
    this.#network.reconcile();
  }

  disconnect(peer: PeerId, reason: string, backoffMs: number): void {
    const remote = this.#remotes.get(peer);
    if (remote === undefined) return;
    if (remote.keptOut !== null) clearTimeout(remote.keptOut);
    remote.keptOut = setTimeout(() => {
      remote.keptOut = null;
      this.#network.reconcile();
    }, backoffMs);
    remote.keptOut.unref();
    this.#end(peer, remote, { reason: 'link.disconnected', detail: reason });
    this.#network.reconcile();
  }

  holdReading(peer: PeerId, channel: Channel, isHeld: boolean): void {
    const remote = this.#remotes.get(peer);
    if (remote?.link == null) return;
    if (isHeld) remote.held.add(channel);
    else remote.held.delete(channel);
    const back = remote.link.#remotes.get(this.id);
    if (!isHeld && back !== undefined) remote.link.#planDelivery(back);
  }

  /** Makes and breaks links so that they are as the network allows. */
  reconcile(): void {
    for (const [id, remote] of this.#remotes) {
      const wanted = this.#partner(id);
      if (remote.link === wanted) continue;
      this.#end(id, remote, { reason: 'link.closed', detail: '' });
      if (wanted === null) continue;
      remote.link = wanted;
      for (const channel of CHANNELS) {
        const counters = remote.counters[channel];
        counters.reconnects += counters.isUp || remote.lastClose === null ? 0 : 1;
        counters.isUp = true;
      }
      setImmediate(() => {
        if (remote.link === wanted) this.#events.onConnected(id);
      });
    }
  }

  #partner(id: PeerId): MemoryTransport | null {
    const other = this.#network.nodes.get(id);
    if (!this.#isRunning || other === undefined || !this.#network.canReach(this.id, id)) return null;
    return this.#admits(id) && other.#admits(this.id) ? other : null;
  }

  #admits(id: PeerId): boolean {
    const remote = this.#remotes.get(id);
    return remote !== undefined && remote.keptOut === null;
  }

  #end(id: PeerId, remote: Remote, end: LinkEnd): void {
    if (remote.link === null) return;
    remote.link = null;
    remote.lastClose = end;
    remote.held.clear();
    for (const { channel } of remote.outbox.splice(0)) remote.counters[channel].drops += 1;
    for (const channel of CHANNELS) Object.assign(remote.counters[channel], { isUp: false, queuedBytes: 0 });
    this.#counts.add(end.reason);
    setImmediate(() => this.#events.onDisconnected(id, end.reason));
  }

  #planDelivery(remote: Remote): void {
    if (remote.isDeliveryPlanned) return;
    remote.isDeliveryPlanned = true;
    setImmediate(() => {
      remote.isDeliveryPlanned = false;
      this.#deliver(remote);
    });
  }

  #deliver(remote: Remote): void {
    const receiver = remote.link;
    if (receiver === null) return;
    const back = receiver.#remotes.get(this.id);
    if (back === undefined || back.link !== this) return;
    const arriving = remote.outbox.filter(({ channel }) => !back.held.has(channel));
    const staying = remote.outbox.filter(({ channel }) => back.held.has(channel));
    remote.outbox.splice(0, remote.outbox.length, ...staying);
    for (const { channel, frame } of arriving) {
      const [sent, received] = [remote.counters[channel], back.counters[channel]];
      sent.queuedBytes -= frame.length;
      sent.framesOut += 1;
      sent.bytesOut += frame.length;
      received.framesIn += 1;
      received.bytesIn += frame.length;
      receiver.#events.onFrame(this.id, channel, frame);
      if (remote.link !== receiver) return;
    }
  }
}

function createRemote(): Remote {
  const counters = (): Mutable<ChannelCounters> => ({
    isUp: false,
    framesIn: 0,
    framesOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    drops: 0,
    queuedBytes: 0,
    reconnects: 0,
  });
  return {
    counters: { control: counters(), bulk: counters() },
    link: null,
    outbox: [],
    isDeliveryPlanned: false,
    held: new Set(),
    keptOut: null,
    lastClose: null,
  };
}

function pairOf(a: PeerId, b: PeerId): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
