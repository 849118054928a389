import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, type TestContext, test } from 'node:test';
import {
  decodeShape,
  defaultParameters,
  encodeCbor,
  readValidatorSet,
  sortValidators,
  validatorToCbor,
} from '@cairn-ledger/core';
import { orThrow } from '../failure.ts';
import { createNodeKeys, nodeKeyUses } from '../keys/node-keys.ts';
import { type AuditOptions, type AuditReport, auditFolder } from './audit.ts';
import { type MadeFolder, makeNodeFolder } from './testing/node-folder.ts';

const lag = defaultParameters.checkpointLag;
/** The second of five validators leaves by vote in block 3, so block 7 is the last one of the first epoch. */
const removalAt = 3;
const boundary = removalAt + lag;
const foundedAt = 9;

let changed: MadeFolder;
let foundedInFirst: MadeFolder;
let foundedLater: MadeFolder;
before(async () => {
  changed = await makeNodeFolder({ blocks: 12, transactionsPerBlock: 3, removalAt });
  foundedInFirst = await makeNodeFolder({ blocks: 12, transactionsPerBlock: 3, removalAt, foundedAt: boundary - 1 });
  foundedLater = await makeNodeFolder({ blocks: 14, transactionsPerBlock: 3, removalAt, foundedAt });
});
after(() => {
  for (const folder of [changed, foundedInFirst, foundedLater]) folder.remove();
});

test('a chain of two epochs is sound, executed again or not', async () => {
  const epochs = read(changed.dir, 'SELECT epoch, genesis_height FROM epochs ORDER BY epoch');
  assert.deepEqual(epochs, [
    { epoch: 1, genesis_height: 0 },
    { epoch: 2, genesis_height: boundary },
  ]);
  for (const options of [{ replay: true }, { replay: false }, { recent: 3 }, { recent: 8 }]) {
    const report = await auditOf(changed.dir, options);
    assert.deepEqual(report.findings, [], JSON.stringify(options));
    assert.equal(report.checked.certifiedHeight, changed.tipHeight);
  }
  assert.deepEqual((await auditOf(changed.dir)).notes, []);
});

test('a chain that was founded from a snapshot is sound from there on, and what is not known is noted', async () => {
  for (const [folder, height] of [
    [foundedInFirst, boundary - 1],
    [foundedLater, foundedAt],
  ] as const) {
    for (const options of [{}, { replay: true }, { replay: false }, { recent: 2 }]) {
      const report = await auditOf(folder.dir, options);
      assert.deepEqual(report.findings, [], JSON.stringify(options));
      assert.ok(report.notes.some(({ code, where }) => code === 'audit.unproven' && where.height === height));
      assert.equal(report.checked.isReplayed, false);
      assert.equal(report.checked.toHeight, folder.tipHeight);
    }
    const { checked } = await auditOf(folder.dir);
    assert.equal(checked.fromHeight, height - lag);
    assert.equal(checked.batches, folder.tipHeight - height);
  }
});

type Case = readonly [what: string, damage: (database: DatabaseSync) => void];

/** What whoever can write the file could do to who signs. */
const ofEpochs: readonly Case[] = [
  ['the second epoch missing', (database) => run(database, 'DELETE FROM epochs WHERE epoch = 2')],
  [
    'the second epoch somewhere else',
    (database) => run(database, `UPDATE epochs SET genesis_height = ${boundary + 1} WHERE epoch = 2`),
  ],
  [
    'the second epoch from another block',
    (database) => run(database, "UPDATE epochs SET genesis_digest = x'00' WHERE epoch = 2"),
  ],
  [
    'the second epoch at another time',
    (database) => run(database, 'UPDATE epochs SET genesis_time_ms = 1 WHERE epoch = 2'),
  ],
  ['other rules in the second epoch', (database) => run(database, 'UPDATE epochs SET rules = 2 WHERE epoch = 2')],
  ['another key in the second epoch', (database) => exchangeKey(database, 2)],
  [
    'a third epoch',
    (database) =>
      run(
        database,
        `INSERT INTO epochs SELECT 3, ${boundary + 2}, genesis_digest, genesis_time_ms, validators, rules FROM epochs WHERE epoch = 2`,
      ),
  ],
  ['an epoch left out', (database) => run(database, 'UPDATE epochs SET epoch = 3 WHERE epoch = 2')],
  ['no target', (database) => run(database, 'DELETE FROM targets')],
  ['the last target missing', (database) => run(database, `DELETE FROM targets WHERE height = ${removalAt}`)],
  [
    'the target later',
    (database) => run(database, `UPDATE targets SET height = height + 1 WHERE height = ${removalAt}`),
  ],
  [
    'a target too many',
    (database) => run(database, 'INSERT INTO targets SELECT 11, validators, rules + 1 FROM targets LIMIT 1'),
  ],
  [
    'a target that says nothing new',
    (database) =>
      run(database, `INSERT INTO targets SELECT 11, validators, rules FROM targets ORDER BY height DESC LIMIT 1`),
  ],
];

