/**
 * Somebody with access to the disk edits a balance in the database of a running node, and makes all that the node keeps about it
 * fit: the state root of the changed state stands in its checkpoints. Only what a quorum has signed contradicts it.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  compareBytes,
  createStateTree,
  decodeCheckpointStatement,
  encodeCbor,
  encodeCheckpointStatement,
  type Hash,
  type StateEntry,
  sha256,
} from '@cairn-ledger/core';
import type { Attack } from '../attack.ts';
import { watchedAccount, watchedAsset } from '../truth-reader.ts';

const loot = 10n ** 15n;
const busyTimeoutMs = 5_000;

export const tamper: Attack = {
  name: 'tamper',
  what: `in its database ${watchedAccount} suddenly owns ${loot} of ${watchedAsset}, and every hash there fits`,
  noticedBy: ['fenced', 'repaired', 'failed'],
  shutOutBy: ['fenced', 'repaired', 'failed', 'suspended'],
  isWindowed: false,
  mayBeProven: false,
  voidsOwnPromises: false,
  needsNewKeys: false,
  isHarmless: false,
  async begin({ target }) {
    editBalance(join(target.dir, 'data', 'chain.db'));
    return { beganMs: Date.now(), end: null };
  },
};

function editBalance(path: string): void {
  const database = new DatabaseSync(path, { timeout: busyTimeoutMs });
  try {
    database.exec('BEGIN IMMEDIATE');
    const key = new TextEncoder().encode(`account/${watchedAccount}/${watchedAsset}`);
    const { changes } = database.prepare('UPDATE state SET value = ? WHERE key = ?').run(encodeCbor(loot), key);
    if (changes !== 1) throw new Error(`the state of ${path} has no balance of ${watchedAccount}`);
    const stateRoot = rootOf(database);
    const checkpoints = database.prepare(
      'SELECT height, round, statement FROM checkpoints ORDER BY height DESC LIMIT 64',
    );
    const put = database.prepare('UPDATE checkpoints SET statement = ? WHERE height = ? AND round = ?');
    for (const row of checkpoints.all() as { height: number; round: number; statement: Uint8Array }[]) {
      const statement = decodeCheckpointStatement(row.statement);
      if (statement.ok) put.run(encodeCheckpointStatement({ ...statement.value, stateRoot }), row.height, row.round);
    }
    database.exec('COMMIT');
  } finally {
    database.close();
  }
}

function rootOf(database: DatabaseSync): Hash {
  const entries: StateEntry[] = [];
  for (const row of database.prepare('SELECT key, value FROM state').iterate()) {
    const { key, value } = row as { key: Uint8Array; value: Uint8Array };
    entries.push({ keyHash: sha256(key), valueHash: sha256(value) });
  }
  entries.sort((a, b) => compareBytes(a.keyHash, b.keyHash));
  const isWithin = ({ keyHash }: StateEntry, first: Hash, last: Hash): boolean =>
    compareBytes(keyHash, first) >= 0 && compareBytes(keyHash, last) <= 0;
  return createStateTree({
    entriesBetween: (first, last) => entries.filter((entry) => isWithin(entry, first, last)),
  }).root();
}
