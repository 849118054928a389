import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import {
  compareBytes,
  createHistoryTree,
  createStateTree,
  decodeTransaction,
  pathToKey,
  sha256,
  toHash,
} from '@cairn-ledger/core';
import { type ChainDb, type ChainDbOptions, isBlockIntact, openChainDb } from './chain-db.ts';
import { createTestChain, genesisTimeMs, packAt } from './testing/test-chain.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test('a committed block comes back whole, by height and by digest, also after a restart', (t) => {
  const path = pathOf(t);
  const chain = opened(path);
  const made = createTestChain(chain);
  const transactions = [made.sign(made.device(0), { senml: packAt([genesisTimeMs]) })];
  made.commit(transactions);
  chain.close();
  const again = opened(path);
  const tip = again.tip()!;
  assert.equal(tip.height, 1);
  assert.deepEqual(tip, again.blockByHeight(1));
  assert.deepEqual(tip, again.blockByDigest(tip.digest));
  assert.deepEqual(tip.header, text('header 1'));
  assert.deepEqual(tip.body, text('body 1'));
  assert.equal(tip.finalization, null);
  assert.equal(tip.historySize, 3);
  assert.equal(isBlockIntact(tip), true);
  assert.equal(again.firstHeight(), 0);
  assert.equal(again.blockByHeight(2), null);
  assert.equal(again.blockByDigest(new Uint8Array(32)), null);
  again.close();
});

test('a new database has no tip, no checkpoint and no state', (t) => {
  const chain = opened(pathOf(t));
  assert.equal(chain.tip(), null);
  assert.equal(chain.firstHeight(), null);
  assert.equal(chain.latestCertified(), null);
  assert.equal(chain.lowestUncertified(), null);
  assert.equal(chain.store.get(text('parameters')), null);
  chain.close();
});

test('blocks are committed in order: a gap or a repetition is our own bug and changes nothing', (t) => {
  const chain = opened(pathOf(t));
  const made = createTestChain(chain);
  made.commit([]);
  const { block } = made.execute([]);
  assert.throws(() => chain.commitBlock({ ...block, height: 3 }), /committed in order/);
  assert.throws(() => chain.commitBlock({ ...block, height: 1 }), /committed in order/);
  assert.equal(chain.tip()!.height, 1);
  assert.ok(chain.commitBlock(block).ok, 'an assertion is not a failed write');
  chain.close();
});

test('what execution told of a block is kept with it; a block that has nothing to tell has no row', (t) => {
  const path = pathOf(t);
  const chain = opened(path);
  const made = createTestChain(chain);
  made.commit([]);
  const { block } = made.execute([]);
  const news = [
    { kind: 'suspended', data: { validator: 'node-1', cause: 'attested' } },
    { kind: 'target-changed', data: { joined: null, left: [], rules: 1 } },
  ] as const;
  assert.ok(chain.commitBlock({ ...block, news }).ok);
  chain.close();
  const again = opened(path);
  assert.deepEqual(again.newsOf(2), news);
  assert.deepEqual([again.newsOf(1), again.newsOf(3)], [[], []]);
  assert.deepEqual([again.nextNewsHeight(-1), again.nextNewsHeight(1), again.nextNewsHeight(2)], [2, 2, null]);
  again.close();
  const sqlite = new DatabaseSync(path);
  for (const items of ['[{"kind":"gossip","data":{}}]', '{}', '[', '[null]', '[{"kind":"suspended","data":null}]']) {
    sqlite.prepare('UPDATE news SET items = ?').run(items);
    const damaged = opened(path);
    assert.equal(damaged.newsOf(2), null, items);
    damaged.close();
  }
  sqlite.close();
});

test('a batch of any size comes back byte for byte, and so does each transaction in it', (t) => {
  const chain = opened(pathOf(t));
  const made = createTestChain(chain);
  made.commit([]);
  const { block } = made.execute([]);
  const sizes = [1, 16_351, 16_352, 16_353, 262_144, 1 << 20];
  const batches = sizes.map((size, i) => {
    const bytes = new Uint8Array(size).map((_, at) => (at * 31 + i) & 0xff);
    return { digest: sha256(bytes), epoch: 1, author: i, seq: 7, bytes };
  });
  assert.ok(chain.commitBlock({ ...block, batches }).ok);
  assert.deepEqual(
    chain.batchesOf(2),
    batches.map((batch) => ({ ...batch, height: 2 })),
  );
  for (const [i, batch] of batches.entries()) {
    assert.deepEqual(chain.batchByDigest(batch.digest), { ...batch, height: 2 });
    for (const [offset, length] of [
      [0, 1],
      [0, 65_535],
      [16_000, 700],
      [16_352, 5],
      [200_000, 40_000],
    ] as const) {
      const expected = batch.bytes.subarray(offset, offset + length);
      const bytes = chain.transactionBytes({ height: 2, batch: i, offset, length });
      assert.deepEqual(
        bytes,
        expected.length === length ? expected : null,
        `${length} bytes at ${offset} of ${sizes[i]}`,
      );
    }
  }
  assert.equal(chain.batchByDigest(new Uint8Array(32)), null);
  assert.deepEqual(chain.batchesOf(1), []);
  chain.close();
});