test('whatever is changed in epochs and targets is found, executed again or not', async (t) => {
  for (const [what, damage] of ofEpochs) {
    for (const options of [{ replay: true }, { replay: false }]) {
      const report = await auditOf(damaged(t, changed, damage), options);
      assert.ok(!report.isSound, `${what}, ${JSON.stringify(options)}`);
      const found = report.findings.filter(({ class: kind }) => kind === 'block');
      assert.ok(
        found.length > 0,
        `${what}, ${JSON.stringify(options)}: ${JSON.stringify(report.findings.slice(0, 3))}`,
      );
    }
  }
});

test('of a founded chain it is found as well, as is what does not belong below its beginning', async (t) => {
  const cases: readonly Case[] = [
    ...ofEpochs.filter(
      ([what]) =>
        !what.includes('block') &&
        !what.includes('time') &&
        !what.includes('target later') &&
        !what.includes('last target'),
    ),
    ['another key in the first epoch', (database) => exchangeKey(database, 1)],
    [
      'no proof of the second epoch',
      (database) => {
        run(database, `UPDATE checkpoints SET signatures = NULL WHERE height = ${boundary}`);
        run(database, `UPDATE blocks SET finalization = NULL, view = 0 WHERE height = ${boundary}`);
      },
    ],
    ['a block from before missing', (database) => run(database, `DELETE FROM blocks WHERE height = ${foundedAt - 2}`)],
    [
      'another height of founding',
      (database) => database.prepare("UPDATE meta SET value = ? WHERE key = 'founded'").run(encodeCbor(foundedAt + 1)),
    ],
    ['no height of founding', (database) => run(database, "DELETE FROM meta WHERE key = 'founded'")],
    [
      'a height of founding that is none',
      (database) => run(database, "UPDATE meta SET value = x'ff' WHERE key = 'founded'"),
    ],
    [
      'a batch from before',
      (database) =>
        run(
          database,
          `INSERT INTO batches SELECT ${foundedAt * 64}, digest, epoch, author, seq, size FROM batches LIMIT 1`,
        ),
    ],
    [
      'verdicts from before',
      (database) => run(database, `UPDATE blocks SET verdicts = x'81840062746500' WHERE height = ${foundedAt}`),
    ],
    [
      'another history size',
      (database) => run(database, `UPDATE blocks SET history_size = history_size + 1 WHERE height = ${foundedAt}`),
    ],
    [
      'a tile changed',
      (database) => run(database, 'UPDATE history_tiles SET hashes = zeroblob(length(hashes)) WHERE id = 0'),
    ],
    ['a floor changed', (database) => run(database, "UPDATE floors SET digest = x'00' WHERE epoch = 2 AND author = 2")],
    [
      'the state changed',
      (database) =>
        database
          .prepare('UPDATE state SET value = ? WHERE key = ?')
          .run(encodeCbor(9_999_999n), Buffer.from('account/birch/meter/eur')),
    ],
  ];
  for (const [what, damage] of cases) {
    const report = await auditOf(damaged(t, foundedLater, damage));
    assert.ok(!report.isSound, what);
  }
});

