/**
 * What is changed on the disk of a running node: a balance, with everything that the node keeps about it made to fit; a byte of a
 * batch and one of the history, in the files themselves. Somebody asks that node all the time: it never answers anything that
 * is false, says within two seconds that it is damaged, and mends itself.
 */
import assert from 'node:assert/strict';
import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  compareBytes,
  createStateTree,
  decodeCheckpointStatement,
  encodeCbor,
  encodeCheckpointStatement,
  leafHash,
  nobleVerifier,
  type StateEntry,
  sha256,
  signTransaction,
  verifyReceipt,
} from '@cairn-ledger/core';
import type { AccountAnswer, TransactionAnswer } from '@cairn-ledger/sdk';
import { signerOf } from '../packages/node/src/cli/signing.ts';
import { assertAgreement, type E2eNetwork, type E2eNode, networkTest, orFail, sleep, until } from './network.ts';

const balance = '1000000';
const balances = [{ account: 'alder', amount: balance }];
const noticedMsMax = 2_000;
/** Of a transaction in the load that stands in the first tile of the history. */
const laterPlace = 40;

type Known = { readonly id: string; readonly bytes: Uint8Array };

const options = {
  timeoutMs: 240_000,
  devices: ['birch/meter'],
  balances,
  onEnd: async () => {
    isEnded = true;
  },
};
let isEnded = false;

networkTest('what is changed on disk is never answered', options, async (network, step) => {
  const target = network.nodes[1]!;
  const load = startLoad(network);
  await until('a transaction is certified there', 20_000, async () => {
    const [first] = load.delivered();
    return first !== undefined && (await fetch(`${target.http}/v1/transactions/${first.id}/receipt`)).ok;
  });
  const reader = startReader(network, target, load.delivered);
  const { bytes } = load.delivered()[0]!;

  async function damage(change: () => void): Promise<void> {
    const fencedBefore = fencesOf(target).length;
    const beganMs = Date.now();
    change();
    await until('the node says that it is damaged', 60_000, async () => fencesOf(target).length > fencedBefore).finally(
      reader.count,
    );
    const noticedMs = fencesOf(target)[fencedBefore]! - beganMs;
    assert.ok(noticedMs <= noticedMsMax, `noticed after ${noticedMs} ms`);
    await until('it has mended itself', 90_000, async () => {
      const status = orFail(await target.client.status());
      return status.mode === 'active' && status.inSync;
    });
    const before = reader.count();
    await until('it answers again', 10_000, async () => reader.count() > before);
  }

  await step('a balance, and every root beside it', () => damage(() => editBalance(target)));
  // So few that they hardly ever lie across two pages.
  await step('a byte of a batch', () => damage(() => flipIn(target, bytes.subarray(-16))));
  await step('a leaf of the history', async () => {
    await until('there are so many', 20_000, async () => load.delivered().length > laterPlace);
    await fillTile(network);
    // Not one of the first: what lies on a page with the last tile is written anew with it.
    const { bytes: later } = load.delivered()[laterPlace]!;
    await damage(() => flipIn(target, leafHash(sha256(later)).subarray(0, 16)));
  });
  await step('afterwards all is as it was, on every node', async () => {
    await reader.stop();
    await load.stop();
    await assertAgreement(network.nodes);
  });
});

/** When it said so, in milliseconds. */
function fencesOf(node: E2eNode): number[] {
  return node
    .log()
    .split('\n')
    .filter((line) => line.includes('"event":"node.fenced","reason":"damaged"'))
    .map((line) => Date.parse((JSON.parse(line) as { time: string }).time));
}

function editBalance(node: E2eNode): void {
  const database = new DatabaseSync(join(node.dir, 'data', 'chain.db'), { timeout: 5_000 });
  try {
    database.exec('BEGIN IMMEDIATE');
    const key = new TextEncoder().encode('account/alder/eur');
    const { changes } = database.prepare('UPDATE state SET value = ? WHERE key = ?').run(encodeCbor(999_999_999), key);
    assert.equal(changes, 1);
    const entries = (database.prepare('SELECT key, value FROM state').all() as Record<string, Uint8Array>[])
      .map((row): StateEntry => ({ keyHash: sha256(row.key!), valueHash: sha256(row.value!) }))
      .sort((a, b) => compareBytes(a.keyHash, b.keyHash));
    const stateRoot = createStateTree({
      entriesBetween: (first, last) =>
        entries.filter(({ keyHash }) => compareBytes(keyHash, first) >= 0 && compareBytes(keyHash, last) <= 0),
    }).root();
    const put = database.prepare('UPDATE checkpoints SET statement = ? WHERE height = ?');
    for (const { height, statement } of database.prepare('SELECT height, statement FROM checkpoints').all() as {
      height: number;
      statement: Uint8Array;
    }[])
      put.run(encodeCheckpointStatement({ ...orFail(decodeCheckpointStatement(statement)), stateRoot }), height);
    database.exec('COMMIT');
  } finally {
    database.close();
  }
}