test('the state is read by key and by prefix, and a write of null deletes', (t) => {
  const chain = opened(pathOf(t));
  const made = createTestChain(chain);
  made.commit([]);
  const write = (writes: [string, string | null][]): void => {
    const { block } = made.execute([]);
    const committed = chain.commitBlock({
      ...block,
      writes: writes.map(([path, value]) => ({ key: pathToKey(path), value: value === null ? null : text(value) })),
    });
    assert.ok(committed.ok);
  };
  const listed = (prefix: string): string[] =>
    [...chain.store.list(text(prefix))].map(({ key, value }) => `${Buffer.from(key)}=${Buffer.from(value)}`);
  write([
    ['thing/a', '1'],
    ['thing/b', '2'],
    ['thing', '3'],
    ['things', '4'],
  ]);
  write([
    ['thing/a', '5'],
    ['thing/b', null],
    ['thing/c', '6'],
  ]);
  assert.deepEqual(listed('thing/'), ['thing/a=5', 'thing/c=6']);
  assert.deepEqual(listed('thing'), ['thing=3', 'thing/a=5', 'thing/c=6', 'things=4']);
  assert.deepEqual(chain.store.get(text('thing/a')), text('5'));
  assert.equal(chain.store.get(text('thing/b')), null);
  write(Array.from({ length: 2500 }, (_, i) => [`many/${String(i).padStart(5, '0')}`, `${i}`]));
  assert.equal(listed('many/').length, 2500);
  assert.equal(listed('many/01').length, 1000);
  chain.close();
});

test('the entry source gives every entry once, ascending by key hash, whole or by range', (t) => {
  const chain = opened(pathOf(t));
  const made = createTestChain(chain, { deviceCount: 300 });
  made.commit([]);
  const all = [...chain.entries.entriesBetween(hashOf(0), hashOf(0xff))];
  const expected = [...chain.store.list(new Uint8Array(0))]
    .map(({ key, value }) => ({ keyHash: sha256(key), valueHash: sha256(value) }))
    .sort((a, b) => compareBytes(a.keyHash, b.keyHash));
  assert.ok(all.length > 600);
  assert.deepEqual(all, expected);
  const some = expected[100]!;
  assert.deepEqual([...chain.entries.entriesBetween(toHash(some.keyHash), toHash(some.keyHash))], [some]);
  const [low, high] = [expected[50]!.keyHash, expected[250]!.keyHash];
  assert.deepEqual([...chain.entries.entriesBetween(toHash(low), toHash(high))], expected.slice(50, 251));
  chain.close();
});

test('state tree and history tree open from what is stored at the roots they had', (t) => {
  const path = pathOf(t);
  const chain = opened(path);
  const made = createTestChain(chain, { deviceCount: 5 });
  made.commit([]);
  const tree = createStateTree(chain.entries);
  for (let round = 0; round < 3; round++) {
    const signed = Array.from({ length: 400 }, (_, i) =>
      made.sign(made.device(i % 5), { senml: packAt([genesisTimeMs + i]) }),
    );
    const { block } = made.execute(signed);
    tree.update(block.writes);
    assert.ok(chain.commitBlock(block).ok);
  }
  assert.deepEqual(createStateTree(chain.entries).root(), tree.root());
  chain.close();
  const again = opened(path);
  const history = createHistoryTree(again.tiles, again.tip()!.historySize);
  assert.equal(history.size(), 1202);
  assert.deepEqual(history.root(), made.history.root());
  again.close();
});

test('a checkpoint is certified once a quorum has signed, and the lowest uncertified one is known', (t) => {
  const chain = opened(pathOf(t));
  const made = createTestChain(chain);
  for (let i = 0; i < 3; i++) made.commit([]);
  assert.equal(chain.lowestUncertified(), 0);
  assert.deepEqual(chain.checkpoint(2), { height: 2, round: 0, statement: text('statement 2'), signatures: null });
  assert.ok(chain.putCertified(2, 0, text('signatures')).ok);
  assert.deepEqual(chain.latestCertified()!.signatures, text('signatures'));
  assert.equal(chain.lowestUncertified(), 0);
  for (const height of [0, 1, 3]) assert.ok(chain.putCertified(height, 0, text('signatures')).ok);
  assert.equal(chain.lowestUncertified(), null);
  assert.equal(chain.latestCertified()!.height, 3);
  chain.close();
});

test('a block without a finalization of its own is covered by the next one that has it', (t) => {
  const chain = opened(pathOf(t));
  const made = createTestChain(chain);
  for (let i = 0; i < 5; i++) made.commit([]);
  assert.equal(chain.finalizedFrom(1)!.height, 2);
  assert.equal(chain.finalizedFrom(4)!.height, 4);
  assert.equal(chain.finalizedFrom(5), null);
  assert.equal(chain.latestFinalized()!.height, 4);
  chain.close();
});

