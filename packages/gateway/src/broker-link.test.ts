import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connectAsync, type MqttClient } from 'mqtt';
import {
  type BrokerLink,
  type BrokerLinkEvent,
  type BrokerLinkOptions,
  type IncomingMessage,
  openBrokerLink,
} from './broker-link.ts';
import { parseBrokerUrl } from './broker-socket.ts';
import { freePort, mosquittoMissing, startMosquitto, type TestBroker } from './testing/brokers.ts';

const skip = mosquittoMissing;

type Cleanup = { after(cleanup: () => Promise<void>): void };
type Fixture = {
  broker: TestBroker;
  link: BrokerLink;
  messages: IncomingMessage[];
  events: BrokerLinkEvent[];
  publisher: MqttClient;
};

function linkTo(broker: TestBroker, more: Partial<BrokerLinkOptions>) {
  const messages: IncomingMessage[] = [];
  const events: BrokerLinkEvent[] = [];
  const address = parseBrokerUrl(broker.url);
  assert(address.ok);
  const link = openBrokerLink({
    address: address.value,
    tls: {},
    clientId: 'link-under-test',
    protocolVersion: 4,
    subscriptions: ['in/#'],
    payloadBytesMax: 1000,
    heldMessagesMax: 100,
    heldBytesMax: 1_000_000,
    publishesWaitingMax: 100,
    onMessage: (message) => messages.push(message),
    onEvent: (event) => events.push(event),
    ...more,
  });
  return { link, messages, events };
}

async function connected(t: Cleanup, version: 4 | 5, more: Partial<BrokerLinkOptions> = {}, lines: string[] = []) {
  const broker = await startMosquitto(lines);
  t.after(() => broker.close());
  const fixture = linkTo(broker, { protocolVersion: version, ...more });
  t.after(() => fixture.link.close());
  const publisher = await connectAsync(broker.url, { protocolVersion: version });
  t.after(() => publisher.endAsync(true));
  await until(() => fixture.link.isConnected);
  await new Promise((resolve) => setTimeout(resolve, 50));
  return { broker, publisher, ...fixture } satisfies Fixture;
}

