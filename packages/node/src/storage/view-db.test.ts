import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { type CairnError, decodeTransaction, type Result, type TransactionResult, transfer } from '@cairn-ledger/core';
import { type ChainDb, openChainDb } from './chain-db.ts';
import { createTestChain, genesisTimeMs, packAt, type TestChain } from './testing/test-chain.ts';
import { openViewDb, type ViewBlock, type ViewDb } from './view-db.ts';
import { followChain } from './view-follow.ts';
import {
  createViewQueries,
  type FoundReading,
  type FoundTransaction,
  type Page,
  type ReadingsQuery,
  type ViewQueries,
} from './view-queries.ts';

const start = genesisTimeMs;

test('an accepted transaction is found by its id, with its bytes, verdict, place and leaf', (t) => {
  const { made, queries, commit } = openedWorld(t);
  const first = made.sign(made.device(0), { senml: packAt([start]) });
  const second = made.sign(made.device(1), { senml: packAt([start, start + 5]) });
  commit([first, second]);
  const found = queries.transactionById(idOf(second))!;
  assert.deepEqual(found.bytes, second);
  assert.deepEqual(found.id, idOf(second));
  assert.equal(found.code, 'ok');
  assert.equal(found.height, 1);
  assert.equal(found.position, 1);
  assert.equal(found.leafIndex, 3, 'behind the two leaves of genesis and the first transaction');
  assert.equal(found.account, 'acme/d1');
  assert.equal(found.provenance, 'device-signed');
  assert.equal(queries.transactionById(new Uint8Array(32)), null);
  assert.deepEqual(
    queries.transactionsOfBlock(1).map(({ position }) => position),
    [0, 1],
  );
  assert.deepEqual(queries.transactionAt(1, 0)!.bytes, first);
  assert.equal(queries.transactionAt(1, 2), null);
});

test('a rejected transaction is found with its code and message, has no leaf, and its readings are not shown', (t) => {
  const { made, view, queries, commit } = openedWorld(t);
  const accepted = made.sign(made.device(0), { senml: packAt([start]), counter: 1n });
  const other = made.sign(made.device(0), { senml: packAt([start + 1]), counter: 1n });
  commit([accepted, other, new Uint8Array([1, 2, 3])]);
  const rejected = queries.transactionById(idOf(other))!;
  assert.equal(rejected.code, 'tx.replayed');
  assert.ok(rejected.message!.length > 0);
  assert.equal(rejected.leafIndex, null);
  const malformed = queries.transactionsOfBlock(1)[2]!;
  assert.equal(malformed.code, 'tx.malformed');
  assert.equal(malformed.account, null);
  assert.deepEqual(queries.transactionById(malformed.id)!.bytes, new Uint8Array([1, 2, 3]));
  assert.deepEqual(timesOf(queries.readings('acme/d0', all)), [start]);
  const { transactions, accepted: acceptedCount, readings } = view.progress();
  assert.deepEqual({ transactions, acceptedCount, readings }, { transactions: 3, acceptedCount: 1, readings: 1 });
});

test('a transaction that occurs again keeps its verdict, in the same block and in later ones', (t) => {
  const { made, queries, commit } = openedWorld(t);
  const transaction = made.sign(made.device(0), { senml: packAt([start]) });
  commit([transaction, transaction]);
  commit([transaction]);
  const found = queries.transactionById(idOf(transaction))!;
  assert.deepEqual([found.code, found.height, found.position], ['ok', 1, 0]);
  assert.equal(queries.transactionAt(2, 0)!.code, 'tx.replayed');
  assert.deepEqual(timesOf(queries.readings('acme/d0', all)), [start]);
});

