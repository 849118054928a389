import { strict as assert } from 'node:assert';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { type MadeFolder, makeNodeFolder } from '../audit/testing/node-folder.ts';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { orThrow } from '../failure.ts';
import { openChainDb } from '../storage/chain-db.ts';
import type { SyncAnchor } from './known-epochs.ts';
import { createPeers } from './peers.ts';
import { repairChain } from './repair-chain.ts';
import { repairView } from './repair-view.ts';
import { notGivenByPeers, rowsAsText } from './testing/chain-rows-as-text.ts';
import { type Answering, anchorOf, portTo, serveChain } from './testing/served-chain.ts';

let folder: MadeFolder;
let served: ReturnType<typeof serveChain>;
let anchor: SyncAnchor;
const dir = mkdtempSync(join(tmpdir(), 'cairn-repair-'));
const pristine = join(dir, 'pristine.db');
let victims = 0;

before(async () => {
  folder = await makeNodeFolder({ blocks: 12, transactionsPerBlock: 40 });
  copyFileSync(join(folder.dir, 'data', 'chain.db'), pristine);
  served = serveChain(folder, () => 0);
  anchor = anchorOf(folder);
});

after(() => {
  served.close();
  folder.remove();
  rmSync(dir, { recursive: true, force: true });
});

const honest: Answering = (request) => served.serve(request);
const threeHonest = { one: honest, two: honest, three: honest };

function repair(path: string, answering: Readonly<Record<string, Answering>> = threeHonest) {
  const port = portTo(answering);
  const peers = createPeers({ port, signal: new AbortController().signal, timeoutMs: 40 });
  return repairChain({ path, anchor, peers, verifier: sodiumVerifier, pauseMs: 1, roundsMax: 2 });
}

function victim(damage: string | ((sqlite: DatabaseSync, path: string) => void)): string {
  const path = join(dir, `victim-${victims++}.db`);
  copyFileSync(pristine, path);
  const sqlite = new DatabaseSync(path);
  if (typeof damage === 'string') sqlite.exec(damage);
  else damage(sqlite, path);
  if (sqlite.isOpen) sqlite.close();
  return path;
}

const flip = (table: string, column: string, where: string) =>
  `UPDATE ${table} SET ${column} = unhex(CASE WHEN substr(hex(${column}), 1, 1) = '0' THEN '1' ELSE '0' END || substr(hex(${column}), 2)) WHERE ${where}`;

