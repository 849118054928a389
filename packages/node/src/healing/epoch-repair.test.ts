/** Repair and the background audit, over a real chain whose validator set has changed twice: at heights 9 and 17. */
import { strict as assert } from 'node:assert';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { createStateTree, encodeGenesis } from '@cairn-ledger/core';
import { auditEpochs } from '../audit/epoch-audit.ts';
import { createFindings, type Finding } from '../audit/finding.ts';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { orThrow } from '../failure.ts';
import { noRestarts } from '../restart/restart-files.ts';
import { openChainDb } from '../storage/chain-db.ts';
import { createBackgroundAudit } from './background-audit.ts';
import { anchorEpochs, epochToSet } from './known-epochs.ts';
import { openPartCache } from './part-cache.ts';
import { createPeers } from './peers.ts';
import { repairChain } from './repair-chain.ts';
import { syncState } from './sync-state.ts';
import { notGivenByPeers, rowsAsText } from './testing/chain-rows-as-text.ts';
import { createEpochChain, type EpochChain } from './testing/epoch-chain.ts';
import { type Answering, portTo, type ServedChain, serveDatabase } from './testing/served-chain.ts';

const dir = mkdtempSync(join(tmpdir(), 'cairn-epoch-repair-'));
const whole = join(dir, 'whole.db');
const founded = join(dir, 'founded.db');
let made: EpochChain;
let served: ServedChain;
let victims = 0;

before(async () => {
  made = createEpochChain();
  await made.grow(4);
  await made.removeLast();
  await made.grow(2);
  await made.admitNext();
  await made.grow(6);
  assert.deepEqual(
    made.chain.epochs.page(2, 9).map(({ genesisHeight }) => genesisHeight),
    [9, 17],
  );
  made.close();
  copyFileSync(made.path, whole);
  served = serveDatabase(made.path, made.anchor.ledgerHash, () => 0);
  await found();
});

after(() => {
  served.close();
  made.remove();
  rmSync(dir, { recursive: true, force: true });
});

/** A chain that was founded at the tip, above both boundaries. */
async function found(): Promise<void> {
  const { anchor } = made;
  const peers = createPeers({ port: portTo({ one: served.serve }), signal: new AbortController().signal });
  const cache = openPartCache(`${founded}.parts`);
  const { snapshot } = orThrow(await syncState({ anchor, peers, verifier: sodiumVerifier, cache }));
  const chain = orThrow(openChainDb(founded, { ledgerHash: anchor.ledgerHash }));
  orThrow(chain.importSnapshot(snapshot));
  assert.ok(chain.firstHeight()! > 17 && chain.keptBoundaries().length === 1);
  chain.close();
  cache.remove();
}

function victimOf(source: string, damage: string): string {
  const path = join(dir, `victim-${victims++}.db`);
  copyFileSync(source, path);
  const sqlite = new DatabaseSync(path);
  sqlite.exec(damage);
  sqlite.close();
  return path;
}

function repair(path: string, honest: Answering = served.serve) {
  const port = portTo({ one: honest, two: honest, three: honest });
  const peers = createPeers({ port, signal: new AbortController().signal, timeoutMs: 40 });
  return repairChain({ path, anchor: made.anchor, peers, verifier: sodiumVerifier, pauseMs: 1, roundsMax: 2 });
}

/** What the audit tells of a file in a round over its heights. */
async function audit(path: string): Promise<Finding[]> {
  const chain = orThrow(openChainDb(whole, { readOnly: true }));
  const stateTree = createStateTree(chain.entries);
  chain.close();
  const findings: Finding[] = [];
  let nowMs = 0;
  const { anchor } = made;
  const background = createBackgroundAudit({
    path,
    journalDir: null,
    viewPath: null,
    anchor,
    verifier: sodiumVerifier,
    stateTree,
    // The time of a tick is over with the first unit of each kind.
    now: () => {
      nowMs += 11;
      return nowMs;
    },
    tickMs: 1_000,
    onDamage: (finding) => findings.push(finding),
  });
  for (let i = 0; i < 60; i++) await background.tick();
  background.close();
  return findings;
}