test('of two rejections the first stands, and a verdict that used up the counter stands before all', (t) => {
  const { chain, made, view, queries } = openedWorld(t);
  const transaction = made.sign(made.device(0), { senml: packAt([start]) });
  const apply = (change: Pick<TransactionResult, 'code' | 'isCounterUsed'>): void => {
    const { block, view: viewBlock } = made.execute([transaction]);
    const results = block.results.map((result) => ({ ...result, leafEntry: false, ...change }));
    assert.ok(chain.commitBlock({ ...block, results }).ok);
    const transactions = viewBlock.transactions.map((row) => ({ ...row, leafIndex: null, readings: null, ...change }));
    assert.ok(view.applyBlock({ ...viewBlock, transactions }).ok);
  };
  apply({ code: 'tx.unknown-key', isCounterUsed: false });
  apply({ code: 'tx.bad-signature', isCounterUsed: false });
  assert.equal(queries.transactionById(idOf(transaction))!.code, 'tx.unknown-key');
  apply({ code: 'asset.insufficient', isCounterUsed: true });
  apply({ code: 'tx.replayed', isCounterUsed: false });
  assert.equal(queries.transactionById(idOf(transaction))!.code, 'asset.insufficient');
});

test('ids that begin alike are told apart by the whole id', (t) => {
  const { chain, made, view, queries } = openedWorld(t);
  const [one, two] = [
    made.sign(made.device(0), { senml: packAt([start]) }),
    made.sign(made.device(1), { senml: packAt([start]) }),
  ];
  const { block, view: viewBlock } = made.execute([one, two]);
  assert.ok(chain.commitBlock(block).ok);
  const transactions = viewBlock.transactions.map((row) => ({
    ...row,
    id: Uint8Array.from([...idOf(two).subarray(0, 6), ...row.id.subarray(6)]),
  }));
  assert.ok(view.applyBlock({ ...viewBlock, transactions }).ok);
  assert.equal(queries.transactionById(idOf(two))!.position, 1);
});

test('a row that is not what the chain says is never shown', (t) => {
  const changes: Readonly<Record<string, string>> = {
    'an outcome': "UPDATE codes SET code = 'tx.unknown-key' WHERE code = 'ok'",
    'a signer': "UPDATE accounts SET name = 'acme/d7' WHERE name = 'acme/d0'",
    'no leaf, so rejected':
      "UPDATE blocks SET rows = CAST(substr(rows, 1, 12) || x'ffffff' || substr(rows, 16) AS BLOB)",
    'the place of another': 'UPDATE blocks SET rows = CAST(substr(rows, 17, 16) || substr(rows, 17) AS BLOB)',
    'when its readings were': 'UPDATE series SET from_ms = from_ms + 1',
  };
  for (const [what, sql] of Object.entries(changes)) {
    const { directory, made, queries, commit } = openedWorld(t);
    const transactions = [0, 1].map((at) => made.sign(made.device(0), { senml: packAt([start + at]) }));
    commit(transactions);
    const raw = new DatabaseSync(join(directory, 'view.db'));
    raw.exec(sql);
    raw.close();
    const shown = (): unknown => [
      queries.transactionsOfBlock(1),
      queries.transactionById(idOf(transactions[0]!)),
      queries.readings('acme/d0', all),
    ];
    assert.throws(shown, { code: 'storage.damaged', kind: 'view' }, what);
  }
});

test('a block that is applied again changes nothing; one that leaves a gap is our own bug', (t) => {
  const { made, view, queries, commit } = openedWorld(t);
  const block = commit([made.sign(made.device(0), { senml: packAt([start, start + 1]) })]);
  const before = view.progress();
  assert.ok(view.applyBlock(block).ok);
  assert.deepEqual(view.progress(), before);
  assert.equal(timesOf(queries.readings('acme/d0', all)).length, 2);
  assert.throws(() => view.applyBlock({ ...block, height: 5 }), /block by block/);
  assert.ok(view.applyBlock({ height: 2, digest: new Uint8Array(32), transactions: [] }).ok);
});

