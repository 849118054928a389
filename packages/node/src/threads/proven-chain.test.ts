/** Whatever is changed in chain.db while it is served: nothing false is answered, from the first read on. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, type TestContext, test } from 'node:test';
import {
  blockFromParts,
  createBlock,
  createHistoryReader,
  createStateTree,
  decodeCheckpointStatement,
  decodeGenesis,
  encodeCbor,
  encodeCheckpointStatement,
  type Genesis,
  setToTrustAnchor,
  sha256,
  toEpoch,
  toHash,
  toHex,
  verifyReceipt,
} from '@cairn-ledger/core';
import { type MadeFolder, makeNodeFolder } from '../audit/testing/node-folder.ts';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { orThrow } from '../failure.ts';
import { readyStatus } from '../http/fake-edge.ts';
import { type ChainDb, openChainDb } from '../storage/chain-db.ts';
import { createCheckedStore, hashesOfBuckets } from '../storage/checked-state.ts';
import { createStateHashes, readStateHashes, writeStateHashes } from '../storage/state-hashes.ts';
import { findingOf } from '../storage/storage-error.ts';
import { transactionIdOf } from '../storage/transaction-place.ts';
import { openViewDb, type ViewDb } from '../storage/view-db.ts';
import { createNodeEdge, type NodeEdge } from './node-edge.ts';
import { createProvenChain, type ProvenChain } from './proven-chain.ts';
import { createReceiptCheck } from './receipt-check.ts';

type Parts = Parameters<typeof createNodeEdge>[0];

const tip = 14;
let folder: MadeFolder;
let genesis: Genesis;
let dir: string;

before(async () => {
  folder = await makeNodeFolder({ blocks: tip, removalAt: 2 });
  genesis = orThrow(decodeGenesis(new Uint8Array(readFileSync(join(folder.dir, 'genesis.cbor')))));
  dir = mkdtempSync(join(tmpdir(), 'cairn-proven-'));
});
after(() => {
  folder.remove();
  rmSync(dir, { recursive: true, force: true });
});

type Served = {
  readonly edge: NodeEdge;
  readonly stored: ChainDb;
  readonly view: ViewDb;
  readonly chain: ProvenChain;
};
let copies = 0;

/** A node's edge over a copy of the folder, in which something is changed after the node has begun, and perhaps read all. */
async function serve(
  t: TestContext,
  change: (sqlite: DatabaseSync) => void,
  readFirst?: (served: Served) => Promise<unknown>,
): Promise<Served> {
  const path = copyOfChain();
  const served = openEdge(t, path);
  await readFirst?.(served);
  const sqlite = new DatabaseSync(path);
  change(sqlite);
  sqlite.close();
  return served;
}

function copyOfChain(): string {
  const path = join(dir, `chain-${copies++}.db`);
  copyFileSync(join(folder.dir, 'data', 'chain.db'), path);
  return path;
}

function openEdge(t: TestContext, path: string): Served {
  const stored = orThrow(openChainDb(path, { ledgerHash: folder.ledgerHash }));
  const view = orThrow(openViewDb(join(folder.dir, 'data', 'view.db'), { readOnly: true }));
  t.after(() => {
    view.close();
    stored.close();
  });
  const shared = createStateHashes();
  const writer = writeStateHashes(shared);
  createStateTree(stored.entries, { onBucket: writer.set });
  writer.publish(() => undefined);
  const hashes = hashesOfBuckets(readStateHashes(shared), (bucket) => stored.stateBucket(bucket));
  const chain = createProvenChain(stored, {
    genesis,
    ledgerHash: folder.ledgerHash,
    verifier: sodiumVerifier,
    store: createCheckedStore(stored.store, hashes),
  });
  const edge = createNodeEdge({
    genesis,
    genesisBytes: new Uint8Array(0),
    chain,
    view,
    history: createHistoryReader(chain.tiles),
    isReceiptSound: createReceiptCheck(chain, folder.ledgerHash, sodiumVerifier),
    admission: { isPending: () => false } as unknown as Parts['admission'],
    waiters: {} as unknown as Parts['waiters'],
    book: {} as unknown as Parts['book'],
    validatorId: 'node-1',
    listen: { host: '127.0.0.1', port: 0 },
    addressesOf: () => null,
    fence: () => Promise.reject(new Error('not here')),
    unfence: () => Promise.reject(new Error('not here')),
    status: () => readyStatus,
    metrics: () => Promise.resolve(''),
  });
  return { edge, stored, view, chain };
}