/** One bit, in the database or its log, wherever these bytes stand: past SQLite. */
function flipIn(node: E2eNode, bytes: Uint8Array): void {
  let count = 0;
  for (const name of ['chain.db', 'chain.db-wal']) {
    const path = join(node.dir, 'data', name);
    if (!existsSync(path)) continue;
    const content = readFileSync(path);
    const file = openSync(path, 'r+');
    for (let at = content.indexOf(bytes); at >= 0; at = content.indexOf(bytes, at + 1)) {
      writeSync(file, Uint8Array.of(bytes[0]! ^ 1), 0, 1, at);
      count++;
    }
    closeSync(file);
  }
  assert.ok(count > 0, 'it stands there');
}

/** The last tile of the history is written anew with every block, from memory; one that is full stays as it is. */
async function fillTile({ nodes, ledgerHash, keyPath }: E2eNetwork): Promise<void> {
  const signer = signerOf(keyPath('birch/meter'));
  const transactions = Array.from({ length: 300 }, (_, i) => {
    const counter = BigInt(i + 1);
    return signTransaction({ ledgerHash, counter, hashEnvelope: { hash: sha256(encodeCbor(i)) } }, signer);
  });
  const response = await fetch(`${nodes[0]!.http}/v1/transactions`, {
    method: 'POST',
    headers: { 'content-type': 'application/cbor-seq' },
    body: Buffer.concat(transactions),
  });
  assert.ok(response.ok, await response.clone().text());
  for (const node of nodes) {
    await until(`the first tile of ${node.id} is full`, 20_000, async () => {
      const status = orFail(await node.client.status());
      return status.historySize > 300;
    });
  }
}

/** Hands in transactions one after the other, at the other nodes, so that blocks come all the time. */
function startLoad(network: E2eNetwork) {
  const signer = signerOf(network.keyPath('alder/desk'));
  const delivered: Known[] = [];
  const isOver = { value: false };
  const running = (async () => {
    for (let counter = 1n; !isOver.value && !isEnded; counter++) {
      const hash = sha256(Uint8Array.of(Number(counter & 0xffn), Number(counter >> 8n)));
      const bytes = signTransaction({ ledgerHash: network.ledgerHash, counter, hashEnvelope: { hash } }, signer);
      const { id } = orFail(await network.client.deliver(bytes), `transaction ${counter} of the load`);
      delivered.push({ id, bytes });
      await sleep(50);
    }
  })();
  let failure: unknown = null;
  running.catch((error: unknown) => {
    failure = error;
  });
  return {
    delivered(): readonly Known[] {
      if (failure !== null) throw failure;
      return delivered;
    },
    async stop() {
      isOver.value = true;
      await running;
    },
  };
}

/** Asks for the same and for the newest, all the time. An answer is true or a refusal; anything else fails the test. */
function startReader(network: E2eNetwork, node: E2eNode, delivered: () => readonly Known[]) {
  const isOver = { value: false };
  let count = 0;
  let failure: unknown = null;

  /** Null where it refuses, or goes away meanwhile. */
  async function ask(path: string): Promise<Uint8Array | null> {
    const answer = await fetch(`${node.http}${path}`)
      .then(async (response) => ({ status: response.status, body: new Uint8Array(await response.arrayBuffer()) }))
      .catch(() => null);
    if (answer === null || [404, 409, 503].includes(answer.status)) return null;
    assert.equal(answer.status, 200, `${path}: ${Buffer.from(answer.body).toString()}`);
    count++;
    return answer.body;
  }

  async function askFor({ id, bytes }: Known): Promise<void> {
    const transaction = await ask(`/v1/transactions/${id}`);
    const told = jsonOf<TransactionAnswer>(transaction);
    if (told?.bytes !== undefined) assert.equal(told.bytes, Buffer.from(bytes).toString('base64url'));
    const receipt = await ask(`/v1/transactions/${id}/receipt`);
    if (receipt !== null) orFail(verifyReceipt(network.anchor, receipt, bytes, nobleVerifier), 'the receipt');
  }

  const running = (async () => {
    while (!isOver.value && !isEnded) {
      const account = jsonOf<AccountAnswer>(await ask('/v1/accounts/alder'));
      if (account !== null) assert.equal(account.balances[0]?.amount, balance);
      const [first, later, last] = [delivered()[0]!, delivered()[laterPlace], delivered().at(-1)!];
      for (const known of [first, later ?? first, last]) await askFor(known);
      await sleep(20);
    }
  })();
  running.catch((error: unknown) => {
    failure = error;
  });
  return {
    count() {
      if (failure !== null) throw failure;
      return count;
    },
    async stop() {
      isOver.value = true;
      await running;
    },
  };
}

function jsonOf<T>(body: Uint8Array | null): T | null {
  return body === null ? null : (JSON.parse(Buffer.from(body).toString()) as T);
}