test('readings come in order of time whatever the order of their transactions, packs that overlap included', (t) => {
  const { made, queries, commit } = openedWorld(t);
  const packs = [[500, 700, 900], [100], [600, 601], [50, 1000], [800], [600]];
  for (const pack of packs) commit([made.sign(made.device(0), { senml: packAt(pack.map((at) => start + at)) })]);
  commit([made.sign(made.device(1), { senml: packAt([start + 650]) })]);
  const expected = packs
    .flat()
    .map((at) => start + at)
    .sort((a, b) => a - b);
  assert.deepEqual(timesOf(queries.readings('acme/d0', all)), expected);
  assert.deepEqual(timesOf(queries.readings('acme/d1', all)), [start + 650]);
  assert.deepEqual(timesOf(queries.readings('acme/nobody', all)), []);
});

test('from is inclusive, to is exclusive, and a pack that began before the range still counts', (t) => {
  const { made, queries, commit } = openedWorld(t);
  commit([made.sign(made.device(0), { senml: packAt([start, start + 10, start + 20]) })]);
  const day = 86_400_000;
  commit([made.sign(made.device(0), { senml: packAt([start - 100 * day, start + 100 * day]) })]);
  const between = (fromMs: number | null, toMs: number | null): number[] =>
    timesOf(queries.readings('acme/d0', { ...all, fromMs, toMs })).map((at) => at - start);
  assert.deepEqual(between(start + 10, start + 20), [10]);
  assert.deepEqual(between(start + 11, null), [20, 100 * day]);
  assert.deepEqual(between(null, start + 1), [-100 * day, 0]);
  assert.deepEqual(between(start + 100 * day, null), [100 * day]);
  assert.deepEqual(between(start + 10, start + 10), []);
});

test('pages continue without loss or repetition, whatever their size, also while the chain grows', (t) => {
  const { made, queries, commit } = openedWorld(t);
  const times: number[] = [];
  let seed = 42;
  const random = (bound: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed % bound;
  };
  for (let block = 0; block < 12; block++) {
    const transactions = Array.from({ length: 20 }, () => {
      const pack = Array.from({ length: 1 + random(4) }, () => start + random(300) * (1 + random(2) * 40_000));
      times.push(...pack);
      return made.sign(made.device(0), { senml: packAt(pack) });
    });
    commit(transactions);
  }
  times.sort((a, b) => a - b);
  for (const limit of [1, 3, 7, 1000, 50]) {
    const seen: number[] = [];
    const places = new Set<string>();
    let cursor: string | null = null;
    do {
      const page: Page<FoundReading> = unwrap(queries.readings('acme/d0', { ...all, limit, cursor }));
      assert.ok(page.items.length > 0 && page.items.length <= limit);
      for (const item of page.items) {
        seen.push(item.reading.timeMs);
        places.add(`${item.height}/${item.position}/${item.reading.timeText}/${seen.length}`);
      }
      if (limit === 50) commit([made.sign(made.device(0), { senml: packAt([start - 1]) })]);
      cursor = page.next;
    } while (cursor !== null);
    assert.deepEqual(seen, times, `limit ${limit}`);
  }
});

test('a cursor of another call, or of nobody, is refused', (t) => {
  const { made, queries, commit } = openedWorld(t);
  commit([made.sign(made.device(0), { senml: packAt([start]) })]);
  for (const cursor of [
    '',
    'x',
    '1',
    '1-2',
    '1-2-3-4',
    '-1-2-3',
    '1e9-2-3',
    '99999999999999999999-1-1',
    `${'1'.repeat(99)}`,
  ]) {
    const page = queries.readings('acme/d0', { ...all, cursor });
    assert.equal(page.ok ? 'ok' : page.error.code, 'http.bad-cursor', cursor);
  }
  const page = queries.transactionsOf('acme/d0', { limit: 1, cursor: '1-2' });
  assert.equal(page.ok ? 'ok' : page.error.code, 'http.bad-cursor');
});