/** Everything that can be asked about the chain, one thing after the other. */
const reads: Readonly<Record<string, (served: Served) => Promise<unknown>>> = {
  block: ({ edge }) => edge.block(5, false),
  transactions: ({ edge }) => edge.block(5, true),
  checkpoint: ({ edge }) => edge.checkpoint(5),
  latest: ({ edge }) => edge.latestCheckpoint(),
  epochs: ({ edge }) => edge.epochs(1, 16),
  validators: ({ edge }) => edge.validators(),
  receipt: ({ edge, view, stored }) => receiptOf(edge, idAt(view, stored, 5, 2)),
  transaction: async ({ edge, view, stored }) => edge.transaction(idAt(view, stored, 5, 2)),
  account: ({ edge }) => edge.account('birch/meter'),
  accounts: ({ edge }) => edge.accounts!({ limit: 100, cursor: null }),
  device: ({ edge }) => edge.device('birch/meter'),
  members: ({ edge }) => edge.members(),
  membership: ({ edge }) => edge.membership(),
  readings: ({ edge }) => edge.readings('birch/meter', { fromMs: null, toMs: null, limit: 100, cursor: null }),
};

/** Several checkpoints prove the same; what is told is whether the receipt does. */
async function receiptOf(edge: NodeEdge, id: Uint8Array): Promise<string> {
  const receipt = orThrow(await edge.receipt(id));
  const anchor = setToTrustAnchor(folder.ledgerHash, toEpoch(1), genesis.validators, 0);
  const { leafIndex } = orThrow(verifyReceipt(anchor, receipt, transactionBytes.get(id)!, sodiumVerifier));
  return `holds for leaf ${leafIndex}`;
}

const transactionBytes = new Map<Uint8Array, Uint8Array>();
const ids = new Map<string, Uint8Array>();
function idAt(view: ViewDb, stored: ChainDb, height: number, position: number): Uint8Array {
  const name = `${height}/${position}`;
  const known = ids.get(name);
  if (known !== undefined) return known;
  const { place } = view.transactionAt(height, position)!;
  const batch = stored.batchesOf(height)[place.batch]!.bytes.slice(place.offset, place.offset + place.length);
  // Whoever asks knows it from elsewhere.
  const id = transactionIdOf(batch);
  ids.set(name, id);
  transactionBytes.set(id, batch);
  return id;
}

const flip = (table: string, column: string, where: string, at?: number) => (sqlite: DatabaseSync) => {
  const row = sqlite.prepare(`SELECT ${column} AS bytes FROM ${table} WHERE ${where}`).get() as { bytes: Uint8Array };
  const bytes = row.bytes.slice();
  bytes[at ?? bytes.length >> 1]! ^= 1;
  sqlite.prepare(`UPDATE ${table} SET ${column} = ? WHERE ${where}`).run(bytes);
};
const run = (sql: string) => (sqlite: DatabaseSync) => {
  assert.ok(sqlite.prepare(sql).run().changes > 0, sql);
};