const inPlace: Readonly<Record<string, string>> = {
  'the header of a block': flip('blocks', 'header', 'height = 5'),
  'the body of a block': flip('blocks', 'body', 'height = 5'),
  'the header of the tip': flip('blocks', 'header', 'height = 12'),
  'the tip that is gone': 'DELETE FROM blocks WHERE height = 12',
  'the digest of a block': flip('blocks', 'digest', 'height = 6'),
  'the time of a block': 'UPDATE blocks SET time_ms = time_ms + 1 WHERE height = 6',
  'the view of a block': 'UPDATE blocks SET view = 99 WHERE height = 6',
  'the history size of a block': 'UPDATE blocks SET history_size = history_size + 1 WHERE height = 6',
  'verdicts that cannot be read': "UPDATE blocks SET verdicts = x'ff' WHERE height = 4",
  'verdicts that call everything accepted': "UPDATE blocks SET verdicts = x'80' WHERE height = 4",
  'the block of the genesis': 'UPDATE blocks SET time_ms = 1 WHERE height = 0',
  'the genesis gone': 'DELETE FROM blocks WHERE height = 0',
  'a batch that is gone': 'DELETE FROM batches WHERE id = 64 * 5',
  'the author of a batch': 'UPDATE batches SET author = author + 1 WHERE id = 64 * 5',
  'the digest of a batch': flip('batches', 'digest', 'id = 64 * 5'),
  'the size of a batch': 'UPDATE batches SET size = size - 1 WHERE id = 64 * 5',
  'a part of a batch': flip('batch_parts', 'bytes', 'id = 128 * 64 * 8'),
  'a part that is gone': 'DELETE FROM batch_parts WHERE id = 128 * 64 * 8',
  'all batches': 'DELETE FROM batches; DELETE FROM batch_parts',
  'a batch too many':
    "INSERT INTO batches VALUES (64 * 5 + 9, x'00', 1, 0, 1, 1); INSERT INTO batch_parts VALUES (128 * (64 * 5 + 9), x'00')",
  'a checkpoint': flip('checkpoints', 'statement', 'height = 6'),
  'the checkpoint of the tip': flip('checkpoints', 'statement', 'height = 12'),
  'a checkpoint that is gone': 'DELETE FROM checkpoints WHERE height = 6',
  'the round of a checkpoint': 'UPDATE checkpoints SET round = 3 WHERE height = 6',
  'signatures of a checkpoint': flip('checkpoints', 'signatures', 'height = 6'),
  'the checkpoint of the genesis': flip('checkpoints', 'statement', 'height = 0'),
  'a tile': flip('history_tiles', 'hashes', 'id = 0'),
  'a tile of the right edge': flip(
    'history_tiles',
    'hashes',
    'id = (SELECT MAX(id) FROM history_tiles WHERE id < 17592186044416)',
  ),
  'a tile of the level above': flip('history_tiles', 'hashes', 'id = 17592186044416'),
  'all tiles': 'DELETE FROM history_tiles',
  'a value of the state': flip('state', 'value', 'key = (SELECT key FROM state LIMIT 1)'),
  'an entry of the state that is gone': 'DELETE FROM state WHERE key = (SELECT MAX(key) FROM state)',
  'an entry too many': "INSERT INTO state VALUES (CAST('balance/x' AS BLOB), 7, x'01')",
  'an entry that is a text': "INSERT INTO state VALUES ('balance/x', 7, 'y')",
  'an entry too many in its bucket': "INSERT INTO state SELECT CAST('extra' AS BLOB), 62961, x'01'",
  'entries in a wrong bucket': 'UPDATE state SET bucket = (bucket + 1) % 65536 WHERE length(key) % 3 = 0',
  'half of the state': 'DELETE FROM state WHERE length(value) % 2 = 0',
  'all of the state': 'DELETE FROM state',
  'a floor': 'UPDATE floors SET seq = seq + 7 WHERE author = 1',
  'a floor too many': "INSERT INTO floors VALUES (9, 0, 1, x'00')",
  'all floors': 'DELETE FROM floors',
  'the rules of an epoch': 'UPDATE epochs SET rules = 9',
  'the validators of an epoch': flip('epochs', 'validators', '1'),
  'the target': 'UPDATE targets SET rules = 4',
  'a target too many': 'INSERT INTO targets SELECT 5, validators, rules FROM targets',
  'no targets': 'DELETE FROM targets',
  'the name of another ledger': "UPDATE meta SET value = zeroblob(32) WHERE key = 'ledger'",
  'no name of its ledger': "UPDATE meta SET key = 'lddger' WHERE key = 'ledger'",
  'news that cannot be read': "INSERT INTO news VALUES (5, '[{')",
  'everything at once': `DELETE FROM state WHERE length(value) % 2 = 0; ${flip('blocks', 'header', 'height % 3 = 1')};
    ${flip('batch_parts', 'bytes', 'id % 2 = 0')}; DELETE FROM history_tiles WHERE id = 0; ${flip('checkpoints', 'statement', 'height = 4')};
    DELETE FROM floors`,
};

test('a sound chain is left alone, byte by byte', async () => {
  const path = victim('');
  const report = orThrow(await repair(path));
  assert.equal(report.what, 'nothing');
  assert.deepEqual(report.damages, []);
  assert.equal(report.height, 12);
  assert.deepEqual(rowsAsText(path), rowsAsText(pristine));
});

