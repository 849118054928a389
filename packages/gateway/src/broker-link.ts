/**
 * The connection to the broker: a lasting session (MQTT 5 or 3.1.1), messages handed on one by one, acknowledged late
 * and in order, and answers published with QoS 1.
 *
 * The client library handles one packet at a time and sends a PUBACK when the callback of `handleMessage` is called. If
 * we called it only when a message is on disk, every message would wait for a sync of its own. Instead the callback is
 * called twice: at once with an error, which releases the next packet and sends nothing, and again without one when the
 * message is acknowledged, which sends the PUBACK. A test holds the library to that.
 *
 * What is not acknowledged when the connection ends is forgotten here: the broker keeps it and sends it again.
 */

import type { IPublishPacket } from 'mqtt';
import { MqttClient } from 'mqtt';
import { type BrokerAddress, type BrokerTls, openBrokerSocket } from './broker-socket.ts';
import { PUBLISH_HEAD_BYTES_MAX } from './packet-cutter.ts';

/** The broker keeps our session, with what it could not deliver, this long. MQTT 5 only; 3.1.1 leaves it to the broker. */
const SESSION_EXPIRY_SECONDS = 30 * 24 * 3600;
const RECONNECT_PERIOD_MS = 1000;
/** A broker that does not answer is left without a goodbye. */
const CLOSE_TIMEOUT_MS = 2000;
/** Our publishes under way when an MQTT 5 broker states no lower Receive Maximum. */
const PUBLISHES_UNDER_WAY_MAX = 20;
const CONNACK_WRONG_VERSION: readonly number[] = [1, 132];

export type BrokerLinkOptions = {
  readonly address: BrokerAddress;
  readonly tls: BrokerTls;
  readonly username?: string;
  readonly password?: string;
  /** Names the session: stable, and unique at the broker. */
  readonly clientId: string;
  /** 'auto' tries 5 and falls back to 3.1.1 (4) when the broker refuses it. */
  readonly protocolVersion: 4 | 5 | 'auto';
  readonly subscriptions: readonly string[];
  /** Longer payloads may arrive cut, but stay longer than this. */
  readonly payloadBytesMax: number;
  /** Messages held without acknowledgement; at either limit no further packet is taken from the connection. */
  readonly heldMessagesMax: number;
  readonly heldBytesMax: number;
  /** Answers waiting to be published; further ones are dropped. */
  readonly publishesWaitingMax: number;
  readonly onMessage: (message: IncomingMessage) => void;
  readonly onEvent: (event: BrokerLinkEvent) => void;
};

export type IncomingMessage = {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Null with QoS 0: nobody waits for an acknowledgement. */
  readonly packetId: number | null;
  /** The broker has sent this packet before (DUP). */
  readonly isRedelivery: boolean;
  /** Kept by the broker from some earlier time, not published now. */
  readonly isRetained: boolean;
  /** MQTT 5 content type, or null. */
  readonly contentType: string | null;
  /** Call once, when the message is safe or has been answered. */
  acknowledge(): void;
};

export type BrokerLinkEvent =
  | { readonly type: 'connected'; readonly protocolVersion: 4 | 5 }
  | { readonly type: 'disconnected' }
  | { readonly type: 'error'; readonly message: string }
  | { readonly type: 'cut'; readonly count: number };

export type BrokerLink = {
  readonly isConnected: boolean;
  readonly heldCount: number;
  /** While paused, messages with QoS 1 wait unacknowledged (so that the broker holds back) and QoS 0 is not handed on. */
  pause(): void;
  resume(): void;
  /** Publishes with QoS 1. Resolves true once the broker has it; false when it was dropped or the link closes. */
  publish(topic: string, payload: Uint8Array | string, contentType: string): Promise<boolean>;
  close(): Promise<void>;
};

type Held = { readonly message: IncomingMessage; readonly sendAck: () => void; isAcknowledged: boolean };
type WaitingPublish = { readonly start: () => void; readonly drop: () => void };

const RELEASED_UNACKNOWLEDGED = new Error('the next packet may come; the acknowledgement follows later');

