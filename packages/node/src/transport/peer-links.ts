/**
 * All links of one peer: one per channel, dialed or accepted, made again whenever they break.
 *
 * Who dials: the peer with the smaller id at once, the other one when it has had no link for `reverseDialMs` (addresses
 * may be reachable from one side only).
 *
 * Which link stays when there are two for one channel. What is newer is what the peer itself says, in its hello, so that both sides
 * judge alike:
 *   1. another instance than that of a present link that was heard a moment ago: a second one runs with the same key, a copy or a
 *      thief's. It is refused, and told of: two that took each other's place in turn would cost everybody more than either is worth;
 *   2. another instance than that of a link that is silent: the peer was restarted, or its machine failed; the new link replaces it.
 *      A process that ends closes its links, so a restarted one seldom has to wait for this;
 *   3. the same instance, a higher sequence: the peer has lost the present link; the new one replaces it;
 *   4. the same instance, a lower sequence: it was begun before the present one; refused.
 * When both dial at once there is no present link yet: the one dialed by the smaller id stays. Its owner refuses the
 * other, and the other side gives up its own as soon as it sees the first.
 */
import type { TLSSocket } from 'node:tls';
import type { Link, LinkEvents, Tally } from './link.ts';
import type { Hello } from './link-message.ts';
import { isViolation, type LinkEnd, type LinkReason } from './link-reason.ts';
import { type Dial, type DialEvents, type Endpoint, parseEndpoint } from './tls-dialer.ts';
import { CHANNELS, type Channel, type PeerAddress, type PeerId, type PeerStatus } from './transport.ts';

export type DialLimits = {
  /** First and longest pause between attempts; each is shortened at random by up to half. */
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  readonly reverseDialMs: number;
  /** A link on which something came within this time has its peer at the other end: longer than a ping and its answer take. */
  readonly presentMs: number;
  /** First and longest time for which a peer that broke the rules is kept out; doubles each time. */
  readonly keepOutMinMs: number;
  readonly keepOutMaxMs: number;
  /** Time without a violation after which the next one counts as the first again. */
  readonly forgiveMs: number;
};

export const DIAL_LIMITS: DialLimits = {
  backoffMinMs: 50,
  backoffMaxMs: 2_000,
  reverseDialMs: 1_000,
  presentMs: 2_500,
  keepOutMinMs: 250,
  keepOutMaxMs: 30_000,
  forgiveMs: 60_000,
};

/** Connections of one peer that have proved its key but not yet said hello. */
const GREETING_MAX = 4;
/** A link that lived this long was a success: dialing starts again with the shortest pause. */
const LASTING_MS = 2_000;

/** What the transport does for its peers. */
export type PeerHost = {
  readonly ownId: PeerId;
  readonly limits: DialLimits;
  readonly nextHello: (channel: Channel) => Hello;
  readonly dial: (endpoint: Endpoint, key: Uint8Array, events: DialEvents) => Dial;
  readonly createLink: (socket: TLSSocket, peer: PeerId, dialedFor: Channel | null, events: LinkEvents) => Link;
  /** Checks what a hello claims against what is known; null when it fits. */
  readonly checkHello: (hello: Hello, peer: PeerId) => LinkEnd | null;
  readonly onFrame: (link: Link, frame: Uint8Array) => void;
  readonly onWaiting: (link: Link) => void;
  readonly onConnected: (peer: PeerId) => void;
  readonly onDisconnected: (peer: PeerId, reason: LinkReason) => void;
  /** Another instance with this peer's key wants in while the peer is present. */
  readonly onSecondInstance: (peer: PeerId) => void;
  readonly onEnd: (end: LinkEnd) => void;
};

type Lane = {
  readonly channel: Channel;
  readonly tally: Tally;
  link: Link | null;
  /** A connection being made by us: first the dial, then a link that waits for the peer's hello. */
  dial: Dial | null;
  greeting: Link | null;
  /** Until the next attempt. */
  waitMs: number;
  failures: number;
};

export class PeerLinks {
  readonly id: PeerId;
  readonly key: Uint8Array;
  readonly #host: PeerHost;
  readonly #lanes: Readonly<Record<Channel, Lane>>;
  /** Accepted connections that have not yet said hello, in the order they came. */
  readonly #arrivals = new Set<Link>();
  readonly #linkEvents: LinkEvents;
  readonly #isDialer: boolean;
  #endpoints: readonly Endpoint[] = [];
  #dialCount = 0;
  #isConnected = false;
  #keepOutMs = 0;
  #violations = 0;
  #calmMs = 0;
  #rttMs: number | null = null;
  #rttMinMs: number | null = null;
  #lastClose: LinkEnd | null = null;

