import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  audienceOf,
  decodeTransaction,
  jsonToPack,
  nobleSigner,
  readingsOf,
  signTransaction,
  toHex,
} from '@cairn-ledger/core';
import { connectAsync, type MqttClient } from 'mqtt';
import { type Gateway, type GatewayConfig, startGateway } from './gateway.ts';
import { mosquittoMissing, mosquittoPublish, startMosquitto, type TestBroker } from './testing/brokers.ts';
import { createMemoryLedger, type MemoryLedger } from './testing/memory-ledger.ts';

const skip = mosquittoMissing;
const ledgerHash = new Uint8Array(32).fill(9);
const ROOT = `cairn/${audienceOf(ledgerHash)}`;
const gatewaySigner = nobleSigner('ed25519', new Uint8Array(32).fill(1));
const deviceSigner = nobleSigner('p256', new Uint8Array(32).fill(2));

type Cleanup = { after(cleanup: () => unknown): void };
type Answers = { topic: string; payload: Buffer }[];
type Site = {
  broker: TestBroker;
  ledger: MemoryLedger;
  gateway: Gateway;
  client: MqttClient;
  answers: Answers;
  config: GatewayConfig;
  restart(): Promise<Gateway>;
};

async function siteOf(t: Cleanup, more: Partial<GatewayConfig> = {}, lines: string[] = []): Promise<Site> {
  const broker = await startMosquitto(lines);
  const directory = mkdtempSync(join(tmpdir(), 'cairn-gateway-'));
  const ledger = createMemoryLedger([gatewaySigner, deviceSigner]);
  const config: GatewayConfig = {
    brokerUrl: broker.url,
    directory,
    ledger,
    ledgerHash,
    signer: gatewaySigner,
    member: 'maker',
    device: 'gate-1',
    ...more,
  };
  let gateway = await started(config);
  const client = await connectAsync(broker.url, { protocolVersion: 5 });
  const answers: Answers = [];
  client.on('message', (topic, payload) => answers.push({ topic, payload }));
  await client.subscribeAsync([`${ROOT}/result/#`, `${ROOT}/rejected/#`], { qos: 1 });
  t.after(async () => {
    await gateway.close();
    await client.endAsync(true);
    await broker.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return {
    broker,
    ledger,
    client,
    answers,
    config,
    get gateway() {
      return gateway;
    },
    async restart() {
      await gateway.close();
      gateway = await started(config);
      return gateway;
    },
  };
}

async function started(config: GatewayConfig): Promise<Gateway> {
  const result = await startGateway(config);
  assert(result.ok, result.ok ? '' : result.error.message);
  await until(() => result.value.status().isConnected);
  await new Promise((resolve) => setTimeout(resolve, 50));
  return result.value;
}

async function until(claim: () => boolean, timeoutMs = 10_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!claim()) {
    assert(Date.now() < end, `never true: ${claim}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const jsonOf = ({ payload }: { payload: Buffer }) => JSON.parse(payload.toString()) as Record<string, unknown>;
const textsOf = (ledger: MemoryLedger) =>
  ledger
    .readings()
    .map(({ name, value, timeText }) => [name, value.type === 'number' ? value.text : value.type, timeText]);

function signed(counter: number, hash = ledgerHash): Uint8Array {
  const pack = jsonToPack('[{"n":"temp","t":1700000000,"v":21.50}]');
  assert(pack.ok);
  return signTransaction({ ledgerHash: hash, counter: BigInt(counter), senml: pack.value }, deviceSigner);
}

for (const [name, version, flag] of [
  ['3.1.1', 4, 'mqttv311'],
  ['5', 5, 'mqttv5'],
] as const) {
  test(`MQTT ${name}: unsigned readings get to the ledger exactly, attested, with verdict and receipt`, {
    skip,
  }, async (t) => {
    const { broker, ledger, answers, gateway } = await siteOf(t, { protocolVersion: version });
    const topic = `${ROOT}/senml/maker/pump-7`;
    const json = '[{"bt":1385395200,"bu":"Cel","n":"temp","v":73.96732207},{"n":"temp","t":300,"v":74.0}]';
    await mosquittoPublish(broker.port, ['-V', flag, '-q', '1', '-t', topic, '-s'], json);
    await until(() => answers.length === 2);
    assert.deepEqual(textsOf(ledger), [
      ['maker/pump-7/temp', '73.96732207', '1385395200'],
      ['maker/pump-7/temp', '74.0', '1385395500'],
    ]);
    const [transaction] = ledger.transactions;
    assert.equal(transaction?.header.sub, 'maker/pump-7');
    const id = toHex(transaction.id);
    assert.deepEqual(
      answers.map((answer) => answer.topic),
      [`${ROOT}/result/${id}`, `${ROOT}/result/${id}/receipt`],
    );
    assert.deepEqual(jsonOf(answers[0]!), {
      id,
      status: 'accepted',
      height: 1,
      position: 0,
      leafIndex: 0,
      provenance: 'gateway-attested',
      source: 'maker/pump-7',
    });
    assert.equal(toHex(answers[1]!.payload), `82${id}`);
    assert.equal(gateway.status().protocolVersion, version);
    await until(() => gateway.status().outbox.transactions === 0);
  });
}

test('a signed transaction goes on byte for byte, and its verdict has its id', { skip }, async (t) => {
  const { ledger, client, answers } = await siteOf(t, { wantsReceipts: false });
  const bytes = signed(1);
  const forged = signed(2);
  forged[forged.length - 1]! ^= 1;
  await client.publishAsync(`${ROOT}/tx`, Buffer.from(bytes), { qos: 1 });
  await client.publishAsync(`${ROOT}/tx`, Buffer.from(forged), { qos: 1 });
  await until(() => answers.length === 2);
  assert.deepEqual(
    ledger.transactions.map((transaction) => toHex(transaction.bytes)),
    [toHex(bytes)],
  );
  const verdicts = new Map(answers.map((answer) => [answer.topic, jsonOf(answer)]));
  const idOf = (transaction: Uint8Array) => {
    const decoded = decodeTransaction(transaction);
    return decoded.ok ? toHex(decoded.value.id) : '';
  };
  assert.equal(verdicts.get(`${ROOT}/result/${idOf(bytes)}`)?.status, 'accepted');
  assert.equal(verdicts.get(`${ROOT}/result/${idOf(forged)}`)?.code, 'tx.bad-signature');
});

test('every kind of bad message is answered with its code, and none stops the next', { skip }, async (t) => {
  const { client, answers, ledger, gateway } = await siteOf(t, { protocolVersion: 4, packDelayMs: 0 });
  const bad: [topic: string, payload: string | Buffer, code: string][] = [
    ['senml/maker/pump', 'hello', 'senml.malformed'],
    ['senml/maker/pump', Buffer.alloc(60_000, 0x81), 'senml.malformed'],
    ['senml/maker/pump', '['.repeat(60_000), 'senml.malformed'],
    ['senml/maker/pump', Buffer.alloc(65_536, 0x20), 'tx.too-large'],
    ['senml/maker/pump', Buffer.alloc(3_000_000, 0x20), 'tx.too-large'],
    ['senml/maker/pump/extra', '[{"n":"t","v":1}]', 'gateway.wrong-topic'],
    ['senml/maker/PUMP', '[{"n":"t","v":1}]', 'gateway.wrong-topic'],
    ['senml/maker/gate-1', '[{"n":"t","v":1}]', 'gateway.not-attested'],
    ['tx', Buffer.alloc(0), 'tx.malformed'],
    ['tx', Buffer.alloc(40_000, 0xd2), 'tx.malformed'],
    ['tx', Buffer.from(signed(1).subarray(0, 100)), 'tx.malformed'],
    ['tx', Buffer.from(signed(1, new Uint8Array(32).fill(8))), 'tx.wrong-ledger'],
  ];
  for (const [topic, payload] of bad) await client.publishAsync(`${ROOT}/${topic}`, payload, { qos: 1 });
  await until(() => answers.length === bad.length);
  assert.deepEqual(
    answers.map((answer) => [answer.topic, jsonOf(answer).code]),
    bad.map(([topic, , code]) => [`${ROOT}/rejected/${topic.replace('senml/', '')}`, code]),
  );
  for (const answer of answers) assert(String(jsonOf(answer).message).length > 20);
  assert.equal(ledger.transactions.length, 0);
  const total = Object.values(gateway.status().rejected).reduce((sum, count) => sum + count, 0);
  assert.equal(total, bad.length);
  await client.publishAsync(`${ROOT}/senml/maker/pump`, '[{"n":"t","v":1}]', { qos: 1 });
  await until(() => ledger.transactions.length === 1);
});

test('readings of one device that come together share one transaction; no other device joins it', {
  skip,
}, async (t) => {
  const { client, ledger } = await siteOf(t, { packDelayMs: 200 });
  const publish = (device: string, value: number) =>
    client.publishAsync(`${ROOT}/senml/maker/${device}`, `[{"n":"t","u":"Cel","v":${value}}]`, { qos: 1 });
  await Promise.all([publish('a', 1), publish('a', 2), publish('b', 3), publish('a', 4)]);
  await until(() => ledger.transactions.length === 2);
  assert.deepEqual(
    ledger.transactions.map((transaction) => [
      transaction.header.sub,
      readingsOf(transaction, '').map(({ value }) => (value.type === 'number' ? value.text : '')),
    ]),
    [
      ['maker/a', ['1', '2', '4']],
      ['maker/b', ['3']],
    ],
  );
});

test('what is acknowledged while the ledger is away is delivered later, also after a restart', { skip }, async (t) => {
  const site = await siteOf(t, { packDelayMs: 0 });
  site.ledger.isDown = true;
  for (let n = 0; n < 50; n += 1) {
    await site.client.publishAsync(`${ROOT}/senml/maker/pump`, `[{"n":"t","v":${n}}]`, { qos: 1 });
  }
  await until(() => site.gateway.status().outbox.transactions === 50 && site.gateway.status().held === 0);
  const gateway = await site.restart();
  assert.equal(gateway.status().outbox.transactions, 50);
  site.ledger.isDown = false;
  await until(() => gateway.status().outbox.transactions === 0);
  assert.deepEqual(
    textsOf(site.ledger).map(([, text]) => text),
    Array.from({ length: 50 }, (_, n) => `${n}`),
  );
});

test('a full outbox stops acknowledging, the broker holds the rest, and nothing is lost', { skip }, async (t) => {
  const { client, ledger, gateway } = await siteOf(t, { outboxTransactionsMax: 20, packDelayMs: 0 });
  ledger.isDown = true;
  for (let n = 0; n < 100; n += 1) {
    await client.publishAsync(`${ROOT}/senml/maker/pump`, `[{"n":"t","v":${n}}]`, { qos: 1 });
  }
  await until(() => gateway.status().isFull && gateway.status().held > 0);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(gateway.status().outbox.transactions, 20);
  ledger.isDown = false;
  await until(() => ledger.transactions.length === 100);
  // The last answers are still on their way back when the ledger has everything.
  await until(() => !gateway.status().isFull);
  assert.equal(new Set(textsOf(ledger).map(([, text]) => text)).size, 100);
});

test('retained readings are not attested when the gateway subscribes', { skip }, async (t) => {
  const site = await siteOf(t, { clientId: 'first' });
  await site.client.publishAsync(`${ROOT}/senml/maker/pump`, '[{"n":"t","v":1}]', { qos: 1, retain: true });
  await until(() => site.ledger.transactions.length === 1);
  await site.gateway.close();
  const second = await startGateway({ ...site.config, clientId: 'second' });
  assert(second.ok);
  t.after(() => second.value.close());
  await until(() => second.value.status().retained === 1);
  assert.equal(site.ledger.transactions.length, 1);
});

test('killed with -9 again and again, it gets every reading to the ledger exactly once', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const broker = await startMosquitto(['max_queued_messages 0']);
  const directory = mkdtempSync(join(tmpdir(), 'cairn-gateway-'));
  const ledgerFile = join(directory, 'ledger.txt');
  const program = fileURLToPath(new URL('./testing/gateway-process.ts', import.meta.url));
  const start = () =>
    spawn(process.execPath, [program, broker.url, directory, ledgerFile], { stdio: ['ignore', 'ignore', 'inherit'] });
  let child: ChildProcess = start();
  t.after(async () => {
    child.kill('SIGKILL');
    await broker.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const readings = () => {
    const lines = existsSync(ledgerFile) ? readFileSync(ledgerFile, 'utf8').split('\n').slice(0, -1) : [];
    return lines.flatMap((line) => {
      const decoded = decodeTransaction(Buffer.from(line, 'hex'));
      assert(decoded.ok);
      return readingsOf(decoded.value, '').map(({ value }) =>
        value.type === 'number' ? Number(value.text) : Number.NaN,
      );
    });
  };
  const client = await connectAsync(broker.url);
  t.after(() => client.endAsync(true));
  // The session exists once the first reading has arrived; from then on the broker keeps what the gateway misses.
  let sent = 0;
  const publish = () => client.publishAsync(`${ROOT}/senml/maker/pump`, `[{"n":"t","v":${sent++}}]`, { qos: 1 });
  while (readings().length === 0) {
    await publish();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const first = Math.min(...readings());
  for (let round = 0; round < 4; round += 1) {
    for (let n = 0; n < 150; n += 1) {
      await publish();
      if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    for (let n = 0; n < 30; n += 1) await publish();
    child = start();
    await until(() => readings().length >= sent - first, 20_000);
  }
  await new Promise((resolve) => setTimeout(resolve, 300));
  const all = readings();
  assert.deepEqual(
    all.toSorted((a, b) => a - b),
    Array.from({ length: sent - first }, (_, n) => first + n),
  );
});
