import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { createStateTree, isRightEdge, isStatePart, type Message, statePathsMax, toHeight } from '@cairn-ledger/core';
import { type MadeFolder, makeNodeFolder } from '../audit/testing/node-folder.ts';
import { snapshotIdleMs, snapshotsMax } from './snapshot-server.ts';
import { serveChain } from './testing/served-chain.ts';

let folder: MadeFolder;
let served: ReturnType<typeof serveChain>;
let nowMs = 0;

before(async () => {
  folder = await makeNodeFolder({ blocks: 12, transactionsPerBlock: 6, uncertified: 2 });
  served = serveChain(folder, () => nowMs);
});

after(() => {
  served.close();
  folder.remove();
});

const snapshotFrom = (from: number) => {
  const answer = served.server.serve({ type: 'request-snapshot', from: toHeight(from) });
  assert.ok(answer?.type === 'snapshot');
  return answer.snapshot;
};

const partsOf = (height: number, paths: readonly string[]) => {
  const answer = served.server.serve({ type: 'request-state', height: toHeight(height), paths });
  assert.ok(answer?.type === 'state');
  return answer.parts;
};

test('a height that is not certified yet is held, and offered when it is', async () => {
  assert.equal(snapshotFrom(0), null, 'the tip is not certified');
  assert.equal(served.server.count(), 1);
  assert.ok(partsOf(12, [''])!.length === 1, 'its state could be had already');
  await folder.grow(1);
  assert.equal(snapshotFrom(0), null, 'nothing proves the results of the two heights below');
  await folder.grow(3);
  assert.equal(snapshotFrom(0)?.height, 13, 'now later blocks name them');
  assert.equal(snapshotFrom(14), null, 'both places are taken');
  nowMs += 6_000;
  assert.equal(snapshotFrom(14)?.height, 16);
  assert.equal(snapshotFrom(17), null);
});

test('the state that is held stays what it was while the chain goes on', async () => {
  const { height, statements } = snapshotFrom(0)!;
  const root = statements.at(-1)!.stateRoot;
  await folder.grow(4);
  assert.notDeepEqual(createStateTree(served.chain.entries).root(), root);
  const open = [{ path: '', hash: root }];
  let buckets = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [part] = partsOf(height, [next.path])!;
    assert.ok(isStatePart(part!, next.hash));
    if (part!.type === 'bucket') buckets++;
    else if (part!.path.length < 4)
      for (const [i, child] of part!.children.entries()) {
        const known = partsOf(height, [next.path + i.toString(16)])![0]!;
        // Whole empty regions are passed over.
        if (known.type === 'node' ? new Set(known.children.map(String)).size > 1 : known.entries.length > 0)
          open.push({ path: next.path + i.toString(16), hash: child });
      }
  }
  assert.ok(buckets > 10);
});

test('at most two heights are held: a third takes the place of the one that nobody uses', async () => {
  nowMs += 1000;
  const before = snapshotFrom(0)!.height;
  nowMs += 70_000;
  assert.equal(partsOf(before, ['']), null, 'after a minute without use it is gone');
  served.server.prune();
  assert.equal(served.server.count(), 0);
  const heights: number[] = [];
  for (let i = 0; i < 4; i++) {
    // Far enough that the one before is not near the tip any more.
    await folder.grow(65);
    nowMs += 10_000;
    heights.push(snapshotFrom(0)!.height);
    assert.ok(served.server.count() <= snapshotsMax);
  }
  assert.equal(partsOf(heights[0]!, ['']), null);
  assert.equal(partsOf(heights[3]!, [''])!.length, 1);
});

test('who uses a height keeps it, and no longer than ten minutes', () => {
  nowMs += 70_000;
  const { height } = snapshotFrom(0)!;
  const startMs = nowMs;
  while (nowMs < startMs + 590_000) {
    nowMs += snapshotIdleMs - 1;
    assert.notEqual(partsOf(height, ['']), null);
    served.server.prune();
  }
  nowMs += snapshotIdleMs - 1;
  served.server.prune();
  assert.equal(partsOf(height, ['']), null);
});

test('an answer is a page: the first so many of what was asked for', () => {
  const { height } = snapshotFrom(0)!;
  const paths = Array.from({ length: statePathsMax }, (_, i) => i.toString(16).padStart(2, '0'));
  const parts = partsOf(height, paths)!;
  assert.ok(parts.length > 0);
  for (const [i, part] of parts.entries()) assert.equal(part.path, paths[i]);
});

