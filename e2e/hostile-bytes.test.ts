/**
 * Wrong bytes on every port while the network commits: from strangers, and from who holds a validator's link key. Nothing
 * crashes, memory stays bounded, agreement goes on, and whoever means well is served as before.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { audienceOf, type Cbor, encodeCbor } from '@cairn-ledger/core';
import { createKey, signTransaction } from '@cairn-ledger/sdk';
import mqtt from 'mqtt';
import { mosquittoMissing, startMosquitto } from '../packages/gateway/src/testing/brokers.ts';
import { signerOf } from '../packages/node/src/cli/signing.ts';
import { createLinkIdentity } from '../packages/node/src/crypto/certificate.ts';
import { readNodeKeys } from '../packages/node/src/keys/node-keys.ts';
import { framed, helloOf, linkMessage } from '../packages/node/src/transport/testing/hostile-peer.ts';
import { tlsOptionsOf } from '../packages/node/src/transport/tls-settings.ts';
import {
  assertAgreement,
  type E2eNetwork,
  type E2eNode,
  metricOf,
  networkTest,
  orFail,
  residentMiB,
  sleep,
  until,
  untilInSync,
} from './network.ts';

const broker = mosquittoMissing === false ? await startMosquitto(['max_queued_messages 10000']) : null;
const residentMiBMax = 400;
const grownMiBMax = 200;
const finalWithinMs = 8_000;

networkTest(
  'hostile bytes',
  { ...(broker && { mqtt: broker.url }), timeoutMs: 180_000, onEnd: () => broker?.close() },
  async (network, step) => {
    const [first, second, third, fourth] = network.nodes as [E2eNode, E2eNode, E2eNode, E2eNode];
    const honest = [first, second, third];
    const load = startLoad(network, honest);
    await until('the network has warmed up', 20_000, async () => load.accepted() >= 20);
    const before = honest.map((node) => residentMiB(node.pid()));
    const memory = watchMemory(honest);
    const seed = randomBytes(4).toString('hex');
    const junk = junkOf(seed);
    console.log(`seed ${seed}`);
    /** Meanwhile transactions have become final. */
    const goesOn = async (): Promise<void> => {
      const already = load.accepted();
      await until('further transactions are final', finalWithinMs, async () => load.accepted() >= already + 5);
      for (const node of honest) assert.ok(node.isRunning());
    };

    await step('HTTP: every wrong body is answered with a problem that names its code', async () => {
      for (const [i, body] of junk.entries()) {
        const type = i % 2 === 0 ? 'application/cose' : 'application/cbor-seq';
        const { status, problem } = await post(honest[i % 3]!, body, type);
        if (status === 202 || status === 200) {
          const outcomes = JSON.parse(problem.text) as { status: string; code: string }[];
          assert.ok(
            outcomes.every((outcome) => outcome.status === 'rejected' && outcome.code.includes('.')),
            problem.text,
          );
          continue;
        }
        assert.ok(status >= 400 && status < 500, `${status} ${problem.text}`);
        assert.match(JSON.parse(problem.text).code as string, /^[a-z]+\.[a-z-]+$/);
      }
      await goesOn();
    });

    await step(
      'HTTP: too much, too slow, and what is not HTTP at all, ends the connection and nothing else',
      async () => {
        const { port } = new URL(first.http);
        const { status } = await post(first, Buffer.alloc(3 << 20), 'application/cbor-seq');
        assert.equal(status, 413);
        const starts = [
          'POST /v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-type: application/cose\r\ncontent-length: 60000\r\n\r\nabc',
          'POST /v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n',
          'POST /v1/transactions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n',
          'GET / HTTP/9.9\r\n\r\n',
          `GET /${'a'.repeat(20_000)} HTTP/1.1\r\n`,
          `GET / HTTP/1.1\r\n${'x: y\r\n'.repeat(5_000)}`,
          'GET /v1/transactions/%00%ff HTTP/1.1\r\nhost: x\r\n\r\n',
          'GET /v1/devices/..%2f..%2fetc/readings HTTP/1.1\r\nhost: x\r\n\r\n',
        ];
        const sockets = starts.flatMap((start) => [start, start]).map((start) => pour(Number(port), start));
        for (const bytes of junk) sockets.push(pour(Number(port), bytes));
        await goesOn();
        for (const socket of sockets) socket.destroy();
      },
    );

    await step('HTTP: no query, however odd, is answered with an error of the node itself', async () => {
      const odd = ['-1', '1e9', '99999999999999999999', 'x', '%00', '%F0%9F%92%A9', '[]', "'", '../..', ''];
      for (const word of odd)
        for (const path of [
          `/v1/transactions/${word}`,
          `/v1/blocks/${word}`,
          `/v1/checkpoints/${word}`,
          `/v1/accounts/${word}`,
          `/v1/devices/${word}/readings`,
          `/v1/devices/alder%2Fdesk/readings?from=${word}&to=${word}&limit=${word}&cursor=${word}`,
        ]) {
          const response = await fetch(first.http + path);
          const text = await response.text();
          assert.ok(response.status < 500, `${path} is answered with ${response.status} ${text}`);
          assert.doesNotMatch(text, /node_modules|\.ts:\d/, 'an answer never shows where it comes from');
        }
      await goesOn();
    });

    await step('peer port: strangers with and without TLS get nowhere', async () => {
      const sockets: Socket[] = [];
      for (const [i, bytes] of junk.entries()) sockets.push(pour(honest[i % 3]!.linkPort, bytes));
      // The beginning of a TLS handshake that promises more than it sends.
      for (const node of honest) sockets.push(pour(node.linkPort, Buffer.from('1603010200010001fc0303', 'hex')));
      const stranger = createLinkIdentity(createKey().secretKey);
      for (const node of honest) {
        const socket = tls(node, stranger);
        socket.on('secureConnect', () => socket.write(framed(randomBytes(100_000), { declared: 0x7fffffff })));
        sockets.push(socket);
      }
      await goesOn();
      for (const socket of sockets) socket.destroy();
    });

    await step('peer port: a validator that says wrong things is cut off, and welcome again as itself', async () => {
      await fourth.stop();
      const identity = createLinkIdentity(orFail(readNodeKeys(join(fourth.dir, 'keys'))).link.secretKey);
      const hello = { id: fourth.id, ledgerHash: network.ledgerHash };
      const lies = [
        ...junk.map((bytes) => framed(bytes.subarray(0, 200_000))),
        ...wrongMessages().map((bytes) => framed(bytes)),
        framed(new Uint8Array(10), { declared: 0x7fffffff }),
        framed(new Uint8Array(0)),
        linkMessage(helloOf({ ...hello, id: first.id })),
        framed(randomBytes(400), { isLinkMessage: true }),
      ];
      let sequence = 0;
      const lie = (node: E2eNode, bytes: Uint8Array): Promise<void> =>
        new Promise((resolve) => {
          const socket = tls(node, identity);
          const channel = sequence++ % 2 === 0 ? ('control' as const) : ('bulk' as const);
          socket.once('secureConnect', () => {
            socket.write(linkMessage(helloOf({ ...hello, channel, sequence })));
            socket.end(bytes);
          });
          socket.once('close', () => resolve());
        });
      await Promise.all(
        honest.map(async (node, n) => {
          for (let i = n; i < lies.length; i += honest.length) await lie(node, lies[i]!);
        }),
      );
      for (const node of honest) {
        const refused = await metricOf(node, 'link_errors_total', '"message.malformed"');
        assert.ok(refused >= 30, `${node.id} has refused ${refused} messages`);
      }
      await goesOn();
      // Who does not stop is kept out for a while, and fills no log.
      await until('it is cut off', 60_000, async () => {
        // What was said before may have cost it its link for some seconds: then it tries again.
        await lie(first, Buffer.concat(Array.from({ length: 2_000 }, () => framed(randomBytes(20)))));
        return first.log().includes('"peer.disconnected"');
      });
      assert.ok(first.log().split('"message.refused"').length < 100);
      await goesOn();
      await fourth.start();
      await untilInSync(network.nodes);
    });

    await step(
      'MQTT: wrong messages are counted and answered, right ones are taken',
      async () => {
        const client = await mqtt.connectAsync(broker!.url);
        try {
          const root = `cairn/${audienceOf(network.ledgerHash)}`;
          const rejections: string[] = [];
          client.on('message', (_topic, payload) => rejections.push(payload.toString()));
          await client.subscribeAsync(`${root}/rejected/#`);
          const topics = [
            'tx',
            'senml/alder/desk',
            'senml/alder',
            'senml/alder/desk/more',
            'senml/alder/DESK',
            'senml/birch/none',
          ];
          const texts = [
            '',
            '[',
            '[]',
            '{}',
            '[{"n":"t","v":1e999999}]',
            '[{"n":"t","v":"x"}]x',
            `${'['.repeat(50_000)}`,
            '[{"v":1}]',
          ];
          for (const [i, bytes] of [...junk, ...texts.map((text) => Buffer.from(text))].entries())
            for (const topic of [topics[i % topics.length]!, 'tx', 'senml/alder/desk'])
              await client.publishAsync(`${root}/${topic}`, Buffer.from(bytes), { qos: 1 });
          const right = '[{"n":"alive","t":1700000000,"v":1.50}]';
          await client.publishAsync(`${root}/senml/alder/desk`, right, { qos: 1 });
          await until('the right one is on the ledger', 20_000, async () => {
            const { readings } = orFail(await third.client.readings('alder/desk', { limit: 10_000 }));
            return readings.some(({ name, provenance }) => name.endsWith('alive') && provenance === 'gateway-attested');
          });
          assert.ok(rejections.length > 20, `${rejections.length} were answered`);
          for (const text of rejections) assert.match((JSON.parse(text) as { code: string }).code, /^[a-z]+\.[a-z-]+$/);
        } finally {
          await client.endAsync();
        }
        await goesOn();
      },
      mosquittoMissing,
    );

    await step('nobody crashed or swelled, nothing was lost, and all agree', async () => {
      const { accepted, slowestMs } = await load.end();
      const most = memory.end();
      for (const [i, node] of honest.entries()) {
        const [grown, now] = [Math.round(most[i]! - before[i]!), Math.round(most[i]!)];
        assert.ok(now < residentMiBMax && grown < grownMiBMax, `${node.id} used up to ${now} MiB, ${grown} more`);
      }
      assert.ok(slowestMs < finalWithinMs, `every transaction was final within ${finalWithinMs} ms: ${slowestMs} ms`);
      console.log(
        `${accepted} transactions meanwhile, slowest ${slowestMs} ms; at most ${Math.round(Math.max(...most))} MiB`,
      );
      await assertAgreement(network.nodes);
    });
  },
);