  constructor(peer: PeerAddress, host: PeerHost) {
    this.id = peer.id;
    this.key = peer.linkKey;
    this.#host = host;
    this.#isDialer = Buffer.compare(Buffer.from(host.ownId), Buffer.from(peer.id)) < 0;
    const firstWaitMs = this.#isDialer ? 0 : host.limits.reverseDialMs;
    this.#lanes = { control: createLane('control', firstWaitMs), bulk: createLane('bulk', firstWaitMs) };
    this.#linkEvents = {
      onHello: (link, hello) => this.#onHello(link, hello),
      onFrame: host.onFrame,
      onRoundTrip: (link, rttMs) => this.#onRoundTrip(link, rttMs),
      onWaiting: host.onWaiting,
      onEnd: (link, end) => this.#onEnd(link, end),
    };
    this.updateAddresses(peer.addresses);
  }

  updateAddresses(addresses: readonly string[]): void {
    const parsed = addresses.map(parseEndpoint);
    this.#endpoints = parsed.flatMap((endpoint) => (endpoint.ok ? [endpoint.value] : []));
    for (const endpoint of parsed) if (!endpoint.ok) this.#note(endpoint.error);
  }

  send(channel: Channel, frame: Uint8Array): boolean {
    const lane = this.#lanes[channel];
    if (lane.link?.send(frame) === true) return true;
    lane.tally.drops += 1;
    return false;
  }

  hold(channel: Channel, isHeld: boolean): void {
    this.#lanes[channel].link?.hold(isHeld);
  }

  /** A connection that has proved this peer's key. Returns why it is refused, or null. */
  accept(socket: TLSSocket): LinkEnd | null {
    if (this.#keepOutMs > 0) return { reason: 'link.backed-off', detail: this.id };
    if (this.#arrivals.size >= GREETING_MAX) {
      const [oldest] = this.#arrivals;
      oldest?.end({ reason: 'link.too-many-pending', detail: this.id });
    }
    this.#arrivals.add(this.#host.createLink(socket, this.id, null, this.#linkEvents));
    return null;
  }

  /** Closes everything; neither dials nor admits for `keepOutMs`. */
  endAll(end: LinkEnd, keepOutMs: number): void {
    this.#keepOutMs = Math.max(this.#keepOutMs, keepOutMs);
    for (const arrival of this.#arrivals) arrival.end(end);
    for (const lane of this.#allLanes()) {
      this.#abandonAttempt(lane, end);
      lane.link?.end(end);
    }
  }

  tick(elapsedMs: number): void {
    this.#keepOutMs = Math.max(0, this.#keepOutMs - elapsedMs);
    this.#calmMs += elapsedMs;
    for (const arrival of this.#arrivals) arrival.tick(elapsedMs);
    for (const lane of this.#allLanes()) {
      lane.link?.tick(elapsedMs);
      lane.greeting?.tick(elapsedMs);
      const isAttempting = lane.link !== null || lane.dial !== null || lane.greeting !== null;
      if (isAttempting || this.#keepOutMs > 0 || this.#endpoints.length === 0) continue;
      lane.waitMs -= elapsedMs;
      if (lane.waitMs <= 0) this.#dial(lane);
    }
  }

  status(): PeerStatus {
    const { control, bulk } = this.#lanes;
    return {
      id: this.id,
      isConnected: this.#isConnected,
      channels: { control: countersOf(control), bulk: countersOf(bulk) },
      rttMs: this.#rttMs,
      rttMinMs: this.#rttMinMs,
      lastClose: this.#lastClose,
    };
  }

  #allLanes(): readonly Lane[] {
    return CHANNELS.map((channel) => this.#lanes[channel]);
  }

  #dial(lane: Lane): void {
    const endpoint = this.#endpoints[this.#dialCount % this.#endpoints.length]!;
    this.#dialCount += 1;
    lane.dial = this.#host.dial(endpoint, this.key, {
      onReady: (socket) => {
        lane.dial = null;
        lane.greeting = this.#host.createLink(socket, this.id, lane.channel, this.#linkEvents);
        lane.greeting.greet(this.#host.nextHello(lane.channel));
      },
      onFailed: (end) => {
        lane.dial = null;
        this.#note(end);
        this.#planRetry(lane, 0);
      },
    });
  }

  #onHello(link: Link, hello: Hello): void {
    const wrong = this.#host.checkHello(hello, this.id);
    if (wrong !== null) return link.end(wrong);
    if (link.isDialed && hello.channel !== link.channel) {
      return link.end({ reason: 'link.wrong-channel', detail: hello.channel });
    }
    const lane = this.#lanes[hello.channel];
    if (this.#isSecondInstance(hello)) {
      this.#host.onSecondInstance(this.id);
      return link.end({ reason: 'link.second-instance', detail: '' });
    }
    if (!link.isDialed) {
      if (this.#isOutdated(lane, hello)) return link.end({ reason: 'link.duplicate', detail: '' });
      this.#arrivals.delete(link);
      link.greet(this.#host.nextHello(hello.channel));
    }
    this.#install(lane, link, hello);
  }

  /** Rule 1 of the head. */
  #isSecondInstance(hello: Hello): boolean {
    const { presentMs } = this.#host.limits;
    return this.#allLanes().some(({ link }) => {
      const present = link?.peerHello ?? null;
      return present !== null && !isSameInstance(present, hello) && link!.silentMs < presentMs;
    });
  }

  /** Rule 4 of the head, and the case that both dial at once. */
  #isOutdated(lane: Lane, hello: Hello): boolean {
    const present = lane.link?.peerHello ?? null;
    if (present === null) return this.#isDialer && lane.greeting !== null;
    return isSameInstance(present, hello) && hello.sequence < present.sequence;
  }

  #install(lane: Lane, link: Link, hello: Hello): void {
    const old = lane.link;
    // From here on the ends of the old links and attempts concern nobody.
    lane.link = link;
    if (lane.greeting === link) lane.greeting = null;
    this.#abandonAttempt(lane, { reason: 'link.duplicate', detail: '' });
    old?.end({ reason: 'link.replaced', detail: '' });
    if (old !== null) this.#becomeDisconnected('link.replaced');
    for (const other of this.#allLanes()) {
      const present = other.link?.peerHello ?? null;
      if (present !== null && !isSameInstance(present, hello)) other.link?.end({ reason: 'link.replaced', detail: '' });
    }
    link.open(hello, lane.tally);
    if (this.#allLanes().every((each) => each.link !== null)) this.#becomeConnected();
  }

  #abandonAttempt(lane: Lane, end: LinkEnd): void {
    const { dial, greeting } = lane;
    lane.dial = null;
    lane.greeting = null;
    greeting?.end(end);
    if (dial === null) return;
    dial.cancel();
    this.#note(end);
  }

  #onEnd(link: Link, end: LinkEnd): void {
    this.#note(end);
    this.#arrivals.delete(link);
    const lane = this.#lanes[link.channel];
    if (lane.greeting === link) {
      lane.greeting = null;
      this.#planRetry(lane, 0);
    }
    if (lane.link === link) {
      lane.link = null;
      this.#planRetry(lane, link.ageMs);
      if (!this.#isDialer) lane.waitMs += this.#host.limits.reverseDialMs;
      this.#becomeDisconnected(end.reason);
    }
    if (isViolation(end.reason)) this.#punish();
  }

  #planRetry(lane: Lane, lastedMs: number): void {
    const { backoffMinMs, backoffMaxMs } = this.#host.limits;
    lane.failures = lastedMs >= LASTING_MS ? 0 : lane.failures + 1;
    const pauseMs = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(lane.failures, 16));
    lane.waitMs = pauseMs * (1 - Math.random() / 2);
  }

  #punish(): void {
    const { keepOutMinMs, keepOutMaxMs, forgiveMs } = this.#host.limits;
    this.#violations = this.#calmMs > forgiveMs ? 1 : this.#violations + 1;
    this.#calmMs = 0;
    const keepOutMs = Math.min(keepOutMaxMs, keepOutMinMs * 2 ** Math.min(this.#violations - 1, 16));
    this.endAll({ reason: 'link.backed-off', detail: this.id }, keepOutMs);
  }

  #becomeConnected(): void {
    if (this.#isConnected) return;
    this.#isConnected = true;
    this.#host.onConnected(this.id);
  }

  #becomeDisconnected(reason: LinkReason): void {
    if (!this.#isConnected) return;
    this.#isConnected = false;
    this.#host.onDisconnected(this.id, reason);
  }

  #onRoundTrip(link: Link, rttMs: number): void {
    if (link.channel !== 'control') return;
    this.#rttMs = this.#rttMs === null ? rttMs : this.#rttMs + (rttMs - this.#rttMs) / 8;
    this.#rttMinMs = Math.min(this.#rttMinMs ?? rttMs, rttMs);
  }

  #note(end: LinkEnd): void {
    this.#host.onEnd(end);
    if (end.reason !== 'link.duplicate' && end.reason !== 'link.replaced') this.#lastClose = end;
  }
}

function createLane(channel: Channel, waitMs: number): Lane {
  const tally: Tally = { framesIn: 0, framesOut: 0, bytesIn: 0, bytesOut: 0, drops: 0, ups: 0 };
  return { channel, tally, link: null, dial: null, greeting: null, waitMs, failures: 0 };
}

function countersOf(lane: Lane): PeerStatus['channels'][Channel] {
  const { ups, ...counts } = lane.tally;
  return {
    ...counts,
    isUp: lane.link !== null,
    queuedBytes: lane.link?.queuedBytes ?? 0,
    reconnects: Math.max(0, ups - 1),
  };
}

function isSameInstance(a: Hello, b: Hello): boolean {
  return Buffer.compare(a.instance, b.instance) === 0;
}