export function openBrokerLink(options: BrokerLinkOptions): BrokerLink {
  const restBytesMax = PUBLISH_HEAD_BYTES_MAX + options.payloadBytesMax + 1;
  let version: 4 | 5 = options.protocolVersion === 'auto' ? 5 : options.protocolVersion;
  let held: Held[] = [];
  let heldBytes = 0;
  let waiting: IncomingMessage[] = [];
  let stalled: (() => void)[] = [];
  let connection = 0;
  let isPaused = false;
  let isClosed = false;
  let wasConnected = false;
  const underWay = new Set<(isPublished: boolean) => void>();
  let underWayMax = PUBLISHES_UNDER_WAY_MAX;
  const publishes: WaitingPublish[] = [];
  let client = open();

  function open(): MqttClient {
    const opened = new MqttClient(
      () =>
        openBrokerSocket(options.address, options.tls, restBytesMax, (count) =>
          options.onEvent({ type: 'cut', count }),
        ),
      {
        clientId: options.clientId,
        clean: false,
        resubscribe: false,
        reconnectPeriod: RECONNECT_PERIOD_MS,
        reconnectOnConnackError: true,
        protocolVersion: version,
        ...(options.username === undefined ? {} : { username: options.username }),
        ...(options.password === undefined ? {} : { password: options.password }),
        ...(version === 5
          ? {
              properties: {
                sessionExpiryInterval: SESSION_EXPIRY_SECONDS,
                receiveMaximum: Math.min(options.heldMessagesMax, 65_535),
                maximumPacketSize: restBytesMax,
              },
            }
          : {}),
      },
    );
    opened.on('connect', () => {
      underWayMax = Math.min(PUBLISHES_UNDER_WAY_MAX, opened.serverProperties?.receiveMaximum ?? 65_535);
      wasConnected = true;
      options.onEvent({ type: 'connected', protocolVersion: version });
      subscribe(opened);
      startPublishes();
    });
    opened.on('close', () => forgetConnection());
    opened.on('error', (error) => {
      const code = 'code' in error ? Number(error.code) : 0;
      if (options.protocolVersion === 'auto' && version === 5 && CONNACK_WRONG_VERSION.includes(code)) fallBack();
      else options.onEvent({ type: 'error', message: error.message });
    });
    opened.handleMessage = (packet, done) => take(packet, done);
    return opened;
  }

  function fallBack(): void {
    version = 4;
    client.end(true);
    if (!isClosed) client = open();
  }

  function subscribe(opened: MqttClient): void {
    const wanted = Object.fromEntries(options.subscriptions.map((topic) => [topic, { qos: 1 as const, rh: 1 }]));
    opened.subscribe(wanted, (error, grants) => {
      const refused = grants?.filter((grant) => grant.qos >= 128).map((grant) => grant.topic) ?? [];
      if (refused.length > 0) {
        options.onEvent({
          type: 'error',
          message: `the broker refuses to deliver ${refused.join(', ')}: allow ${options.clientId} to read it`,
        });
      } else if (error && !isClosed) {
        options.onEvent({ type: 'error', message: `subscribing failed: ${error.message}` });
      }
    });
  }

  function take(packet: IPublishPacket, done: (error?: Error) => void): void {
    const packetId = packet.qos === 0 ? null : (packet.messageId ?? null);
    const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload;
    const ofConnection = connection;
    const entry: Held = {
      isAcknowledged: false,
      sendAck: () => done(),
      message: {
        topic: packet.topic,
        payload,
        packetId,
        isRedelivery: packet.dup,
        isRetained: packet.retain,
        contentType: packet.properties?.contentType ?? null,
        acknowledge: () => {
          entry.isAcknowledged = true;
          if (packetId !== null && ofConnection === connection) sendAcks();
        },
      },
    };
    if (packetId === null) {
      if (!isPaused) options.onMessage(entry.message);
      done();
      return;
    }
    held.push(entry);
    heldBytes += payload.length;
    if (isPaused || waiting.length > 0) waiting.push(entry.message);
    else options.onMessage(entry.message);
    const release = () => done(RELEASED_UNACKNOWLEDGED);
    if (hasRoom()) release();
    else stalled.push(release);
  }

  function hasRoom(): boolean {
    return held.length < options.heldMessagesMax && heldBytes < options.heldBytesMax;
  }

  /** MQTT demands acknowledgements in the order of the messages (MQTT-4.6.0-2). */
  function sendAcks(): void {
    let count = 0;
    while (held[count]?.isAcknowledged) count += 1;
    if (count === 0) return;
    const acknowledged = held.splice(0, count);
    for (const { message } of acknowledged) heldBytes -= message.payload.length;
    for (const { sendAck } of acknowledged) if (client.connected) sendAck();
    if (stalled.length > 0 && hasRoom()) for (const release of stalled.splice(0)) release();
  }

  function forgetConnection(): void {
    connection += 1;
    held = [];
    heldBytes = 0;
    waiting = [];
    stalled = [];
    if (wasConnected && !isClosed) options.onEvent({ type: 'disconnected' });
    wasConnected = false;
  }

  function startPublishes(): void {
    while (client.connected && underWay.size < underWayMax) {
      const next = publishes.shift();
      if (next === undefined) return;
      next.start();
    }
  }

  return {
    get isConnected() {
      return client.connected;
    },
    get heldCount() {
      return held.length;
    },
    pause() {
      isPaused = true;
    },
    resume() {
      isPaused = false;
      while (!isPaused && waiting.length > 0) options.onMessage(waiting.shift() as IncomingMessage);
    },
    publish(topic, payload, contentType) {
      if (isClosed || publishes.length >= options.publishesWaitingMax) return Promise.resolve(false);
      return new Promise((resolve) => {
        const start = () => {
          underWay.add(resolve);
          const properties = version === 5 ? { properties: { contentType } } : {};
          client.publish(topic, payload as Buffer, { qos: 1, ...properties }, (error) => {
            underWay.delete(resolve);
            resolve(!error);
            startPublishes();
          });
        };
        publishes.push({ start, drop: () => resolve(false) });
        startPublishes();
      });
    },
    async close() {
      isClosed = true;
      for (const { drop } of publishes.splice(0)) drop();
      const force = setTimeout(() => client.end(true), client.connected ? CLOSE_TIMEOUT_MS : 0);
      await client.endAsync(!client.connected);
      clearTimeout(force);
      for (const resolve of underWay) resolve(false);
    },
  };
}
