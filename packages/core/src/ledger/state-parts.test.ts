/** Parts of the state that come from others, and the frozen tree they are read from. */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { compareBytes } from '../bytes/hex.ts';
import { sha256 } from '../crypto/hash.ts';
import { type Hash, toHash } from '../model/brands.ts';
import type { StatePart, StateRow } from '../model/sync-message.ts';
import {
  bucketHashOf,
  isEmptyStatePart,
  isStatePart,
  nodeHashOf,
  partHashOf,
  stateBucketDepth,
} from './state-parts.ts';
import { nibbleAt } from './state-proof.ts';
import { createStateTree, type EntrySource } from './state-tree.ts';
import { pathToKey } from './store.ts';

function createTable(count: number) {
  const rows = new Map<string, Uint8Array>();
  const source: EntrySource = {
    entriesBetween: (first, last) =>
      [...rows]
        .map(([key, value]) => ({ keyHash: sha256(pathToKey(key)), valueHash: sha256(value) }))
        .filter(({ keyHash }) => compareBytes(keyHash, first) >= 0 && compareBytes(keyHash, last) <= 0)
        .sort((a, b) => compareBytes(a.keyHash, b.keyHash)),
  };
  for (let i = 0; i < count; i++) rows.set(`k${i}`, Uint8Array.of(i & 255, i >> 8));
  const under = (path: readonly number[]): StateRow[] =>
    [...rows]
      .map(([key, value]) => ({ key: pathToKey(key), value }))
      .filter(({ key }) => path.every((nibble, depth) => nibbleAt(sha256(key), depth) === nibble));
  return { rows, source, under };
}

/** Everything under a path, fetched from the root down and checked part by part. */
function fetchAll(
  childrenOf: (path: readonly number[]) => Hash[] | null,
  under: (path: readonly number[]) => StateRow[],
  root: Hash,
): number {
  const open: { path: number[]; hash: Hash }[] = [{ path: [], hash: root }];
  let count = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { path, hash } = next;
    if (isEmptyStatePart(path.length, hash)) continue;
    const text = path.map((nibble) => nibble.toString(16)).join('');
    const children = childrenOf(path);
    const part: StatePart =
      children === null ? { type: 'bucket', path: text, entries: under(path) } : { type: 'node', path: text, children };
    assert.ok(isStatePart(part, hash), `the part at "${text}" hashes to what the one above has`);
    if (part.type === 'bucket') {
      assert.ok(path.length >= stateBucketDepth);
      count += part.entries.length;
    } else for (const [nibble, child] of part.children.entries()) open.push({ path: [...path, nibble], hash: child });
  }
  return count;
}

test('a state is fetched from its root down, each part proven by the one above', () => {
  const { source, under } = createTable(500);
  const tree = createStateTree(source);
  assert.equal(fetchAll(tree.childrenOf, under, tree.root()), 500);
});

test('a frozen tree stays what it was while the tree goes on', () => {
  const table = createTable(300);
  const tree = createStateTree(table.source);
  const root = tree.root();
  const frozen = tree.freeze();
  const before = new Map(table.rows);
  table.rows.set('k1', Uint8Array.of(99));
  tree.update([{ key: pathToKey('k1'), value: Uint8Array.of(99) }]);
  assert.notDeepEqual(tree.root(), root);
  assert.deepEqual(frozen.root(), root);
  table.rows.clear();
  for (const [key, value] of before) table.rows.set(key, value);
  assert.equal(fetchAll(frozen.childrenOf, table.under, root), 300);
});

test('split buckets are frozen with what is split below them', () => {
  // Hashes that all begin alike, as somebody with much time would find keys for.
  const aimed = Array.from({ length: 300 }, (_, i) => {
    const keyHash = sha256(Uint8Array.of(i & 255, i >> 8));
    keyHash.set([0xab, 0xcd]);
    return { keyHash, valueHash: sha256(Uint8Array.of(i & 255)) };
  }).sort((a, b) => compareBytes(a.keyHash, b.keyHash));
  const tree = createStateTree({
    entriesBetween: (first, last) =>
      aimed.filter(({ keyHash }) => compareBytes(keyHash, first) >= 0 && compareBytes(keyHash, last) <= 0),
  });
  const frozen = tree.freeze();
  const path = [0xa, 0xb, 0xc, 0xd];
  assert.deepEqual(frozen.childrenOf(path), tree.childrenOf(path));
  assert.equal(frozen.childrenOf(path)!.length, 16);
  for (let nibble = 0; nibble < 16; nibble++) assert.equal(frozen.childrenOf([...path, nibble]), null);
  assert.equal(frozen.childrenOf([0, 0, 0, 0]), null);
});

test('a part with one thing changed is not what the one above has', () => {
  const rows = [1, 2, 3].map((i) => ({ key: pathToKey(`k${i}`), value: Uint8Array.of(i) }));
  const hash = bucketHashOf(rows);
  const bucket = (entries: readonly StateRow[]): StatePart => ({ type: 'bucket', path: '0000', entries });
  assert.ok(isStatePart(bucket([...rows].reverse()), hash), 'the order of rows does not matter');
  assert.ok(!isStatePart(bucket(rows.slice(1)), hash));
  assert.ok(!isStatePart(bucket([...rows, rows[0]!]), hash), 'none twice');
  assert.ok(!isStatePart(bucket([rows[0]!, rows[1]!, { ...rows[2]!, value: Uint8Array.of(9) }]), hash));
  const children = new Array<Hash>(16).fill(toHash(hash));
  assert.ok(!isStatePart({ type: 'node', path: '', children }, hash), 'a node is never taken for a bucket');
});

test('the hash of a part is known from all rows that lie in it, however many they are', () => {
  const { source, under } = createTable(2_000);
  assert.deepEqual(partHashOf(under([]), 0), createStateTree(source).root());
  const crowded = under([]).slice(0, 700);
  assert.deepEqual(partHashOf(crowded.slice(0, 256), 4), bucketHashOf(crowded.slice(0, 256)));
  const children = Array.from({ length: 16 }, (_, nibble) =>
    bucketHashOf(crowded.filter(({ key }) => nibbleAt(sha256(key), 4) === nibble)),
  );
  assert.deepEqual(partHashOf(crowded, 4), nodeHashOf(children));
});
