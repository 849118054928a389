/**
 * The four keys of a node, each for one use, so that none can be made to sign in place of another:
 * `link` proves who is at the other end of a connection, `voting` signs batches and votes, `checkpoint` signs results
 * (and so receipts), `gateway` signs for devices that cannot. They are what one backs up; all else can be fetched again.
 */
import { join } from 'node:path';
import { type CairnError, fail, ok, type Result } from '@cairn-ledger/core';
import { createKey, type KeyPair } from '@cairn-ledger/sdk';
import { readKeyFile, writeKeyFile } from './key-file.ts';

export const nodeKeyUses = ['link', 'voting', 'checkpoint', 'gateway'] as const;
export type NodeKeyUse = (typeof nodeKeyUses)[number];
export type NodeKeys = Readonly<Record<NodeKeyUse, KeyPair>>;

/** Reads all four; the first failure is returned. A node's keys are Ed25519. */
export function readNodeKeys(keysDir: string): Result<NodeKeys, CairnError> {
  const keys: Partial<Record<NodeKeyUse, KeyPair>> = {};
  for (const use of nodeKeyUses) {
    const path = join(keysDir, `${use}.key`);
    const key = readKeyFile(path);
    if (!key.ok) return key;
    if (key.value.algorithm !== 'ed25519') {
      return fail({ code: 'keyfile.wrong-algorithm', message: `${path} must be an Ed25519 key` });
    }
    keys[use] = key.value;
  }
  return ok(keys as NodeKeys);
}

/** Makes and writes all four. Nothing is written over: a folder that holds a key already is refused. */
export function createNodeKeys(keysDir: string): Result<NodeKeys, CairnError> {
  const keys: Partial<Record<NodeKeyUse, KeyPair>> = {};
  for (const use of nodeKeyUses) {
    const key = createKey('ed25519');
    const written = writeKeyFile(join(keysDir, `${use}.key`), key);
    if (!written.ok) return written;
    keys[use] = key;
  }
  return ok(keys as NodeKeys);
}

/** Reads the keys that are there and makes those that are missing: for a folder whose making was interrupted. */
export function completeNodeKeys(keysDir: string): Result<NodeKeys, CairnError> {
  for (const use of nodeKeyUses) {
    const path = join(keysDir, `${use}.key`);
    const key = readKeyFile(path);
    if (key.ok) continue;
    if (key.error.code !== 'keyfile.missing') return key;
    const written = writeKeyFile(path, createKey('ed25519'));
    if (!written.ok) return written;
  }
  return readNodeKeys(keysDir);
}
