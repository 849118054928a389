import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { sha256 } from '../crypto/hash.ts';
import { type Hash, toHash } from '../model/brands.ts';
import { type Change, countIn, createRecentBuckets, joinEntries, mergeEntries, withTag } from './state-bucket.ts';
import { bucketEntriesMax, nibbleAt, type StateProof, verifyStateProof } from './state-proof.ts';

const hashOf = (first: number): Hash => toHash(new Uint8Array(32).fill(first));
const entryOf = (key: number, value: number) => ({ keyHash: hashOf(key), valueHash: hashOf(value) });
const put = (key: number, value: number): Change => entryOf(key, value);
const drop = (key: number): Change => ({ keyHash: hashOf(key), valueHash: null });

test('a bucket is its tag and its entries, one after the other', () => {
  assert.deepEqual(joinEntries([]), Uint8Array.of(0));
  const bucket = joinEntries([entryOf(1, 9), entryOf(2, 8)]);
  assert.deepEqual(bucket, Uint8Array.of(0, ...hashOf(1), ...hashOf(9), ...hashOf(2), ...hashOf(8)));
  assert.deepEqual([countIn(joinEntries([])), countIn(bucket)], [0, 2]);
  assert.deepEqual(withTag(7, Uint8Array.of(1, 2)), Uint8Array.of(7, 1, 2));
});

test('changes are merged in order: added, replaced and deleted at the beginning, within and at the end', () => {
  const bucket = joinEntries([entryOf(2, 1), entryOf(4, 1), entryOf(6, 1)]);
  const cases: readonly (readonly [changes: Change[], expected: (readonly [number, number])[]])[] = [
    [
      [],
      [
        [2, 1],
        [4, 1],
        [6, 1],
      ],
    ],
    [
      [put(1, 5)],
      [
        [1, 5],
        [2, 1],
        [4, 1],
        [6, 1],
      ],
    ],
    [
      [put(2, 5)],
      [
        [2, 5],
        [4, 1],
        [6, 1],
      ],
    ],
    [
      [put(5, 5)],
      [
        [2, 1],
        [4, 1],
        [5, 5],
        [6, 1],
      ],
    ],
    [
      [put(6, 5)],
      [
        [2, 1],
        [4, 1],
        [6, 5],
      ],
    ],
    [
      [put(7, 5)],
      [
        [2, 1],
        [4, 1],
        [6, 1],
        [7, 5],
      ],
    ],
    [
      [drop(2)],
      [
        [4, 1],
        [6, 1],
      ],
    ],
    [
      [drop(6)],
      [
        [2, 1],
        [4, 1],
      ],
    ],
    [
      [drop(3)],
      [
        [2, 1],
        [4, 1],
        [6, 1],
      ],
    ],
    [[drop(2), drop(4), drop(6)], []],
    [
      [put(1, 1), drop(2), put(4, 9), put(5, 5), drop(9)],
      [
        [1, 1],
        [4, 9],
        [5, 5],
        [6, 1],
      ],
    ],
  ];
  for (const [changes, expected] of cases)
    assert.deepEqual(mergeEntries(bucket, changes), joinEntries(expected.map(([key, value]) => entryOf(key, value))));
  assert.deepEqual(mergeEntries(joinEntries([]), [put(1, 1)]), joinEntries([entryOf(1, 1)]));
});

test('recent buckets are kept up to 2 MiB, each with 192 bytes of its own; the oldest go first', () => {
  const recent = createRecentBuckets();
  const large = new Uint8Array((1 << 20) - 192);
  recent.put('a', large);
  recent.put('b', large);
  assert.equal(recent.get('a'), large, 'exactly 2 MiB');
  recent.put('c', new Uint8Array(1));
  assert.deepEqual([recent.get('a'), recent.get('b')], [undefined, large]);
  recent.put('b', new Uint8Array(5));
  recent.put('d', large);
  assert.deepEqual(recent.get('b'), new Uint8Array(5), 'replaced, its old size is free');
  recent.drop('b');
  recent.drop('b');
  assert.equal(recent.get('b'), undefined);
  recent.put('e', new Uint8Array((1 << 20) - 192 - 193));
  assert.equal(recent.get('c')?.length, 1, 'dropped, its size is free');
  recent.put('f', new Uint8Array(0));
  assert.deepEqual([recent.get('c'), recent.get('d')], [undefined, large]);
});

