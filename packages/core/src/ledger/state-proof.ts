/**
 * What shows, under a state root, that a key has a value or is absent (state-tree.ts). A proof is the preimages of the
 * hashes from the key's bucket up to the root: the bucket with all its entries, then every node with its 16 children.
 */
import { equalBytes } from '../bytes/hex.ts';
import { sha256 } from '../crypto/hash.ts';
import type { Hash } from '../model/brands.ts';
import { type CairnError, fail, ok, type Result } from '../result.ts';

export const hashBytes = 32;
/** An entry of a bucket: key hash, value hash. */
export const entryBytes = 2 * hashBytes;
export const childCount = 16;
/** A bucket with more entries than this is split. */
export const bucketEntriesMax = 256;
/** Nodes above every bucket, at least: 16^4 = 65,536 buckets. */
export const bucketDepth = 4;
/** First byte of what is hashed for a bucket, and for a node. */
export const bucketTag = 0;
export const nodeTag = 1;

/** `nodes` go from the bucket's parent up to the root. */
export type StateProof = { readonly bucket: Uint8Array; readonly nodes: readonly Uint8Array[] };

/**
 * Checks a proof against a state root.
 *
 * @returns the hash of the value stored under the key; null when the proof shows that nothing is
 */
export function verifyStateProof(root: Hash, keyHash: Hash, proof: StateProof): Result<Uint8Array | null, CairnError> {
  const depth = proof.nodes.length;
  if (depth < bucketDepth || depth > 2 * hashBytes) return refuse('has the wrong number of nodes');
  if (!isBucket(proof.bucket)) return refuse('holds no proper bucket');
  let hash = sha256(proof.bucket);
  for (let i = 0; i < depth; i++) {
    const node = proof.nodes[i]!;
    if (node.length !== 1 + childCount * hashBytes || node[0] !== nodeTag) return refuse('holds no proper node');
    const at = 1 + nibbleAt(keyHash, depth - 1 - i) * hashBytes;
    if (!equalBytes(node.subarray(at, at + hashBytes), hash))
      return refuse('has a node that does not cover the one below');
    hash = sha256(node);
  }
  if (!equalBytes(hash, root)) return refuse('leads to another state root');
  return ok(valueHashIn(proof.bucket, keyHash));
}

/** The `depth`-th group of four bits of a key hash. */
export function nibbleAt(keyHash: Uint8Array, depth: number): number {
  const byte = keyHash[depth >> 1]!;
  return depth % 2 === 0 ? byte >> 4 : byte & 15;
}

function isBucket(bytes: Uint8Array): boolean {
  return bytes.length % entryBytes === 1 && bytes.length <= 1 + bucketEntriesMax * entryBytes && bytes[0] === bucketTag;
}

/** In a bucket as it is hashed. */
export function valueHashIn(bucket: Uint8Array, keyHash: Hash): Uint8Array | null {
  for (let at = 1; at < bucket.length; at += entryBytes) {
    if (equalBytes(bucket.subarray(at, at + hashBytes), keyHash))
      return bucket.subarray(at + hashBytes, at + entryBytes);
  }
  return null;
}

function refuse(what: string): Result<never, CairnError> {
  return fail({ code: 'proof.invalid', message: `The state proof ${what}. Ask another node for it.` });
}