test('the transactions of an account come newest first, page by page, with those that failed after the signature held', (t) => {
  const { made, queries, commit } = openedWorld(t);
  const own = Array.from({ length: 25 }, (_, i) =>
    i === 20
      ? made.sign(made.device(0), { operations: [transfer.toCbor({ to: 'acme', asset: 'none', amount: 5n })] })
      : made.sign(made.device(0), { senml: packAt([start - i]) }),
  );
  for (const transaction of own) commit([transaction, made.sign(made.device(1), { senml: packAt([start]) })]);
  // Nobody knows who sends a transaction again: its signature is not looked at.
  commit([own[3]!]);
  const heights: number[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<FoundTransaction> = unwrap(queries.transactionsOf('acme/d0', { limit: 10, cursor }));
    for (const { height } of page.items) heights.push(height);
    cursor = page.next;
  } while (cursor !== null);
  assert.deepEqual(
    heights,
    Array.from({ length: 25 }, (_, i) => 25 - i),
  );
  assert.equal(queries.transactionAt(21, 0)!.leafIndex, null);
  assert.deepEqual(unwrap(queries.transactionsOf('acme', { limit: 10, cursor: null })).items, []);
});

test('readings that a gateway signed are found under the device it names, as attested', (t) => {
  const { made, queries, commit } = openedWorld(t);
  commit([made.sign(made.gateway, { senml: packAt([start]), sub: 'acme/boiler' })]);
  const [found] = unwrap(queries.readings('acme/boiler', all)).items;
  assert.equal(found!.provenance, 'gateway-attested');
  assert.equal(found!.reading.name, 'acme/boiler/temperature');
});

test('a view that is missing, behind, damaged or of another chain becomes what it would be', (t) => {
  const world = openedWorld(t, 4);
  const { chain, made, commit, directory } = world;
  for (let i = 0; i < 30; i++) {
    const transactions = [0, 1, 2, 3].map((d) =>
      made.sign(made.device(d), { senml: packAt([start + i, start + i + d]) }),
    );
    commit([
      ...transactions,
      transactions[0]!,
      new Uint8Array([i]),
      made.sign(made.gateway, { senml: packAt([start]), sub: 'acme/boiler' }),
    ]);
  }
  const expected = contentOf(world.view);
  const path = join(directory, 'view.db');
  const reopenedContent = (): unknown => {
    const view = unwrap(followChain(unwrap(openViewDb(path)), chain));
    const content = contentOf(view);
    view.close();
    return content;
  };
  world.view.close();
  assert.deepEqual(reopenedContent(), expected, 'complete');
  rmSync(path);
  assert.deepEqual(reopenedContent(), expected, 'missing');
  writeFileSync(path, 'no database at all '.repeat(1000));
  assert.deepEqual(reopenedContent(), expected, 'damaged');
  const raw = new DatabaseSync(path);
  raw.exec('UPDATE progress SET digest = zeroblob(32)');
  raw.close();
  assert.deepEqual(reopenedContent(), expected, 'of another chain');
  const second = new DatabaseSync(path);
  second.exec('DROP TABLE series');
  second.close();
  assert.deepEqual(reopenedContent(), expected, 'without a table');
  rmSync(path);
  const behind = unwrap(openViewDb(path));
  const { chain: early } = { chain };
  assert.ok(behind.applyBlock({ height: 0, digest: early.blockByHeight(0)!.digest, transactions: [] }).ok);
  behind.close();
  assert.deepEqual(reopenedContent(), expected, 'behind');
  chain.close();
});

