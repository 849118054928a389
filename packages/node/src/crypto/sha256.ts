/**
 * SHA-256 of the platform for the whole process: several times as fast as plain JavaScript.
 *
 * Short inputs, such as two hashes of a tree, go through sodium into slices of a slab: node:crypto makes a buffer of its
 * own for every digest, which costs more than the hash. Longer ones go through node:crypto, which uses the processor's own
 * instructions (the two meet at about 140 bytes). A digest that is kept keeps its slab alive: 8 KiB.
 */
import { hash } from 'node:crypto';
import { installSha256 } from '@cairn-ledger/core';
import sodium from 'sodium-native';

const digestBytes = 32;
const slabBytes = 256 * digestBytes;
/** From here on the processor's instructions outweigh the buffer. */
const longBytes = 128;

let slab = new Uint8Array(slabBytes);
let used = 0;

export function nodeSha256(bytes: Uint8Array): Uint8Array {
  if (bytes.length >= longBytes) {
    const digest = hash('sha256', bytes, 'buffer');
    return new Uint8Array(digest.buffer, digest.byteOffset, digest.byteLength);
  }
  if (used === slabBytes) {
    slab = new Uint8Array(slabBytes);
    used = 0;
  }
  const digest = slab.subarray(used, used + digestBytes);
  used += digestBytes;
  sodium.crypto_hash_sha256(digest, bytes);
  return digest;
}

/** Call once at the start of every thread. */
export function installNodeSha256(): void {
  installSha256(nodeSha256);
}
