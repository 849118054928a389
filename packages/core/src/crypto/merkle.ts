/**
 * Merkle trees of RFC 9162 section 2.1: roots, inclusion and consistency proofs and their verification.
 *
 * Verification walks the path once, bottom up, as RFC 9162 sections 2.1.3.2 and 2.1.4.2 do, and is strict: a path of any
 * other length than the tree demands fails. Sizes and indices are safe integers, handled without 32-bit operators.
 *
 * The functions that make roots and proofs take all leaf hashes of a tree; the ledger's history tree, which keeps tiles
 * instead, must agree with them.
 */
import { equalBytes } from '../bytes/hex.ts';
import type { Hash } from '../model/brands.ts';
import { assert, type CairnError, fail, ok, type Result } from '../result.ts';
import { sha256, sha256Pair, sha256Single } from './hash.ts';

/** Longest path of a tree whose size is a safe integer. */
export const merklePathMax = 53;

/** SHA-256(0x00 || entry): the leaf of an entry that is itself a hash (wire-format.md section 4). */
export function leafHash(entry: Hash): Hash {
  return sha256Single(0x00, entry);
}

/** SHA-256(0x01 || left || right). */
export function nodeHash(left: Hash, right: Hash): Hash {
  return sha256Pair(0x01, left, right);
}

/** Root of a tree without leaves: SHA-256 of nothing. */
export function emptyRoot(): Hash {
  return sha256(new Uint8Array(0));
}

/** Root over the leaf hashes from `first` to before `end` (RFC 9162 section 2.1.1). */
export function merkleRoot(leaves: readonly Hash[], first = 0, end = leaves.length): Hash {
  if (end - first === 0) return emptyRoot();
  if (end - first === 1) return leaves[first]!;
  const middle = first + splitOf(end - first);
  return nodeHash(merkleRoot(leaves, first, middle), merkleRoot(leaves, middle, end));
}

/** Inclusion path of a leaf, from the leaf upwards (RFC 9162 section 2.1.3.1). */
export function proveInclusion(leaves: readonly Hash[], leafIndex: number): Hash[] {
  assert(Number.isSafeInteger(leafIndex) && leafIndex >= 0 && leafIndex < leaves.length, 'the leaf is in the tree');
  const path: Hash[] = [];
  let first = 0;
  let end = leaves.length;
  while (end - first > 1) {
    const middle = first + splitOf(end - first);
    if (leafIndex < middle) {
      path.push(merkleRoot(leaves, middle, end));
      end = middle;
    } else {
      path.push(merkleRoot(leaves, first, middle));
      first = middle;
    }
  }
  return path.reverse();
}

/** Proof that the tree of the first `oldSize` leaves is the beginning of this one (RFC 9162 section 2.1.4.1). */
export function proveConsistency(leaves: readonly Hash[], oldSize: number): Hash[] {
  assert(
    Number.isSafeInteger(oldSize) && oldSize > 0 && oldSize <= leaves.length,
    'the old tree is a part of this one',
  );
  const path: Hash[] = [];
  let first = 0;
  let end = leaves.length;
  while (end > oldSize) {
    const middle = first + splitOf(end - first);
    if (oldSize <= middle) {
      path.push(merkleRoot(leaves, middle, end));
      end = middle;
    } else {
      path.push(merkleRoot(leaves, first, middle));
      first = middle;
    }
  }
  if (first > 0) path.push(merkleRoot(leaves, first, end));
  return path.reverse();
}

/**
 * The root that a leaf and its path lead to.
 *
 * Error `merkle.bad-proof`: an index outside the tree, or a path of another length than this tree and leaf have.
 */
export function rootFromInclusionProof(
  leafIndex: number,
  treeSize: number,
  leaf: Hash,
  path: readonly Hash[],
): Result<Hash, CairnError> {
  if (!Number.isSafeInteger(treeSize) || !Number.isSafeInteger(leafIndex))
    return badProof('sizes must be safe integers');
  if (leafIndex < 0 || leafIndex >= treeSize) return badProof(`leaf ${leafIndex} is outside a tree of ${treeSize}`);
  if (!areHashes([leaf, ...path])) return badProof('a hash has 32 bytes');
  let node = leaf;
  let index = leafIndex;
  let last = treeSize - 1;
  for (const sibling of path) {
    if (last === 0) return badProof('the path is too long');
    if (isOdd(index) || index === last) {
      node = nodeHash(sibling, node);
      // The last node of a level without a right sibling moves up unchanged.
      while (!isOdd(index) && index > 0) {
        index = half(index);
        last = half(last);
      }
    } else {
      node = nodeHash(node, sibling);
    }
    index = half(index);
    last = half(last);
  }
  return last === 0 ? ok(node) : badProof('the path is too short');
}

export function verifyInclusion(
  leafIndex: number,
  treeSize: number,
  leaf: Hash,
  path: readonly Hash[],
  root: Hash,
): boolean {
  const computed = rootFromInclusionProof(leafIndex, treeSize, leaf, path);
  return computed.ok && equalBytes(computed.value, root);
}

/** Whether a tree of `newSize` with `newRoot` begins with the tree of `oldSize` >= 1 with `oldRoot` (2.1.4.2). */
export function verifyConsistency(
  oldSize: number,
  newSize: number,
  oldRoot: Hash,
  newRoot: Hash,
  path: readonly Hash[],
): boolean {
  if (!Number.isSafeInteger(oldSize) || !Number.isSafeInteger(newSize)) return false;
  if (oldSize < 1 || oldSize > newSize) return false;
  if (oldSize === newSize) return path.length === 0 && equalBytes(oldRoot, newRoot);
  if (!areHashes([oldRoot, newRoot, ...path])) return false;
  let index = oldSize - 1;
  let last = newSize - 1;
  while (isOdd(index)) {
    index = half(index);
    last = half(last);
  }
  // If the old tree is full, its root is the first node of the proof and left out of it.
  const nodes = index === 0 ? [oldRoot, ...path] : path;
  if (nodes.length === 0) return false;
  let oldNode = nodes[0]!;
  let newNode = nodes[0]!;
  for (const sibling of nodes.slice(1)) {
    if (last === 0) return false;
    if (isOdd(index) || index === last) {
      oldNode = nodeHash(sibling, oldNode);
      newNode = nodeHash(sibling, newNode);
      while (!isOdd(index) && index > 0) {
        index = half(index);
        last = half(last);
      }
    } else {
      newNode = nodeHash(newNode, sibling);
    }
    index = half(index);
    last = half(last);
  }
  return last === 0 && equalBytes(oldNode, oldRoot) && equalBytes(newNode, newRoot);
}

/** The largest power of two smaller than `count`, which is at least 2. */
function splitOf(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}

function isOdd(value: number): boolean {
  return value % 2 === 1;
}

function half(value: number): number {
  return (value - (value % 2)) / 2;
}

function areHashes(hashes: readonly Uint8Array[]): boolean {
  return hashes.every((hash) => hash.length === 32);
}

function badProof(message: string): Result<Hash, CairnError> {
  return fail({ code: 'merkle.bad-proof', message });
}