test('look-ups reach over many runs', (t) => {
  const { made, view, queries, commit } = openedWorld(t);
  const first = made.sign(made.device(0), { senml: packAt([start]) });
  commit([first]);
  for (let block = 0; block < 20; block++) {
    commit(
      Array.from({ length: 1000 }, (_, i) => made.sign(made.device(1), { senml: packAt([start + block * 1000 + i]) })),
    );
  }
  const last = made.sign(made.device(0), { senml: packAt([start + 9]) });
  commit([last]);
  assert.equal(view.progress().transactions, 20_002);
  assert.equal(queries.transactionById(idOf(first))!.height, 1);
  assert.equal(queries.transactionById(idOf(last))!.height, 22);
  assert.deepEqual(timesOf(queries.readings('acme/d0', all)), [start, start + 9]);
  const page = unwrap(queries.readings('acme/d1', { ...all, fromMs: start + 15_000, limit: 4000 }));
  assert.deepEqual(
    page.items.map(({ reading }) => reading.timeMs - start),
    Array.from({ length: 4000 }, (_, i) => 15_000 + i),
  );
});

test('a byte of a stored transaction that changed on disk is noticed when it is read', (t) => {
  const { made, queries, commit, directory } = openedWorld(t);
  const transaction = made.sign(made.device(0), { senml: packAt([start]) });
  commit([transaction]);
  const raw = new DatabaseSync(join(directory, 'chain.db'));
  const row = raw.prepare('SELECT id, bytes FROM batch_parts').get() as { id: number; bytes: Uint8Array };
  const at = Buffer.from(row.bytes).indexOf(Buffer.from(transaction)) + transaction.length - 70;
  row.bytes[at]! ^= 1;
  raw.prepare('UPDATE batch_parts SET bytes = ? WHERE id = ?').run(row.bytes, row.id);
  raw.close();
  assert.throws(() => queries.transactionById(idOf(transaction)), { code: 'storage.damaged' });
  assert.throws(() => queries.readings('acme/d0', all), { code: 'storage.damaged' });
});

const all: ReadingsQuery = { fromMs: null, toMs: null, limit: 10_000, cursor: null };

type OpenedWorld = {
  directory: string;
  chain: ChainDb;
  view: ViewDb;
  made: TestChain;
  queries: ViewQueries;
  commit: (transactions: readonly Uint8Array[]) => ViewBlock;
};

/** At height 0. */
function openedWorld(t: TestContext, deviceCount = 3): OpenedWorld {
  const directory = mkdtempSync(join(tmpdir(), 'cairn-view-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const chain = unwrap(openChainDb(join(directory, 'chain.db')));
  const view = unwrap(openViewDb(join(directory, 'view.db')));
  const made = createTestChain(chain, { deviceCount });
  const genesis = made.execute([]);
  assert.ok(chain.commitBlock(genesis.block).ok && view.applyBlock(genesis.view).ok);
  const commit = (transactions: readonly Uint8Array[]): ViewBlock => {
    const block = made.commit(transactions);
    assert.ok(view.applyBlock(block).ok);
    return block;
  };
  return { directory, chain, view, made, queries: createViewQueries(chain, view), commit };
}

function contentOf(view: ViewDb): unknown {
  const { height, transactions, accepted, readings } = view.progress();
  const rows = Array.from({ length: height + 1 }, (_, at) => view.transactionsOfBlock(at));
  const activity = ['acme/d0', 'acme/d3', 'acme/boiler'].map((name) =>
    view.activity(view.accountId(name)!, Number.MAX_SAFE_INTEGER, 1000),
  );
  const series = ['acme/d0', 'acme/d3', 'acme/boiler'].map((name) =>
    view
      .packs(view.accountId(name)!, { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER }, null, 1000)
      .map((pack) => ({ ...pack })),
  );
  return { height, transactions, accepted, readings, rows, activity, series };
}

function timesOf(page: Result<Page<FoundReading>, CairnError>): number[] {
  return unwrap(page).items.map(({ reading }) => reading.timeMs);
}

function idOf(bytes: Uint8Array): Uint8Array {
  const decoded = decodeTransaction(bytes);
  assert.ok(decoded.ok);
  return decoded.value.id;
}

function unwrap<T>(result: Result<T, CairnError>): T {
  assert.ok(result.ok, result.ok ? '' : result.error.message);
  return result.value;
}
