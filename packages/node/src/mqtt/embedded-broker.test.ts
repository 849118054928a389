import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { test } from 'node:test';
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