/** A proof of four nodes, or more, that leads from a bucket up to a root. */
function proofOf(bucket: Uint8Array, keyHash: Hash, depth = 4): { root: Hash; proof: StateProof } {
  const nodes: Uint8Array[] = [];
  let hash = sha256(bucket);
  for (let level = depth - 1; level >= 0; level--) {
    const node = new Uint8Array(1 + 16 * 32);
    node[0] = 1;
    node.set(hash, 1 + nibbleAt(keyHash, level) * 32);
    nodes.push(node);
    hash = sha256(node);
  }
  return { root: hash, proof: { bucket, nodes } };
}

const keyHash = toHash(Uint8Array.from({ length: 32 }, (_, i) => 0x12 + 17 * i));

function outcomeOf(bucket: Uint8Array, depth: number, change: (proof: StateProof) => StateProof = (same) => same) {
  const { root, proof } = proofOf(bucket, keyHash, depth);
  const verified = verifyStateProof(root, keyHash, change(proof));
  return verified.ok ? verified.value : `${verified.error.code}: ${verified.error.message}`;
}

test('a proof shows the value of its key, wherever the entry lies, and that a key is absent', () => {
  const own = { keyHash, valueHash: hashOf(7) };
  for (const entries of [[own], [own, entryOf(200, 1)], [entryOf(1, 1), own], [entryOf(1, 1), own, entryOf(200, 1)]])
    assert.deepEqual(outcomeOf(joinEntries(entries), 4), hashOf(7));
  assert.equal(outcomeOf(joinEntries([entryOf(1, 1)]), 4), null);
  assert.equal(outcomeOf(joinEntries([]), 4), null);
});

test('a proof has 4 to 64 nodes', () => {
  for (const depth of [4, 5, 63, 64]) assert.equal(outcomeOf(joinEntries([]), depth), null, `${depth} nodes`);
  for (const depth of [0, 3, 65]) assert.match(String(outcomeOf(joinEntries([]), depth)), /^proof.invalid: .*number/);
});

test('a proof holds a proper bucket, of at most 256 entries', () => {
  const many = (count: number) => joinEntries(Array.from({ length: count }, (_, i) => entryOf(i & 255, 1)));
  assert.notEqual(typeof outcomeOf(many(bucketEntriesMax), 4), 'string');
  const tagged = many(1);
  tagged[0] = 1;
  for (const bucket of [many(bucketEntriesMax + 1), new Uint8Array(0), new Uint8Array(2), new Uint8Array(64), tagged])
    assert.match(String(outcomeOf(bucket, 4)), /^proof.invalid: .*no proper bucket/);
});

test('a proof holds proper nodes, each of which covers the one below', () => {
  const bucket = joinEntries([]);
  const withNode = (index: number, change: (node: Uint8Array) => Uint8Array) => (proof: StateProof) => ({
    ...proof,
    nodes: proof.nodes.with(index, change(proof.nodes[index]!.slice())),
  });
  const retagged = (node: Uint8Array): Uint8Array => {
    node[0] = 0;
    return node;
  };
  for (const index of [0, 3]) {
    const longer = withNode(index, (node) => Uint8Array.of(...node, 0));
    const shorter = withNode(index, (node) => node.subarray(0, 512));
    for (const change of [longer, shorter, withNode(index, retagged)])
      assert.match(String(outcomeOf(bucket, 4, change)), /no proper node/);
  }
  const emptied = withNode(1, () => Uint8Array.from({ length: 513 }, (_, i) => (i === 0 ? 1 : 0)));
  assert.match(String(outcomeOf(bucket, 4, emptied)), /does not cover/);
  const grown = withNode(3, (node) => {
    node[1 + 15 * 32]! ^= 1;
    return node;
  });
  assert.match(String(outcomeOf(bucket, 4, grown)), /another state root/);
});