test('paths that lead nowhere get nothing', () => {
  const { height } = snapshotFrom(0)!;
  for (const path of ['0'.repeat(64), 'f'.repeat(63), '00000']) assert.deepEqual(partsOf(height, [path]), []);
});

test('tiles of any size that was, and of none that will be', () => {
  const { historySize } = served.chain.tip()!;
  const ask = (size: number, places: { level: number; index: number }[] = []): Message | null =>
    served.server.serve({ type: 'request-tiles', size, places });
  const statement = snapshotFrom(0)!.statements.at(-1)!;
  const answer = ask(statement.historySize);
  assert.ok(answer?.type === 'tiles' && isRightEdge(answer.tiles!, statement.historySize, statement.historyRoot));
  assert.deepEqual(ask(historySize + 1), { type: 'tiles', size: historySize + 1, tiles: null });
  assert.deepEqual(ask(0), { type: 'tiles', size: 0, tiles: null });
  assert.deepEqual(ask(historySize, [{ level: 0, index: 1e9 }]), { type: 'tiles', size: historySize, tiles: null });
  const first = ask(300, [{ level: 0, index: 0 }]);
  assert.ok(first?.type === 'tiles' && first.tiles![0]!.hashes.length === 8192);
});

test('an outcome as it is stored, and none of a height that is not here', () => {
  const answer = served.server.serve({ type: 'request-outcome', height: toHeight(3) });
  assert.ok(answer?.type === 'outcome' && answer.outcome !== null);
  assert.equal(answer.outcome.statement.height, 3);
  assert.deepEqual(answer.outcome.verdicts, served.chain.blockByHeight(3)!.verdicts);
  const none = served.server.serve({ type: 'request-outcome', height: toHeight(99_999) });
  assert.ok(none?.type === 'outcome' && none.outcome === null);
});

test('a damaged bucket is told, and not passed on', () => {
  const path = join(folder.dir, 'data', 'chain.db');
  const { height } = snapshotFrom(0)!;
  nowMs += 70_000;
  served.server.prune();
  const sqlite = new DatabaseSync(path);
  const row = sqlite.prepare('SELECT key, bucket FROM state LIMIT 1').get() as { key: Uint8Array; bucket: number };
  const tree = createStateTree(served.chain.entries).freeze();
  sqlite.prepare('UPDATE state SET value = ? WHERE key = ?').run(Uint8Array.of(0xf6), row.key);
  sqlite.close();
  // The tree is that of before, as in a node that runs.
  const again = serveChain(folder, () => nowMs, tree);
  assert.ok(again.server.serve({ type: 'request-snapshot', from: toHeight(height) })?.type === 'snapshot');
  const bucket = row.bucket.toString(16).padStart(4, '0');
  const answer = again.server.serve({ type: 'request-state', height: toHeight(height), paths: [bucket] });
  assert.ok(answer?.type === 'state');
  assert.deepEqual(answer.parts, []);
  assert.equal(again.damage.length, 1);
  again.close();
});

test('a damaged tile is told, and not passed on', async () => {
  const own = await makeNodeFolder({ blocks: 12, transactionsPerBlock: 40 });
  const path = join(own.dir, 'data', 'chain.db');
  for (const id of ['MIN(id)', 'MAX(id)']) {
    const sqlite = new DatabaseSync(path);
    const { at, hashes } = sqlite
      .prepare(
        `SELECT id AS at, hashes FROM history_tiles WHERE id = (SELECT ${id} FROM history_tiles WHERE id < 17592186044416)`,
      )
      .get() as { at: number; hashes: Uint8Array };
    const put = sqlite.prepare('UPDATE history_tiles SET hashes = ? WHERE id = ?');
    put.run(
      hashes.map((byte, i) => (i === 40 ? byte ^ 1 : byte)),
      at,
    );
    sqlite.close();
    const serving = serveChain(own, () => 0);
    const size = serving.chain.tip()!.historySize;
    const answer = serving.server.serve({ type: 'request-tiles', size, places: [{ level: 0, index: at }] });
    assert.ok(answer?.type === 'tiles' && answer.tiles === null);
    assert.equal(serving.damage.length, 1);
    serving.close();
    const mending = new DatabaseSync(path);
    mending.prepare('UPDATE history_tiles SET hashes = ? WHERE id = ?').run(hashes, at);
    mending.close();
  }
  own.remove();
});
