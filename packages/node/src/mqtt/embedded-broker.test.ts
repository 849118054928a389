import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { audienceOf, fail, nobleSigner } from '@cairn-ledger/core';
import { startGateway } from '@cairn-ledger/gateway';
import { connectAsync } from 'mqtt';
import { startEmbeddedBroker } from './embedded-broker.ts';

test('the embedded broker passes messages on and closes cleanly', async () => {
  const broker = await startEmbeddedBroker({ host: '127.0.0.1', port: 0 });
  const client = await connectAsync(broker.url);
  const received = new Promise((resolve) => client.once('message', (topic, payload) => resolve([topic, `${payload}`])));
  await client.subscribeAsync('a/+', { qos: 1 });
  await client.publishAsync('a/b', 'hello', { qos: 1 });
  assert.deepEqual(await received, ['a/b', 'hello']);
  await client.endAsync();
  await broker.close();
});

test('it refuses an address that is taken', async () => {
  const broker = await startEmbeddedBroker({ host: '127.0.0.1', port: 0 });
  const port = Number(new URL(broker.url).port);
  await assert.rejects(startEmbeddedBroker({ host: '127.0.0.1', port }), { code: 'EADDRINUSE' });
  await broker.close();
});

test('random bytes close the connection they came by, and no other', async () => {
  const broker = await startEmbeddedBroker({ host: '127.0.0.1', port: 0 });
  const port = Number(new URL(broker.url).port);
  const client = await connectAsync(broker.url, { reconnectPeriod: 0 });
  for (let round = 0; round < 20; round += 1) {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => {});
    socket.resume();
    // A type byte that is no CONNECT, a length that is complete: the broker must decide now.
    socket.end(Buffer.concat([Buffer.from([(round % 2 ? 0x30 : 0xf0) | 1, 0x40]), randomBytes(64)]));
    await new Promise((resolve) => socket.once('close', resolve));
  }
  await client.publishAsync('still', 'alive', { qos: 1 });
  await client.endAsync();
  await broker.close();
});

test('a gateway serves devices through it, falling back to MQTT 3.1.1', async (t) => {
  const broker = await startEmbeddedBroker({ host: '127.0.0.1', port: 0 });
  const directory = mkdtempSync(join(tmpdir(), 'cairn-embedded-'));
  const handedIn: Uint8Array[] = [];
  const ledgerHash = new Uint8Array(32).fill(9);
  const gateway = await startGateway({
    brokerUrl: broker.url,
    directory,
    ledgerHash,
    signer: nobleSigner('ed25519', new Uint8Array(32).fill(1)),
    member: 'maker',
    ledger: {
      submit: async (transactions) => {
        handedIn.push(...transactions);
        return transactions.map(() => ({
          type: 'rejected',
          error: { code: 'tx.unknown-key', message: 'not registered' },
        }));
      },
      waitFor: async () => null,
      receipt: async () => fail({ code: 'http.no-receipt', message: 'rejected' }),
    },
  });
  assert(gateway.ok);
  const client = await connectAsync(broker.url);
  t.after(async () => {
    await gateway.value.close();
    await client.endAsync(true);
    await broker.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const root = `cairn/${audienceOf(ledgerHash)}`;
  const verdict = new Promise<string>((resolve) => client.once('message', (_topic, payload) => resolve(`${payload}`)));
  await client.subscribeAsync(`${root}/result/+`, { qos: 1 });
  while (gateway.value.status().received === 0) {
    await client.publishAsync(`${root}/senml/maker/pump`, '[{"n":"t","v":1}]', { qos: 1 });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { status, code, source } = JSON.parse(await verdict) as Record<string, unknown>;
  assert.deepEqual({ status, code, source }, { status: 'rejected', code: 'tx.unknown-key', source: 'maker/pump' });
  assert.equal(gateway.value.status().protocolVersion, 4);
  assert(handedIn.length > 0);
});