for (const [what, damage] of Object.entries(inPlace)) {
  test(`mended where it is: ${what}`, async () => {
    const path = victim(damage);
    assert.notDeepEqual(rowsAsText(path), rowsAsText(pristine), 'the damage is one');
    const report = orThrow(await repair(path));
    assert.equal(report.what, 'chain-repaired', report.replacedFor ?? '');
    assert.ok(report.damageCount > 0 && report.damages[0]!.what.length > 10);
    assert.deepEqual(rowsAsText(path), rowsAsText(pristine));
    assert.equal(orThrow(await repair(path)).what, 'nothing', 'and nothing is left to do');
  });
}

test('mended where it is: the format number in the header', async () => {
  const path = victim('PRAGMA user_version = 77');
  const report = orThrow(await repair(path));
  assert.equal(report.what, 'chain-repaired');
  assert.deepEqual(rowsAsText(path), rowsAsText(pristine));
  assert.equal(orThrow(await repair(path)).what, 'nothing');
});

const headers: Readonly<Record<string, [at: number, value: number]>> = {
  'the first byte': [0, 0x53 ^ 1],
  'the size of pages': [16, 0x20],
  'the version of writers': [18, 9],
  'a flag of vacuuming': [55, 1],
  'a byte that nobody reads': [80, 1],
};

for (const [what, [at, value]] of Object.entries(headers)) {
  test(`mended where it is: ${what} in the header`, async () => {
    const path = victim('');
    const file = openSync(path, 'r+');
    writeSync(file, Uint8Array.of(value), 0, 1, at);
    closeSync(file);
    const opened = openChainDb(path, { ledgerHash: folder.ledgerHash });
    assert.equal(opened.ok ? 'ok' : opened.error.code, 'storage.damaged');
    const report = orThrow(await repair(path));
    assert.equal(report.what, 'chain-repaired', report.replacedFor ?? '');
    assert.deepEqual(rowsAsText(path), rowsAsText(pristine));
    assert.equal(orThrow(await repair(path)).what, 'nothing');
  });
}

test('a file that names another ledger than its blocks are of is damaged, and is not another ledger', () => {
  const path = victim(inPlace['the name of another ledger']!);
  const codeFor = (ledgerHash: Uint8Array): string => {
    const opened = openChainDb(path, { ledgerHash });
    if (opened.ok) opened.value.close();
    return opened.ok ? 'ok' : opened.error.code;
  };
  assert.equal(codeFor(folder.ledgerHash), 'storage.damaged');
  assert.equal(codeFor(new Uint8Array(32).fill(9)), 'storage.foreign');
});

const coveredByOthers: Readonly<Record<string, string>> = {
  'a finalization': flip('blocks', 'finalization', 'height = 6'),
  'a block that is gone': 'DELETE FROM blocks WHERE height = 7',
  'several blocks that are gone': 'DELETE FROM blocks WHERE height BETWEEN 3 AND 9',
};

for (const [what, damage] of Object.entries(coveredByOthers)) {
  test(`mended where it is, and final by a later block: ${what}`, async () => {
    const path = victim(damage);
    assert.equal(orThrow(await repair(path)).what, 'chain-repaired');
    const without = ['blocks.finalization', 'blocks.view'];
    assert.deepEqual(rowsAsText(path, without), rowsAsText(pristine, without));
    assert.equal(orThrow(await repair(path)).what, 'nothing');
  });
}

const replaced: Readonly<Record<string, (sqlite: DatabaseSync, path: string) => void>> = {
  'a file cut in half': (sqlite, path) => {
    sqlite.close();
    truncateSync(path, 4096 * 20);
  },
  'pages of zeros': (sqlite, path) => {
    sqlite.close();
    const file = openSync(path, 'r+');
    for (const page of [5, 9, 12, 17, 23]) writeSync(file, new Uint8Array(4096), 0, 4096, page * 4096);
    closeSync(file);
  },
  'a file of noise': (sqlite, path) => {
    sqlite.close();
    writeFileSync(
      path,
      new Uint8Array(100_000).map((_, i) => (i * 7919) % 251),
    );
  },
  'an empty file': (sqlite, path) => {
    sqlite.close();
    writeFileSync(path, '');
  },
  'no file': (sqlite, path) => {
    sqlite.close();
    rmSync(path);
  },
  'a table that is gone': (sqlite) => sqlite.exec('DROP TABLE checkpoints'),
  'no blocks at all': (sqlite) => sqlite.exec('DELETE FROM blocks; DELETE FROM checkpoints'),
  'a block far above': (sqlite) =>
    sqlite.exec(
      'INSERT INTO blocks SELECT 1000000, zeroblob(32), header, body, view, finalization, time_ms, history_size, verdicts FROM blocks WHERE height = 3',
    ),
};