/** Another time in the header, and everything that stands beside it made to fit. */
function forgeBlock(sqlite: DatabaseSync): void {
  const row = sqlite.prepare('SELECT header, body FROM blocks WHERE height = 5').get() as Record<string, Uint8Array>;
  const { header, batches, evidence } = orThrow(blockFromParts(row.header!, row.body!));
  const forged = createBlock({ ...header, timeMs: header.timeMs + 1 }, batches, evidence);
  sqlite
    .prepare('UPDATE blocks SET header = ?, digest = ?, time_ms = ? WHERE height = 5')
    .run(forged.headerBytes, forged.digest, forged.header.timeMs);
}

/** Another root in a statement that is certified. */
function forgeStatement(sqlite: DatabaseSync): void {
  for (const { height, statement } of sqlite.prepare('SELECT height, statement FROM checkpoints').all() as {
    height: number;
    statement: Uint8Array;
  }[]) {
    const decoded = orThrow(decodeCheckpointStatement(statement));
    const forged = encodeCheckpointStatement({ ...decoded, stateRoot: sha256(Uint8Array.of(height)) });
    sqlite.prepare('UPDATE checkpoints SET statement = ? WHERE height = ?').run(forged, height);
  }
}

/** What is changed, and what can then no longer be answered by who has read nothing of it yet. */
const changes: Readonly<Record<string, readonly [(sqlite: DatabaseSync) => void, readonly string[]]>> = {
  'a balance': [
    (sqlite) =>
      void sqlite
        .prepare("UPDATE state SET value = ? WHERE CAST(key AS TEXT) = 'account/birch/meter/eur'")
        .run(encodeCbor(1_000_000n)),
    ['account', 'accounts'],
  ],
  'a balance that is gone': [run("DELETE FROM state WHERE CAST(key AS TEXT) = 'asset/eur'"), ['account', 'accounts']],
  'a key': [
    flip(
      'state',
      'value',
      "CAST(key AS TEXT) LIKE 'key/%' AND bucket = (SELECT MIN(bucket) FROM state WHERE CAST(key AS TEXT) LIKE 'key/%')",
    ),
    ['device', 'members'],
  ],
  'a member': [flip('state', 'value', "CAST(key AS TEXT) = 'member/birch'"), ['accounts', 'members', 'membership']],
  'a record that was put in': [
    run(
      "INSERT INTO state VALUES (CAST('member/mallory' AS BLOB), 7, (SELECT value FROM state WHERE CAST(key AS TEXT) = 'member/birch'))",
    ),
    ['members', 'membership'],
  ],
  'a header': [flip('blocks', 'header', 'height = 5'), ['block', 'transactions', 'receipt', 'transaction']],
  'a header, everything beside it made to fit': [forgeBlock, ['block', 'transactions']],
  'a body': [flip('blocks', 'body', 'height = 5'), ['block', 'transactions']],
  'a block that is gone': [run('DELETE FROM blocks WHERE height = 5'), ['block', 'transactions']],
  'a view': [run('UPDATE blocks SET view = view + 1 WHERE height = 5'), ['block']],
  'a time': [run('UPDATE blocks SET time_ms = time_ms + 1 WHERE height = 5'), ['block']],
  'a finalization': [flip('blocks', 'finalization', 'height = 5'), ['block']],
  'a batch': [
    flip('batch_parts', 'bytes', 'id = 128 * 64 * 5'),
    ['transactions', 'transaction', 'receipt', 'readings'],
  ],
  'a batch that is gone': [run('DELETE FROM batches WHERE id = 64 * 5'), ['transactions', 'transaction', 'receipt']],
  'every statement': [forgeStatement, ['checkpoint', 'latest', 'receipt']],
  'signatures of a checkpoint': [flip('checkpoints', 'signatures', 'height = 5'), ['checkpoint', 'receipt']],
  'a checkpoint that is gone': [run('DELETE FROM checkpoints WHERE height = 5'), ['checkpoint']],
  'a tile': [flip('history_tiles', 'hashes', 'id = 0', 0), ['receipt']],
  'a tile that is a text': [run('UPDATE history_tiles SET hashes = CAST(hashes AS TEXT)'), ['receipt', 'transaction']],
  'a balance that is a text': [
    run("UPDATE state SET value = CAST(value AS TEXT) WHERE CAST(key AS TEXT) LIKE 'account/%'"),
    ['account', 'accounts'],
  ],
  'a tile that is gone': [run('DELETE FROM history_tiles WHERE id = 0'), ['receipt', 'transaction']],
};