const flip = (table: string, column: string, where: string) =>
  `UPDATE ${table} SET ${column} = unhex(CASE WHEN substr(hex(${column}), 1, 1) = '0' THEN '1' ELSE '0' END || substr(hex(${column}), 2)) WHERE ${where}`;

const heights: Readonly<Record<string, number>> = {
  'before a boundary': 8,
  'at a boundary': 9,
  'right behind a boundary': 10,
  'before the second boundary': 16,
  'at the second boundary': 17,
  'behind the second boundary': 18,
};

const damagesAt = (height: number): Readonly<Record<string, string>> => ({
  'the header of a block': flip('blocks', 'header', `height = ${height}`),
  'the body of a block': flip('blocks', 'body', `height = ${height}`),
  'a checkpoint': flip('checkpoints', 'statement', `height = ${height}`),
  'signatures of a checkpoint': flip('checkpoints', 'signatures', `height = ${height}`),
  'a checkpoint that is gone': `DELETE FROM checkpoints WHERE height = ${height}`,
  'a part of a batch': flip('batch_parts', 'bytes', `id = 128 * 64 * ${height}`),
  'a batch that is gone': `DELETE FROM batches WHERE id = 64 * ${height}`,
  'a finalization': flip('blocks', 'finalization', `height = ${height}`),
  'the block': `DELETE FROM blocks WHERE height = ${height}`,
});

const ofTables: Readonly<Record<string, string>> = {
  'the validators of epoch 2': flip('epochs', 'validators', 'epoch = 2'),
  'the validators of the present epoch': flip('epochs', 'validators', 'epoch = 3'),
  'epoch 2 gone': 'DELETE FROM epochs WHERE epoch = 2',
  'the present epoch gone': 'DELETE FROM epochs WHERE epoch = 3',
  'the height of a boundary': 'UPDATE epochs SET genesis_height = 8 WHERE epoch = 2',
  'the block that an epoch began from': flip('epochs', 'genesis_digest', 'epoch = 3'),
  'the time that an epoch began at': 'UPDATE epochs SET genesis_time_ms = 7 WHERE epoch = 2',
  'the rules of an epoch': 'UPDATE epochs SET rules = 2 WHERE epoch = 2',
};

const tablesOnly: Readonly<Record<string, string>> = {
  'an epoch too many': "INSERT INTO epochs SELECT 4, 20, x'00', 1, validators, rules FROM epochs WHERE epoch = 2",
  'the targets': 'UPDATE targets SET height = height + 1 WHERE height > 0',
  'no targets': 'DELETE FROM targets',
  'the floors of an epoch that is over': 'UPDATE floors SET seq = seq + 1 WHERE epoch = 1',
  'everything about epochs':
    'DELETE FROM epochs; DELETE FROM targets; DELETE FROM floors; DELETE FROM checkpoints WHERE height IN (9, 17)',
};

test('a sound chain with boundaries is left alone, and the audit finds nothing', async () => {
  for (const source of [whole, founded]) {
    const path = victimOf(source, '');
    const report = orThrow(await repair(path));
    assert.deepEqual(report.damages, []);
    assert.equal(report.what, 'nothing');
    assert.deepEqual(rowsAsText(path), rowsAsText(source));
    assert.deepEqual(await audit(path), []);
  }
});

for (const [where, height] of Object.entries(heights)) {
  test(`mended where it is, and found by the audit: ${where}`, async (t) => {
    for (const [what, damage] of Object.entries(damagesAt(height)))
      await t.test(what, async () => {
        const path = victimOf(whole, damage);
        assert.equal((await audit(path)).length, 1, 'the audit finds it');
        const report = orThrow(await repair(path));
        assert.equal(report.what, 'chain-repaired', report.replacedFor ?? '');
        assert.ok(report.isComplete);
        // Where a later finalization covers a block it need not have its own back; an epoch's last block must.
        const isCovered = ['a finalization', 'the block'].includes(what) && ![9, 17].includes(height);
        const without = isCovered ? ['blocks.finalization', 'blocks.view'] : [];
        assert.deepEqual(rowsAsText(path, without), rowsAsText(whole, without));
        assert.equal(orThrow(await repair(path)).what, 'nothing');
      });
  });
}

