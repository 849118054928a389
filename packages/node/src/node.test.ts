/** One whole node in this process: a network of one validator, with all its threads, files and sockets. */
import { strict as assert } from 'node:assert';
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { defaultParameters, genesisToTrustAnchor } from '@cairn-ledger/core';
import { createClient, signTransaction } from '@cairn-ledger/sdk';
import { foundNetwork } from './cli/founding/found-network.ts';
import { type NodeConfig, nodeConfigIn } from './config/node-config.ts';
import { createNodeSigner } from './crypto/signer.ts';
import { readKeyFile } from './keys/key-file.ts';
import { NodeFailed, type RunningNode, startNode } from './node.ts';

const dir = mkdtempSync(join(tmpdir(), 'cairn-node-'));
after(() => rmSync(dir, { recursive: true }));

const founded = foundNetwork(
  {
    name: 'of one',
    members: [{ id: 'alder', name: 'Alder', person: null }],
    nodes: [
      {
        id: 'node-1',
        member: 'alder',
        address: '127.0.0.1:1',
        http: { host: '127.0.0.1', port: 0 },
        mqtt: null,
        publicPath: null,
      },
    ],
    devices: [{ id: 'alder/desk', key: null }],
    assets: [],
    balances: [],
    parameters: { ...defaultParameters, deltaMs: 100 },
  },
  join(dir, 'network'),
  Date.now(),
);
assert.ok(founded.ok);
const { ledgerHash, keyPaths, nodeDirs, genesisPath } = founded.value;
const anchor = genesisToTrustAnchor(new Uint8Array(readFileSync(genesisPath)));
assert.ok(anchor.ok);
const deskKey = readKeyFile(keyPaths['alder/desk']!);
assert.ok(deskKey.ok);
const desk = createNodeSigner(deskKey.value.algorithm, deskKey.value.secretKey);
const config: NodeConfig = nodeConfigIn(nodeDirs['node-1']!, {
  validatorId: 'node-1',
  listen: { host: '127.0.0.1', port: 0 },
  http: { host: '127.0.0.1', port: 0 },
  logLevel: 'fatal',
  workers: 1,
});
let counter = 0n;

function reading(text: string): Uint8Array {
  counter++;
  const readings = [{ name: 't', time: '1700000000', value: { type: 'number' as const, text } }];
  const signed = signTransaction({ ledgerHash, counter, readings }, desk);
  assert.ok(signed.ok);
  return signed.value;
}

const clientOf = (node: RunningNode) => createClient({ nodes: [node.httpUrl], anchor: anchor.value, timeoutMs: 8_000 });

/** Runs a node, and stops it whatever happens. */
async function withNode(body: (node: RunningNode) => Promise<void>): Promise<void> {
  const node = await startNode(config);
  try {
    await body(node);
  } finally {
    await node.stop();
  }
}

test('a node with a verification thread executes, certifies and gives back what was handed in', async () => {
  await withNode(async (node) => {
    const client = clientOf(node);
    for (const text of ['1.50', '73.96732207']) {
      const delivered = await client.deliver(reading(text));
      assert.ok(delivered.ok, JSON.stringify(delivered));
    }
    const page = await client.readings('alder/desk');
    assert.ok(page.ok && JSON.stringify(page.value).includes('73.96732207'));
    const metrics = await (await fetch(`${node.httpUrl}/metrics`)).text();
    assert.equal(page.value.heldFrom, 0, 'it has everything');
    const names = ['cairn_finality_seconds_count 2', 'cairn_thread_heap_bytes{thread="agreement"}'];
    for (const name of [...names, 'cairn_history_held_from_height 0\n'])
      assert.ok(metrics.includes(name), `${name} in ${metrics}`);
    for (const thread of ['ledger', 'edge']) assert.match(metrics, new RegExp(`thread_busy_ratio{thread="${thread}"}`));
  });
});

test('a second process on the folder is refused before it opens a database, and told what to do', async () => {
  await withNode(async () => {
    await assert.rejects(startNode(config), (error: unknown) => {
      assert.ok(error instanceof NodeFailed);
      assert.equal(error.code, 'journal.in-use');
      assert.match(error.message, /stop that node/);
      return true;
    });
  });
});

test('a start that comes half the way lets go of everything, and says why', async () => {
  const taken = await startNode(config);
  const port = Number(new URL(taken.httpUrl).port);
  const elsewhere = { ...config, dataDir: join(dir, 'elsewhere'), http: { host: '127.0.0.1', port } };
  const started = startNode(elsewhere);
  await assert.rejects(started, (error: unknown) => error instanceof NodeFailed && /^config\.http/.test(error.code));
  await taken.stop();
});

test('a stopped node starts again with all it had, and signs on', async () => {
  await withNode(async (node) => {
    const page = await clientOf(node).readings('alder/desk');
    assert.ok(page.ok && JSON.stringify(page.value).includes('1.50'));
    assert.ok((await clientOf(node).deliver(reading('2.25'))).ok);
  });
});

test('a node whose data folder is lost follows and answers, and takes and signs nothing; the right folder mends it', async () => {
  renameSync(config.dataDir, `${config.dataDir}.kept`);
  for (const _start of ['found', 'noted']) {
    await withNode(async (node) => {
      assert.equal((await fetch(`${node.httpUrl}/readyz`)).status, 503);
      const status = (await (await fetch(`${node.httpUrl}/v1/status`)).json()) as { mode: string };
      assert.equal(status.mode, 'fenced');
      const refused = await fetch(`${node.httpUrl}/v1/transactions`, {
        method: 'POST',
        headers: { 'content-type': 'application/cose' },
        body: reading('3') as Uint8Array<ArrayBuffer>,
      });
      assert.equal(refused.status, 503);
      assert.match(await refused.text(), /node\.fenced/);
    });
  }
  rmSync(config.dataDir, { recursive: true });
  renameSync(`${config.dataDir}.kept`, config.dataDir);
  await withNode(async (node) => {
    assert.ok((await clientOf(node).deliver(reading('4.75'))).ok);
  });
});

test('a node whose release does not know the rules of its epoch says that it must be upgraded, and changes nothing', async () => {
  const path = join(config.dataDir, 'chain.db');
  const rulesAre = (rules: number) => {
    const sqlite = new DatabaseSync(path);
    sqlite.exec(`UPDATE epochs SET rules = ${rules}`);
    sqlite.close();
  };
  rulesAre(2);
  await assert.rejects(startNode(config), (error: unknown) => {
    assert.ok(error instanceof NodeFailed);
    assert.equal(error.code, 'node.old-release');
    assert.match(error.message, /upgrade this node.* rules 2/);
    return true;
  });
  rulesAre(1);
  await withNode(async (node) => {
    assert.ok((await clientOf(node).deliver(reading('5'))).ok);
  });
});
