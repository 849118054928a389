/** protocol.md section 3: the blocks a replica knows, and the floors of the chains they end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Block } from '../../model/block.ts';
import { type Hash, toHeight } from '../../model/brands.ts';
import { nameOf } from '../digest-name.ts';
import { batchOf, blockOn, genesisTip, tipOf } from '../testing/hand.ts';
import { BlockTree } from './block-tree.ts';

const none = [0, 0, 0, 0];
const one = blockOn(genesisTip, { batches: [batchOf(1, 1), batchOf(2, 1)] });
const two = blockOn(tipOf(one), { batches: [batchOf(1, 2)] });
const three = blockOn(tipOf(two));
const other = blockOn(tipOf(one), { timeMs: 1_000_500 });

function treeOf(...blocks: readonly Block[]): BlockTree {
  const tree = new BlockTree(genesisTip, { floors: none, accused: new Set() }, () => []);
  for (const block of blocks) tree.add(block);
  return tree;
}

const floorsAt = (tree: BlockTree, digest: Hash) => tree.marksAt(digest)?.floors ?? null;

test('a block is known from when it is added, by its digest', () => {
  const tree = treeOf(one);
  assert.deepEqual([tree.has(one.digest), tree.has(two.digest)], [true, false]);
  assert.equal(tree.get(one.digest), one);
  assert.deepEqual(tree.tip(one.digest), tipOf(one));
  assert.equal(tree.tip(genesisTip.digest), genesisTip);
  assert.equal(tree.tip(two.digest), null);
  assert.deepEqual([...tree.blocks()], [one]);
});

test('floors are those of the chain that ends with a block: the highest number of each author', () => {
  const tree = treeOf(one, two, other);
  assert.deepEqual(floorsAt(tree, genesisTip.digest), none);
  assert.deepEqual(floorsAt(tree, two.digest), [0, 2, 1, 0]);
  assert.deepEqual(floorsAt(tree, one.digest), [0, 1, 1, 0]);
  assert.deepEqual(floorsAt(tree, other.digest), [0, 1, 1, 0]);
});

test('floors are unknown while an ancestor is, and for blocks that do not stand on the root', () => {
  const tree = treeOf(two);
  assert.equal(floorsAt(tree, two.digest), null);
  assert.equal(floorsAt(tree, three.digest), null);
  tree.add(one);
  assert.deepEqual(floorsAt(tree, two.digest), [0, 2, 1, 0]);
  const moved = treeOf(one, other);
  moved.advance(one);
  moved.advance(two);
  assert.equal(floorsAt(moved, other.digest), null);
});

test('the path from the root is in order; a missing ancestor is named with its height', () => {
  const tree = treeOf(one, two, three);
  assert.deepEqual(tree.pathFromRoot(three.digest), { blocks: [one, two, three] });
  assert.deepEqual(tree.pathFromRoot(genesisTip.digest), { blocks: [] });
  assert.deepEqual(treeOf(two, three).pathFromRoot(three.digest), { missing: one.digest, height: 1 });
  assert.deepEqual(treeOf().pathFromRoot(three.digest), { missing: three.digest, height: null });
  tree.add(other);
  tree.advance(one);
  tree.advance(two);
  assert.deepEqual(tree.pathFromRoot(three.digest), { blocks: [three] });
  assert.equal(tree.pathFromRoot(other.digest), null, 'beside the root');
});

test('the root moves with what is finalized, and takes its floors along', () => {
  const tree = treeOf(one);
  tree.advance(one);
  assert.deepEqual(tree.root, tipOf(one));
  assert.deepEqual(floorsAt(tree, one.digest), [0, 1, 1, 0]);
});

test('blocks at or below a height are forgotten, and those above the root that nobody names', () => {
  const tree = treeOf(one, two, three, other);
  tree.advance(one);
  tree.retain(new Set([nameOf(two.digest)]));
  assert.deepEqual([...tree.blocks()], [one, two]);
  tree.prune(toHeight(1));
  assert.deepEqual([...tree.blocks()], [two]);
  tree.prune(toHeight(2));
  assert.deepEqual([...tree.blocks()], []);
  assert.equal(floorsAt(tree, two.digest), null);
});

test('the version rises whenever an answer may be another one now, and only then', () => {
  const tree = treeOf();
  const changes = (change: () => void): boolean => {
    const before = tree.version;
    change();
    return tree.version > before;
  };
  assert.deepEqual(
    [
      changes(() => tree.add(one)),
      changes(() => tree.add(one)),
      changes(() => tree.advance(one)),
      changes(() => tree.retain(new Set())),
      changes(() => tree.add(two)),
      changes(() => tree.retain(new Set())),
      changes(() => tree.prune(toHeight(0))),
      changes(() => tree.prune(toHeight(1))),
    ],
    [true, false, true, false, true, true, false, true],
  );
});
