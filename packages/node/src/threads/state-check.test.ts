import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { encodeCbor, readAccount, readMember, sha256 } from '@cairn-ledger/core';
import { checkState, type ReadRow, readChecked, type StateVerdict } from './state-check.ts';
import { createLedgerBench } from './testing/ledger-bench.ts';

const keyOf = (path: string): Uint8Array => new TextEncoder().encode(path);
const member = keyOf('member/acme');
const absent = keyOf('account/acme/eur');

function bench(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), 'cairn-state-'));
  const { chain, executor, end } = createLedgerBench(dir);
  t.after(end);
  const check = (rows: readonly ReadRow[]): StateVerdict => checkState(chain.store, executor.stateTree, rows);
  const edit = (sql: string, ...values: Uint8Array[]): void => {
    const database = new DatabaseSync(join(dir, 'chain.db'));
    assert.equal(database.prepare(sql).run(...values).changes, 1);
    database.close();
  };
  return { chain, check, edit };
}

test('what was read is sound when it stands under the state root, and so is what is not there', (t) => {
  const { chain, check } = bench(t);
  assert.equal(check([{ key: member, valueHash: sha256(chain.store.get(member)!) }]), 'sound');
  assert.equal(check([{ key: absent, valueHash: null }]), 'sound');
});

test('what was read before the last block, or after the next, is another one by now', (t) => {
  const { check } = bench(t);
  assert.equal(check([{ key: member, valueHash: sha256(new Uint8Array(1)) }]), 'changed');
  assert.equal(check([{ key: absent, valueHash: sha256(new Uint8Array(1)) }]), 'changed');
});

test('a row that was edited, added or deleted on disk is damage, whatever was read', (t) => {
  for (const [sql, values, key] of [
    ['UPDATE state SET value = ? WHERE key = ?', [encodeCbor(1n), member], member],
    ['INSERT INTO state (value, key, bucket) VALUES (?, ?, 0)', [encodeCbor(1n), absent], absent],
    ['DELETE FROM state WHERE key = ?', [member], member],
  ] as const) {
    const { chain, check, edit } = bench(t);
    edit(sql, ...values);
    const value = chain.store.get(key);
    assert.equal(check([{ key, valueHash: value === null ? null : sha256(value) }]), 'damaged', sql);
    assert.equal(check([{ key, valueHash: null }]), 'damaged', sql);
  }
});

test('an answer is given once all its rows are sound: read again while blocks change them, refused when damaged', async (t) => {
  const { chain, check, edit } = bench(t);
  const asked: number[] = [];
  const name = await readChecked(
    chain.store,
    (rows) => {
      asked.push(rows.length);
      return Promise.resolve(asked.length < 3 ? 'changed' : check(rows));
    },
    (store) => readMember(store, 'acme')?.name,
  );
  assert.equal(name, 'Acme Ltd');
  assert.deepEqual(asked, [1, 1, 1]);

  edit('INSERT INTO state (value, key, bucket) VALUES (?, ?, 0)', encodeCbor(1n), absent);
  const read = readChecked(
    chain.store,
    (rows) => Promise.resolve(check(rows)),
    (store) => readAccount(store, 'acme'),
  );
  await assert.rejects(read, { code: 'node.damaged' });
  const never = readChecked(
    chain.store,
    () => Promise.resolve('changed'),
    () => 1,
  );
  await assert.rejects(never, { code: 'node.syncing' });
});