/** Random, truncated, oversized, deeply nested and wrongly typed bytes; the seed names the random ones. */
function junkOf(seed: string): Uint8Array[] {
  const transaction = Buffer.from(
    orFail(
      signTransaction(
        {
          ledgerHash: new Uint8Array(32).fill(1),
          counter: 1n,
          readings: [{ name: 't', time: '1700000000', value: { type: 'number', text: '1.5' } }],
        },
        { ...signerLike, kid: new Uint8Array(8) },
      ),
    ),
  );
  const mutated = Array.from({ length: 20 }, (_, i) => {
    const copy = Buffer.from(transaction);
    copy[(i * 7919) % copy.length]! ^= 1 << (i % 8);
    return copy;
  });
  return [
    ...[1, 2, 7, 64, 500, 5_000, 60_000].map((size) => pseudoRandom(seed, size)),
    ...[1, 5, 20, 100].map((cut) => transaction.subarray(0, Math.max(1, transaction.length - cut))),
    Buffer.concat([transaction, Buffer.alloc(10)]),
    ...mutated,
    // Arrays in arrays, maps in maps, tags on tags, to a depth that would end a recursive reader.
    Buffer.alloc(60_000, 0x81),
    Buffer.alloc(60_000, 0xa1),
    Buffer.alloc(60_000, 0xd2),
    Buffer.alloc(60_000, 0x9f),
    // Lengths that promise 2^63 bytes, items, pairs.
    Buffer.from('5b7fffffffffffffff', 'hex'),
    Buffer.from('9b7fffffffffffffff', 'hex'),
    Buffer.from('bb7fffffffffffffff', 'hex'),
    Buffer.from('d2845b00000000ffffffff', 'hex'),
    ...[null, 1, -1, 'text', [], new Map(), [1, 2, 3, 4], new Uint8Array(64)].map((value) => encodeCbor(value as Cbor)),
    Buffer.from('{"json": true}'),
    Buffer.from('f97e00', 'hex'),
  ];
}