for (const [what, damage] of Object.entries(replaced)) {
  test(`replaced, with nothing missing: ${what}`, async () => {
    const path = victim(damage);
    const report = orThrow(await repair(path));
    assert.equal(report.what, 'chain-replaced', JSON.stringify(report.damages));
    assert.ok(report.replacedFor!.length > 5);
    assert.ok(report.isComplete);
    assert.deepEqual(rowsAsText(path, notGivenByPeers), rowsAsText(pristine, notGivenByPeers));
    assert.ok(!existsSync(`${path}.draft`) && !existsSync(`${path}.next`));
    assert.equal(orThrow(await repair(path)).what, 'nothing', 'the new file is sound');
  });
}

test('a lying peer changes nothing of what is written', async () => {
  const path = victim(inPlace['everything at once']!);
  const liar: Answering = (request) => {
    const answer = honest(request);
    if (answer === null || answer === 'silent') return answer;
    if (answer.type === 'tiles')
      return {
        ...answer,
        tiles: answer.tiles?.map((tile) => ({ ...tile, hashes: tile.hashes.map((byte) => byte ^ 1) })) ?? null,
      };
    if (answer.type === 'outcome') return { ...answer, outcome: null };
    if (answer.type === 'batch') return { ...answer, batch: { ...answer.batch, signature: new Uint8Array(64) } };
    if (answer.type === 'block') return null;
    if (answer.type === 'state') return { ...answer, parts: [] };
    return answer;
  };
  const report = orThrow(await repair(path, { liar, ...threeHonest }));
  assert.equal(report.what, 'chain-repaired');
  assert.deepEqual(rowsAsText(path), rowsAsText(pristine));
});

test('without anybody to ask nothing is written, and the reason is told', async () => {
  const path = victim(inPlace['half of the state']!);
  const before = rowsAsText(path);
  const result = await repair(path, { silent: () => 'silent' });
  assert.ok(!result.ok);
  assert.equal(result.error.code, 'snapshot.unavailable');
  assert.deepEqual(rowsAsText(path).state, before.state);
});

test('reasons of rejections are not taken from one peer alone', async () => {
  const path = victim(inPlace['verdicts that cannot be read']!);
  const report = orThrow(await repair(path, { one: honest }));
  assert.equal(report.isComplete, false, 'the chain begins anew where it is');
});

test('a state is mended at its own height by that of a later one', async () => {
  const other = await makeNodeFolder({ blocks: 12, transactionsPerBlock: 1 });
  const ahead = serveChain(other, () => 0);
  const own = join(dir, 'behind.db');
  copyFileSync(join(other.dir, 'data', 'chain.db'), own);
  const sqlite = new DatabaseSync(own);
  const key = (
    sqlite.prepare("SELECT key FROM state WHERE CAST(key AS TEXT) LIKE 'member%' LIMIT 1").get() as { key: Uint8Array }
  ).key;
  sqlite.prepare("UPDATE state SET value = x'00' WHERE key = ?").run(key);
  sqlite.close();
  const before = rowsAsText(join(other.dir, 'data', 'chain.db'));
  await other.grow(5);
  const peers = createPeers({
    port: portTo({ one: ahead.serve, two: ahead.serve }),
    signal: new AbortController().signal,
    timeoutMs: 40,
  });
  const otherAnchor = anchorOf(other);
  const report = orThrow(await repairChain({ path: own, anchor: otherAnchor, peers, verifier: sodiumVerifier }));
  assert.equal(report.what, 'chain-repaired');
  assert.equal(report.height, 12);
  assert.deepEqual(rowsAsText(own), before);
  ahead.close();
  other.remove();
});