async function until(claim: () => boolean, timeoutMs = 5000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!claim()) {
    assert(Date.now() < end, `never true: ${claim}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

for (const version of [4, 5] as const) {
  test(`MQTT ${version}: many messages arrive before the first is acknowledged`, { skip }, async (t) => {
    const { publisher, messages } = await connected(t, version, {}, ['max_inflight_messages 0']);
    await Promise.all(Array.from({ length: 60 }, (_, n) => publisher.publishAsync('in/a', `${n}`, { qos: 1 })));
    await until(() => messages.length === 60);
    for (const message of messages) message.acknowledge();
  });

  test(`MQTT ${version}: what was not acknowledged comes again, marked, after the connection broke`, {
    skip,
  }, async (t) => {
    const { broker, publisher, link, messages } = await connected(t, version);
    for (const n of [0, 1, 2]) await publisher.publishAsync('in/a', `${n}`, { qos: 1 });
    await until(() => messages.length === 3);
    messages[0]!.acknowledge();
    messages[2]!.acknowledge();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await broker.stop();
    await until(() => !link.isConnected);
    await broker.start();
    await until(() => messages.length === 5);
    const again = messages.slice(3);
    assert.deepEqual(
      again.map(({ payload, packetId, isRedelivery }) => [payload.toString(), packetId, isRedelivery]),
      [1, 2].map((n) => [`${n}`, messages[n]!.packetId, true]),
    );
    messages[1]!.acknowledge();
    for (const message of again) message.acknowledge();
    await until(() => link.heldCount === 0);
  });

  test(`MQTT ${version}: answers are published, and a flood of them is dropped past its limit`, { skip }, async (t) => {
    const { publisher, link } = await connected(t, version, { publishesWaitingMax: 50 });
    const received: string[] = [];
    publisher.on('message', (_topic, payload) => received.push(payload.toString()));
    await publisher.subscribeAsync('out/+', { qos: 1 });
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, n) => link.publish('out/x', `${n}`, 'application/json')),
    );
    const published = results.filter(Boolean).length;
    assert(published >= 50 && published < 100, `${published} published`);
    await until(() => received.length === published);
  });

  test(`MQTT ${version}: an oversize message neither breaks the link nor takes its memory`, { skip }, async (t) => {
    const { publisher, messages, events } = await connected(t, version);
    await publisher.publishAsync('in/a', Buffer.alloc(20_000_000, 7), { qos: 1 });
    await publisher.publishAsync('in/a', Buffer.alloc(1001, 7), { qos: 1 });
    await publisher.publishAsync('in/a', 'after', { qos: 1 });
    await until(() => messages.some((message) => message.payload.toString() === 'after'));
    for (const message of messages) message.acknowledge();
    assert.deepEqual(
      events.filter((event) => event.type === 'error'),
      [],
    );
    // With MQTT 5 the broker itself keeps what is longer than our Maximum Packet Size.
    const lengths = messages.map((message) => message.payload.length);
    assert.deepEqual(lengths.slice(-2), [1001, 5]);
    if (version === 4) assert(lengths[0]! > 1000 && lengths[0]! < 70_000, `${lengths[0]}`);
  });
}

test('at the limit of held messages nothing more is taken, and acknowledging goes on where it stood', {
  skip,
}, async (t) => {
  const lines = ['max_inflight_messages 0'];
  const { publisher, messages, link } = await connected(t, 4, { heldMessagesMax: 10 }, lines);
  await Promise.all(Array.from({ length: 200 }, (_, n) => publisher.publishAsync('in/a', `${n}`, { qos: 1 })));
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(messages.length, 10);
  let highest = 0;
  for (let next = 0; next < 200; next += 1) {
    await until(() => messages.length > next);
    highest = Math.max(highest, link.heldCount);
    messages[next]!.acknowledge();
  }
  assert(highest <= 12, `${highest} held`);
  assert.deepEqual(
    messages.map((message) => message.payload.toString()),
    Array.from({ length: 200 }, (_, n) => `${n}`),
  );
});

test('while paused, messages wait unacknowledged and QoS 0 is not handed on', { skip }, async (t) => {
  const { publisher, messages, link } = await connected(t, 4);
  link.pause();
  await publisher.publishAsync('in/a', 'lost', { qos: 0 });
  await publisher.publishAsync('in/a', 'kept', { qos: 1 });
  await until(() => link.heldCount === 1);
  assert.equal(messages.length, 0);
  link.resume();
  assert.deepEqual(
    messages.map((message) => message.payload.toString()),
    ['kept'],
  );
});

test("'auto' speaks MQTT 5 to a broker that does", { skip }, async (t) => {
  const { events } = await connected(t, 4, { protocolVersion: 'auto' });
  assert.deepEqual(events[0], { type: 'connected', protocolVersion: 5 });
});

test('TLS: a broker whose certificate is trusted is used, any other is not', { skip }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'cairn-tls-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  try {
    execFileSync('openssl', [...made, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' });
  } catch {
    return t.skip('openssl is not installed');
  }
  const port = await freePort();
  const broker = await startMosquitto([`listener ${port} 127.0.0.1`, `certfile ${cert}`, `keyfile ${key}`]);
  t.after(() => broker.close());
  const address = { host: '127.0.0.1', port, isTls: true };
  const trusting = linkTo(broker, { address, tls: { ca: readFileSync(cert, 'utf8') } });
  t.after(() => trusting.link.close());
  const distrusting = linkTo(broker, { address, clientId: 'other' });
  t.after(() => distrusting.link.close());
  await until(() => trusting.link.isConnected && distrusting.events.some((event) => event.type === 'error'));
  assert.equal(distrusting.link.isConnected, false);
});

test('a broker address says what is wrong with it', () => {
  assert.deepEqual(parseBrokerUrl('mqtt://broker.example'), {
    ok: true,
    value: { host: 'broker.example', port: 1883, isTls: false },
  });
  assert.deepEqual(parseBrokerUrl('mqtts://[::1]:9000'), { ok: true, value: { host: '::1', port: 9000, isTls: true } });
  for (const wrong of ['broker.example', 'http://broker', 'mqtt://', '']) {
    const result = parseBrokerUrl(wrong);
    assert(!result.ok && result.error.code === 'config.broker-url', wrong);
  }
});