for (const [what, damage] of Object.entries({ ...ofTables, ...tablesOnly })) {
  test(`mended where it is: ${what}`, async () => {
    const path = victimOf(whole, damage);
    if (what in ofTables) assert.equal((await audit(path)).length, 1, 'the audit finds it');
    const report = orThrow(await repair(path));
    assert.equal(report.what, 'chain-repaired', report.replacedFor ?? '');
    assert.deepEqual(rowsAsText(path), rowsAsText(whole));
    assert.equal(orThrow(await repair(path)).what, 'nothing');
  });
}

test('a chain that is gone is made again over all boundaries, with nothing missing', async () => {
  for (const damage of ['DROP TABLE checkpoints', 'DELETE FROM blocks; DELETE FROM checkpoints']) {
    const path = victimOf(whole, damage);
    const report = orThrow(await repair(path));
    assert.equal(report.what, 'chain-replaced');
    assert.ok(report.isComplete);
    // News of blocks that are fetched nobody tells.
    assert.deepEqual(
      { ...rowsAsText(path, notGivenByPeers), news: [] },
      { ...rowsAsText(whole, notGivenByPeers), news: [] },
    );
    assert.equal(orThrow(await repair(path)).what, 'nothing');
    assert.deepEqual(await audit(path), []);
  }
});

test('the audit of a node at rest knows the boundaries of a founded chain', () => {
  const { genesis, ledgerHash } = made.anchor;
  const [first] = anchorEpochs(made.anchor);
  const set1 = epochToSet(first!);
  const anchor = { genesis, genesisBytes: encodeGenesis(genesis), ledgerHash, set: set1, restarts: noRestarts };
  const set = { ...anchor.set, rules: genesis.rules, genesis: { ...anchor.set.genesis, digest: ledgerHash } };
  const told = (damage: string): readonly Finding[] => {
    const chain = orThrow(openChainDb(victimOf(founded, damage), { readOnly: true }));
    const findings = createFindings(10, () => false);
    assert.equal(auditEpochs({ ...anchor, set }, chain, findings).latest.epoch, 3);
    chain.close();
    return findings.listed;
  };
  assert.deepEqual(told(''), []);
  const damages = [ofFounded['the boundary that is kept']!, ofFounded['a byte within it']!];
  for (const damage of damages) assert.equal(told(damage)[0]?.where.table, 'meta');
});

const ofFounded: Readonly<Record<string, string>> = {
  'the boundary that is kept': flip('meta', 'value', "key = 'boundaries'"),
  'a byte within it':
    "UPDATE meta SET value = unhex(hex(substr(value, 1, 90)) || 'ABCD' || hex(substr(value, 93))) WHERE key = 'boundaries'",
  'the checkpoint of a boundary below, gone': 'DELETE FROM checkpoints WHERE height = 17',
  'no boundary': "DELETE FROM meta WHERE key = 'boundaries'",
  'the checkpoint of a boundary below': flip('checkpoints', 'signatures', 'height = 9'),
  'the validators of an epoch below': flip('epochs', 'validators', 'epoch = 2'),
  'the validators of its epoch': flip('epochs', 'validators', 'epoch = 3'),
};

for (const [what, damage] of Object.entries(ofFounded)) {
  test(`of a chain founded above the boundaries, found and mended: ${what}`, async () => {
    const path = victimOf(founded, damage);
    assert.equal((await audit(path)).length, 1, 'the audit finds it');
    const report = orThrow(await repair(path));
    assert.ok(report.damageCount > 0);
    assert.notEqual(report.what, 'nothing');
    assert.equal(orThrow(await repair(path)).what, 'nothing');
    assert.deepEqual(await audit(path), []);
  });
}