test('where the chain has gone too far the state of now is taken over, and the blocks between', async () => {
  const other = await makeNodeFolder({ blocks: 12, transactionsPerBlock: 20 });
  const ahead = serveChain(other, () => 0);
  const own = join(dir, 'far-behind.db');
  copyFileSync(join(other.dir, 'data', 'chain.db'), own);
  const sqlite = new DatabaseSync(own);
  sqlite.exec('DELETE FROM state WHERE length(value) % 2 = 0');
  sqlite.close();
  const tip = await other.grow(20);
  const peers = createPeers({
    port: portTo({ one: ahead.serve, two: ahead.serve }),
    signal: new AbortController().signal,
    timeoutMs: 40,
  });
  const otherAnchor = anchorOf(other);
  const report = orThrow(await repairChain({ path: own, anchor: otherAnchor, peers, verifier: sodiumVerifier }));
  assert.equal(report.what, 'chain-replaced');
  assert.equal(report.height, tip);
  assert.ok(report.isComplete);
  assert.deepEqual(rowsAsText(own, notGivenByPeers), rowsAsText(join(other.dir, 'data', 'chain.db'), notGivenByPeers));
  ahead.close();
  other.remove();
});

test('a whole chain that nobody gives the next blocks for is founded anew on a newer state', async () => {
  const other = await makeNodeFolder({ blocks: 12, transactionsPerBlock: 20 });
  const own = join(dir, 'behind.db');
  copyFileSync(join(other.dir, 'data', 'chain.db'), own);
  const before = rowsAsText(own);
  const tip = await other.grow(20);
  const ahead = serveChain(other, () => 0);
  const otherAnchor = anchorOf(other);
  const catchUp = async (answering: Answering) => {
    const signal = new AbortController().signal;
    const peers = createPeers({ port: portTo({ one: answering, two: answering }), signal, timeoutMs: 40 });
    const options = { path: own, anchor: otherAnchor, peers, verifier: sodiumVerifier, pauseMs: 1, roundsMax: 2 };
    return orThrow(await repairChain({ ...options, isBehind: true }));
  };
  // Nobody is farther, or has a state to give: it stays as it is.
  const nothing = await catchUp((request) => (request.type === 'request-snapshot' ? null : ahead.serve(request)));
  assert.deepEqual([nothing.what, nothing.height, nothing.damageCount], ['nothing', 12, 0]);
  assert.deepEqual(rowsAsText(own), before);
  // They hold nothing of what comes right above its tip.
  const lacking = (request: Parameters<Answering>[0]) => request.type === 'request-chain' && request.from <= 20;
  const isLacked = (answer: ReturnType<Answering>) =>
    answer !== null && answer !== 'silent' && answer.type === 'block' && answer.block.header.height <= 20;
  const report = await catchUp((request) => {
    const answer = lacking(request) ? null : ahead.serve(request);
    return isLacked(answer) ? null : answer;
  });
  assert.deepEqual([report.what, report.height, report.isComplete], ['chain-replaced', tip, false]);
  assert.equal(report.damageCount, 0);
  const sqlite = new DatabaseSync(own, { readOnly: true });
  const { first, last } = sqlite.prepare('SELECT MIN(height) AS first, MAX(height) AS last FROM blocks').get()! as {
    first: number;
    last: number;
  };
  assert.deepEqual([first, last], [tip - 4, tip]);
  sqlite.close();
  // The chain that it had lies beside the new one.
  assert.equal(rowsAsText(`${own}.damaged`).blocks?.length, 13);
  ahead.close();
  other.remove();
});

test('a view is made again from the chain', () => {
  const path = join(dir, 'view.db');
  writeFileSync(path, 'x'.repeat(500));
  writeFileSync(`${path}-wal`, 'x');
  assert.equal(repairView(path).bytesDropped, 500);
  assert.ok(!existsSync(path) && !existsSync(`${path}-wal`));
  assert.equal(repairView(path).bytesDropped, 0);
});
