import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { toHex } from '@cairn-ledger/core';
import { createLedgerBench, genesis, ledgerHash } from '../threads/testing/ledger-bench.ts';
import { type ChainDb, openChainDb } from './chain-db.ts';
import { finishReplacement, replaceChainDb } from './chain-replacement.ts';
import { encodeSignatures } from './checkpoint-signatures.ts';
import type { ChainSnapshot } from './snapshot-import.ts';
import { snapshotOf } from './testing/chain-snapshot.ts';

const lag = genesis.parameters.checkpointLag;

test('a founded chain takes the place of the old one, log and all', (t) => {
  const { path, snapshot, digest } = setting(t);
  assert.ok(replaceChainDb(path, ledgerHash, snapshot).ok);
  const chain = opened(path);
  assert.equal(toHex(chain.tip()!.digest), digest);
  chain.close();
  assert.deepEqual(readdirSync(join(path, '..')), ['chain.db']);
});

test('a snapshot that is not what was signed leaves the old chain, and no draft', (t) => {
  const { path, snapshot, height } = setting(t);
  const replaced = replaceChainDb(path, ledgerHash, { ...snapshot, state: [] });
  assert.equal(replaced.ok ? 'ok' : replaced.error.code, 'snapshot.differs');
  const chain = opened(path);
  assert.equal(chain.tip()!.height, height);
  chain.close();
  assert.ok(!readdirSync(join(path, '..')).some((name) => name.includes('draft')));
});

test('a crash leaves the old chain while the new one is a draft, and the new one from then on', (t) => {
  const { path, snapshot, height, digest } = setting(t);
  const made = join(path, '..', 'made');
  const other = opened(made);
  assert.ok(other.importSnapshot(snapshot).ok);
  other.close();

  // While the draft is written.
  writeFileSync(`${path}.draft`, 'half of a database');
  const old = opened(path);
  assert.equal(old.tip()!.height, height);
  old.close();
  assert.ok(replaceChainDb(path, ledgerHash, { ...snapshot, state: [] }).ok === false, 'a draft is begun anew');

  // Behind the renaming, the log of the old one still there or not.
  for (const isLogLeft of [true, false]) {
    copyFileSync(made, `${path}.next`);
    if (isLogLeft) writeFileSync(`${path}-wal`, 'a log of the old database');
    const now = opened(path);
    assert.equal(toHex(now.tip()!.digest), digest);
    now.close();
  }
  // Behind the removal of the old one.
  copyFileSync(made, `${path}.next`);
  rmSync(path);
  finishReplacement(path);
  assert.ok(existsSync(path) && !existsSync(`${path}.next`));
});

test('who only reads leaves everything as it is', (t) => {
  const { path, height } = setting(t);
  copyFileSync(path, `${path}.next`);
  const reader = openChainDb(path, { readOnly: true, ledgerHash });
  assert.ok(reader.ok);
  assert.equal(reader.value.tip()!.height, height);
  reader.value.close();
  assert.ok(existsSync(`${path}.next`));
});

/** A chain of two blocks at `path`, and the snapshot of a longer one, whose tip has `digest`. */
function setting(t: TestContext): { path: string; snapshot: ChainSnapshot; height: number; digest: string } {
  const path = join(mkdtempSync(join(tmpdir(), 'cairn-replaced-')), 'chain.db');
  t.after(() => rmSync(join(path, '..'), { recursive: true }));
  const short = createLedgerBench(join(path, '..'));
  short.execute([]);
  short.execute([]);
  const { height } = short.chain.tip()!;
  short.chain.close();
  const long = createLedgerBench();
  t.after(() => long.end());
  for (let i = 0; i < lag + 3; i++) long.execute([]);
  const snapshot = snapshotOf(long.chain, lag, encodeSignatures([]));
  return { path, snapshot, height, digest: toHex(long.chain.tip()!.digest) };
}

function opened(path: string): ChainDb {
  const chain = openChainDb(path, { ledgerHash });
  assert.ok(chain.ok, chain.ok ? '' : chain.error.message);
  return chain.value;
}