const text = (value: unknown): string =>
  JSON.stringify(value, (_, each) =>
    typeof each === 'bigint' ? `${each}n` : each instanceof Uint8Array ? toHex(each) : each,
  );

async function answersOf(served: Served): Promise<Record<string, string>> {
  const answers: Record<string, string> = {};
  for (const [name, read] of Object.entries(reads)) {
    answers[name] = await read(served).then(text, (cause: unknown) => {
      if (findingOf(cause) === null) throw cause;
      return 'damaged';
    });
  }
  return answers;
}

test('a chain that is as it was written is answered as a whole', async (t) => {
  const answers = await answersOf(await serve(t, () => undefined));
  for (const [name, answer] of Object.entries(answers)) assert.ok(answer !== 'null' && answer !== 'damaged', name);
});

test('what stands in a block whose proof is still to come is not shown yet, and is no damage', async (t) => {
  const withdraw = run(`UPDATE blocks SET finalization = NULL, view = 0 WHERE height >= ${tip - 1}`);
  const { edge, stored, view, chain } = await serve(t, withdraw);
  const [proven, awaited] = [idAt(view, stored, tip - 2, 2), idAt(view, stored, tip, 2)];
  const heightsRead = async (): Promise<Set<number>> => {
    const heights = new Set<number>();
    for (const device of ['birch/meter', 'alder/desk']) {
      const page = await edge.readings(device, { fromMs: null, toMs: null, limit: 200, cursor: null });
      for (const { height } of orThrow(page!).items) heights.add(height);
    }
    return heights;
  };
  assert.equal((await edge.transaction(proven))?.height, tip - 2);
  assert.equal(await edge.transaction(awaited), null);
  assert.ok((await heightsRead()).has(tip - 2) && !(await heightsRead()).has(tip));
  for (const height of [tip - 1, tip]) {
    const { digest } = stored.blockByHeight(height)!;
    const { statement } = stored.checkpoint(height)!;
    chain.noteExecuted({ height, view: 0, block: toHash(digest), checkpoint: sha256(statement) });
  }
  assert.equal((await edge.transaction(awaited))?.height, tip);
  assert.ok((await heightsRead()).has(tip));
});

for (const [what, [change, refused]] of Object.entries(changes)) {
  test(`nothing false is answered, and it is noticed: ${what}`, async (t) => {
    const sound = await answersOf(await serve(t, () => undefined));
    const cold = await answersOf(await serve(t, change));
    for (const name of refused) assert.equal(cold[name], 'damaged', name);
    const warm = await answersOf(await serve(t, change, answersOf));
    for (const answers of [cold, warm])
      for (const [name, answer] of Object.entries(answers))
        assert.ok(answer === 'damaged' || answer === sound[name], `${name}: ${answer} instead of ${sound[name]}`);
  });
}

const setOf = (epoch: number) =>
  `UPDATE epochs SET validators = (SELECT validators FROM epochs WHERE epoch = ${epoch})`;
for (const sql of [
  `${setOf(1)} WHERE epoch = 2`,
  `${setOf(2)} WHERE epoch = 1`,
  'UPDATE epochs SET genesis_height = genesis_height + 1 WHERE epoch = 2',
]) {
  test(`whose epochs are not those that began is not even started: ${sql}`, (t) => {
    const path = copyOfChain();
    const sqlite = new DatabaseSync(path);
    assert.ok(sqlite.prepare(sql).run().changes > 0);
    sqlite.close();
    assert.throws(
      () => openEdge(t, path),
      (cause) => findingOf(cause)?.class === 'checkpoint',
    );
  });
}