test('readers in other connections see whole blocks, and one height within a consistent read', (t) => {
  const path = pathOf(t);
  const chain = opened(path);
  const made = createTestChain(chain);
  made.commit([]);
  const reader = opened(path, { readOnly: true });
  reader.consistently(() => {
    assert.equal(reader.tip()!.height, 1);
    made.commit([]);
    assert.equal(reader.tip()!.height, 1);
  });
  assert.equal(reader.tip()!.height, 2);
  const { block } = made.execute([]);
  const refused = reader.commitBlock(block);
  assert.equal(refused.ok ? 'ok' : refused.error.code, 'storage.failed');
  reader.close();
  chain.close();
});

test('a full disk is final: the block is not there, and nothing is written any more', (t) => {
  const path = pathOf(t);
  const chain = opened(path, { sizeBytesMax: 500_000 });
  const made = createTestChain(chain);
  made.commit([]);
  const { block } = made.execute([]);
  const bytes = new Uint8Array(1 << 20).fill(1);
  const full = chain.commitBlock({
    ...block,
    batches: [{ digest: sha256(bytes), epoch: 1, author: 0, seq: 1, bytes }],
  });
  assert.ok(!full.ok);
  assert.equal(full.error.code, 'storage.failed');
  assert.match(full.error.message, /full/);
  const second = chain.commitBlock(block);
  assert.ok(!second.ok && second.error === full.error, 'not tried again');
  assert.equal(chain.putCertified(1, 0, text('signatures')).ok, false);
  assert.equal(chain.failure, full.error);
  assert.equal(chain.tip()!.height, 1);
  chain.close();
  const again = opened(path);
  assert.equal(again.tip()!.height, 1);
  assert.ok(again.commitBlock(block).ok);
  again.close();
});

test('what is not a database, or is of another ledger or release, is refused and left as it is', (t) => {
  const path = pathOf(t);
  const ledgerHash = sha256(text('ledger'));
  writeFileSync(path, 'not a database, but long enough to look at '.repeat(200));
  const before = readFileSync(path);
  assert.equal(codeOf(path, { ledgerHash }), 'storage.damaged');
  assert.deepEqual(readFileSync(path), before);
  rmSync(path);
  assert.equal(codeOf(path, { readOnly: true }), 'storage.failed', 'a reader makes no file');
  assert.equal(codeOf(path, { ledgerHash }), 'ok');
  assert.equal(codeOf(path, { ledgerHash }), 'ok');
  assert.equal(codeOf(path, { ledgerHash: sha256(text('other')) }), 'storage.foreign');
  const raw = new DatabaseSync(path);
  raw.exec('PRAGMA user_version=99');
  assert.equal(codeOf(path, { ledgerHash }), 'storage.damaged', 'the tables are ours: the number has rotted');
  raw.exec('CREATE TABLE of_another_release (id INTEGER PRIMARY KEY)');
  raw.close();
  assert.equal(codeOf(path, { ledgerHash }), 'storage.foreign');
});

test('a table whose definition has rotted is damage, though every statement can still be prepared', (t) => {
  const path = pathOf(t);
  const ledgerHash = sha256(text('ledger'));
  assert.equal(codeOf(path, { ledgerHash }), 'ok');
  const bytes = readFileSync(path);
  bytes.write('U', bytes.indexOf('TEXT', bytes.indexOf('CREATE TABLE news')) + 3);
  writeFileSync(path, bytes);
  assert.equal(codeOf(path, { ledgerHash }), 'storage.damaged');
  assert.equal(codeOf(path, { ledgerHash, readOnly: true }), 'storage.damaged');
});

test('a changed byte in a stored header or transaction does not have its digest any more', (t) => {
  const path = pathOf(t);
  const chain = opened(path);
  const made = createTestChain(chain);
  const view = made.commit([made.sign(made.device(0), { senml: packAt([genesisTimeMs]) })]);
  const { offset, length } = view.transactions[0]!;
  const place = { height: 1, batch: 0, offset, length };
  const bytes = chain.transactionBytes(place)!;
  assert.ok(decodeTransaction(bytes).ok);
  const raw = new DatabaseSync(path);
  raw.exec(`UPDATE blocks SET header = x'00' WHERE height = 1`);
  raw.exec('UPDATE batch_parts SET bytes = CAST(substr(bytes, 1, length(bytes) - 1) || char(0) AS BLOB)');
  raw.close();
  assert.equal(isBlockIntact(chain.blockByHeight(1)!), false);
  assert.notDeepEqual(chain.transactionBytes(place), bytes);
  chain.close();
});

function pathOf(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'cairn-chain-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'chain.db');
}

function opened(path: string, options: ChainDbOptions = {}): ChainDb {
  const result = openChainDb(path, options);
  assert.ok(result.ok, result.ok ? '' : result.error.message);
  return result.value;
}

function codeOf(path: string, options: ChainDbOptions): string {
  const result = openChainDb(path, options);
  if (result.ok) result.value.close();
  return result.ok ? 'ok' : result.error.code;
}

function hashOf(byte: number) {
  return toHash(new Uint8Array(32).fill(byte));
}