test('a journal of an epoch that the database does not have is one of lost commits', async (t) => {
  const dir = damaged(t, changed, (database) => {
    for (const table of ['blocks', 'checkpoints']) run(database, `DELETE FROM ${table} WHERE height > ${boundary - 1}`);
    run(database, 'DELETE FROM epochs WHERE epoch = 2');
  });
  const report = await auditOf(dir);
  assert.ok(report.findings.some(({ class: kind, code }) => kind === 'journal' && code === 'audit.behind'));
});

test('keys are those that the ledger has for this node now; a guest has none there', async (t) => {
  const configOf = (dir: string, validatorId: string): void => {
    const path = join(dir, 'node.json');
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), validatorId }));
  };
  const newKeysIn = (dir: string): void => {
    for (const use of nodeKeyUses) rmSync(join(dir, 'keys', `${use}.key`));
    orThrow(createNodeKeys(join(dir, 'keys')));
  };
  const codesOf = (rows: AuditReport['findings']) =>
    rows.flatMap(({ class: kind, code }) => (kind === 'keys' || kind === 'config' ? [code] : []));

  const renamed = damaged(t, changed, () => undefined);
  configOf(renamed, 'node-9');
  assert.deepEqual(codesOf((await auditOf(renamed)).findings), ['config.not-a-validator']);

  const rekeyed = damaged(t, changed, () => undefined);
  newKeysIn(rekeyed);
  const wrong = codesOf((await auditOf(rekeyed)).findings);
  assert.deepEqual(wrong, ['config.wrong-keys', 'config.wrong-keys', 'config.wrong-keys']);

  const guest = damaged(t, changed, () => undefined);
  newKeysIn(guest);
  configOf(guest, 'node-9');
  const report = await auditOf(guest);
  assert.deepEqual([codesOf(report.findings), codesOf(report.notes)], [[], ['config.not-a-validator']]);

  // The one that has left keeps the keys that it had.
  const left = damaged(t, changed, () => undefined);
  configOf(left, 'node-2');
  for (const use of nodeKeyUses)
    cpSync(join(changed.dir, '..', 'node-2', 'keys', `${use}.key`), join(left, 'keys', `${use}.key`));
  assert.deepEqual(codesOf((await auditOf(left)).findings), []);
});

/** A set that somebody has written into the file, whole and well-formed. */
function exchangeKey(database: DatabaseSync, epoch: number): void {
  const { validators } = database.prepare('SELECT validators FROM epochs WHERE epoch = ?').get(epoch) as {
    validators: Uint8Array;
  };
  const [first, ...others] = orThrow(decodeShape('test', validators, readValidatorSet));
  const forged = sortValidators([
    { ...first!, votingKey: new Uint8Array(32).fill(9), checkpointKey: new Uint8Array(32).fill(8) },
    ...others,
  ]);
  database
    .prepare('UPDATE epochs SET validators = ? WHERE epoch = ?')
    .run(encodeCbor(forged.map(validatorToCbor)), epoch);
}

function run(database: DatabaseSync, statement: string): void {
  assert.ok(database.prepare(statement).run().changes > 0, statement);
}

function read(dir: string, query: string): unknown[] {
  const database = new DatabaseSync(join(dir, 'data', 'chain.db'), { readOnly: true });
  try {
    return database
      .prepare(query)
      .all()
      .map((row) => ({ ...row }));
  } finally {
    database.close();
  }
}

function damaged(t: TestContext, { dir }: MadeFolder, damage: (database: DatabaseSync) => void): string {
  const copy = join(mkdtempSync(join(tmpdir(), 'cairn-epochs-')), 'node');
  t.after(() => rmSync(join(copy, '..'), { recursive: true, force: true }));
  cpSync(dir, copy, { recursive: true });
  const database = new DatabaseSync(join(copy, 'data', 'chain.db'));
  damage(database);
  database.close();
  return copy;
}

async function auditOf(dir: string, options: AuditOptions = {}): Promise<AuditReport> {
  return orThrow(await auditFolder(dir, options));
}