/** Signs with nothing: what matters is that it does not verify. */
const signerLike = {
  algorithm: 'ed25519' as const,
  publicKey: new Uint8Array(32),
  sign: () => new Uint8Array(64).fill(7),
};

/** Messages of every kind with fields of the wrong number and types. */
function wrongMessages(): Uint8Array[] {
  const fields: Cbor[] = [0, -1, 2n ** 64n - 1n, '', new Uint8Array(32), [], [[[]]], new Map(), null, true];
  return Array.from({ length: 24 }, (_, kind) => kind).flatMap((kind) => [
    encodeCbor([kind]),
    encodeCbor([kind, ...fields]),
    encodeCbor([kind, ...fields.slice(kind % 5, (kind % 5) + 5)]),
    encodeCbor([kind, Array.from({ length: 5_000 }, () => new Uint8Array(1))]),
  ]);
}

function pseudoRandom(seed: string, size: number): Buffer {
  let state = Number.parseInt(seed, 16) ^ size;
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

function pour(port: number, bytes: string | Uint8Array): Socket {
  const socket = connectTcp({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  socket.on('connect', () => socket.write(bytes));
  return socket;
}

function tls(node: E2eNode, identity: ReturnType<typeof createLinkIdentity>): Socket {
  const socket = connectTls({ host: '127.0.0.1', port: node.linkPort, ...tlsOptionsOf(identity) });
  socket.on('error', () => undefined);
  socket.resume();
  return socket;
}

async function post(
  node: E2eNode,
  body: Uint8Array,
  type: string,
): Promise<{ status: number; problem: { text: string } }> {
  const response = await fetch(`${node.http}/v1/transactions`, {
    method: 'POST',
    headers: { 'content-type': type },
    body: Buffer.from(body),
  });
  return { status: response.status, problem: { text: await response.text() } };
}

type Load = { accepted(): number; end(): Promise<{ accepted: number; slowestMs: number }> };

/** One transaction after the other at each of these nodes, each waited for. Anything but accepted fails at the end. */
function startLoad(network: E2eNetwork, nodes: readonly E2eNode[]): Load {
  const signer = signerOf(network.keyPath('alder/desk'));
  let isOver = false;
  let accepted = 0;
  let slowestMs = 0;
  let counter = 0n;
  const run = async (node: E2eNode): Promise<void> => {
    while (!isOver) {
      counter++;
      const readings = [{ name: 'n', time: '1700000000', value: { type: 'number' as const, text: String(counter) } }];
      const transaction = orFail(signTransaction({ ledgerHash: network.ledgerHash, counter, readings }, signer));
      const startedMs = performance.now();
      const [outcome] = orFail(await node.client.submitMany([transaction], 20_000), `handing in at ${node.id}`);
      assert.equal(outcome!.status, 'accepted', JSON.stringify(outcome));
      slowestMs = Math.max(slowestMs, Math.round(performance.now() - startedMs));
      accepted++;
      await sleep(50);
    }
  };
  const running = Promise.all(nodes.map(run));
  // Looked at in `end`.
  running.catch(() => undefined);
  return {
    accepted: () => accepted,
    async end() {
      isOver = true;
      await running;
      return { accepted, slowestMs };
    },
  };
}

function watchMemory(nodes: readonly E2eNode[]): { end(): number[] } {
  const most = nodes.map(() => 0);
  const look = (): void => {
    for (const [i, node] of nodes.entries())
      if (node.isRunning()) most[i] = Math.max(most[i]!, residentMiB(node.pid()));
  };
  const timer = setInterval(look, 100);
  timer.unref();
  return {
    end() {
      clearInterval(timer);
      look();
      return most;
    },
  };
}
