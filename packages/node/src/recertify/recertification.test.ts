/**
 * Results executed again in another round: real files, made without a network. Four validators, twelve blocks, of which the last
 * four have no certified result; this node has computed another one of each of them than the present software does.
 */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  type CheckpointStatement,
  checkpointDigest,
  createBlock,
  decodeCheckpointStatement,
  decodeGenesis,
  encodeCheckpointStatement,
  type JournalRecord,
  sha256,
  signCheckpoint,
  toHash,
  toHeight,
  toHex,
  toValidatorIndex,
} from '@cairn-ledger/core';
import { auditFolder } from '../audit/audit.ts';
import { type MadeFolder, makeNodeFolder } from '../audit/testing/node-folder.ts';
import { recertifyCommand } from '../cli/commands/recertify.ts';
import { CommandFailed } from '../cli/exit-code.ts';
import { bytesToRecord, recordToBytes } from '../driver/journal-record.ts';
import { orThrow } from '../failure.ts';
import { openChainFile } from '../healing/chain-file.ts';
import { openJournal } from '../journal/journal.ts';
import { readStopped } from '../restart/standing.ts';
import { openChainDb } from '../storage/chain-db.ts';
import { encodeSignatures } from '../storage/checkpoint-signatures.ts';
import { createStateHashes } from '../storage/state-hashes.ts';
import { createChainExecutor } from '../threads/chain-executor.ts';
import { openKeptLedger } from '../threads/kept-ledger.ts';
import { originOf, readOrigin } from '../threads/stored-origin.ts';
import { finishRecertification, recertify, resultsStandingOf } from './recertification.ts';
import { readRounds, roundAt, roundsPath, writeRounds } from './round-records.ts';

const lag = 4;
const certified = 8;
const tip = 12;
let made: MadeFolder;
let dir: string;
let truth: CheckpointStatement[];
const roots: string[] = [];

before(async () => {
  made = await makeNodeFolder({ uncertified: tip - certified });
  truth = statementsOf(made.dir);
  dir = copyOf('wrong');
  await makeWrong(dir);
});
after(() => {
  made.remove();
  for (const root of roots) rmSync(root, { recursive: true, force: true });
});

function copyOf(name: string, from = made.dir): string {
  const network = join(from, '..', '..');
  const root = mkdtempSync(join(tmpdir(), `cairn-recertify-${name}-`));
  roots.push(root);
  cpSync(network, root, { recursive: true });
  return from.replace(network, root);
}

function chainPathOf(folder: string): string {
  return join(folder, 'data', 'chain.db');
}

function statementsOf(folder: string): CheckpointStatement[] {
  const chain = orThrow(openChainDb(chainPathOf(folder), { ledgerHash: made.ledgerHash }));
  const statements = Array.from({ length: chain.tip()!.height + 1 }, (_, height) =>
    orThrow(decodeCheckpointStatement(chain.checkpoint(height)!.statement)),
  );
  chain.close();
  return statements;
}

const wrongOf = (statement: CheckpointStatement): CheckpointStatement => ({
  ...statement,
  stateRoot: toHash(sha256(statement.stateRoot)),
});

/** What a bug has left: other results above the certified height, in the chain and in the journal, and a state that fits neither. */
async function makeWrong(folder: string): Promise<void> {
  const file = orThrow(openChainFile(chainPathOf(folder), { readOnly: false }));
  const { sqlite } = file.database;
  for (const statement of truth.slice(certified + 1)) {
    const bytes = encodeCheckpointStatement(wrongOf(statement));
    sqlite.prepare('UPDATE checkpoints SET statement = ? WHERE height = ?').run(bytes, statement.height);
  }
  sqlite.exec("UPDATE state SET value = x'01' WHERE key IN (SELECT key FROM state WHERE bucket > 30000 LIMIT 1)");
  file.close();
  const journalDir = join(folder, 'data', 'journal');
  const { journal } = orThrow(await openJournal(journalDir));
  const records: JournalRecord[] = [];
  for await (const { type, payload } of journal.records()) {
    const record = orThrow(bytesToRecord(type, payload));
    const isWrong = record.type === 'own-checkpoint' && record.statement.height > certified;
    records.push(isWrong ? { ...record, statement: wrongOf(record.statement) } : record);
  }
  await journal.close();
  rmSync(journalDir, { recursive: true });
  const { journal: fresh } = orThrow(await openJournal(journalDir));
  for (const record of records) {
    const { type, payload } = recordToBytes(record);
    fresh.append(type, payload);
  }
  await fresh.sync();
  await fresh.close();
}

async function tryRecertify(folder: string, above: number, round: number): Promise<string | number> {
  const done = await recertify(orThrow(readStopped(folder)), { above, round });
  return done.ok ? done.value.executedAgain : done.error.code;
}

const roundsIn = (folder: string): number[] => statementsOf(folder).map(({ round }) => round);
const inRound = (statements: readonly CheckpointStatement[], round: number): CheckpointStatement[] =>
  statements.map((statement) => (statement.height > certified ? { ...statement, round } : statement));

/** As the ledger thread opens it. */
function openLedger(folder: string) {
  const { config, founding } = orThrow(readStopped(folder));
  const { genesis, ledgerHash, restarts, rounds, keys } = founding;
  const self = { id: config.validatorId, linkKey: keys.link.publicKey };
  const stateHashes = createStateHashes();
  return openKeptLedger({ dataDir: config.dataDir, genesis, ledgerHash, self, stateHashes, restarts, rounds });
}

test('a node says up to where its results are certified, and which round is free', async () => {
  assert.deepEqual(orThrow(await resultsStandingOf(orThrow(readStopped(dir)))), {
    certifiedHeight: certified,
    height: tip,
    recorded: [],
    nextRound: 1,
  });
});

test('what is above the certified height is executed again, in its round; the blocks stay, and all that is kept is sound', async () => {
  const folder = copyOf('done', dir);
  assert.equal(await tryRecertify(folder, certified, 1), tip - certified);
  assert.deepEqual(statementsOf(folder), inRound(truth, 1));
  assert.deepEqual(orThrow(readRounds(join(folder, 'keys'), made.ledgerHash)), [{ above: certified, round: 1 }]);
  assert.ok(existsSync(`${chainPathOf(folder)}.superseded`));
  assert.ok(!existsSync(join(folder, 'data', 'view.db')), 'the view is of the old results');
  const chain = orThrow(openChainDb(chainPathOf(folder), { ledgerHash: made.ledgerHash }));
  const origin = readOrigin(originOf(chain, lag), 'node-1');
  assert.deepEqual([origin.certifiedHeight, origin.executed.height], [certified, tip]);
  assert.notEqual(origin.finalization, null);
  assert.notEqual(chain.checkpoint(certified)!.signatures, null);
  chain.close();
  const audited = orThrow(await auditFolder(folder, { replay: true }));
  assert.deepEqual(
    audited.findings.filter(({ class: kind }) => kind !== 'view'),
    [],
  );
  const ledger = openLedger(folder);
  assert.deepEqual(
    [9, 12, 13].map((height) => ledger.roundAt(height)),
    [1, 1, 0],
  );
  ledger.close();
});

test('the same command again changes nothing; another one needs a later round, and the same height', async () => {
  const folder = copyOf('again', dir);
  assert.equal(await tryRecertify(folder, certified, 2), 4);
  assert.equal(await tryRecertify(folder, certified, 2), 0);
  assert.equal(await tryRecertify(folder, certified, 1), 'recertify.round-used');
  assert.equal(await tryRecertify(folder, certified - 1, 3), 'recertify.certified');
  assert.equal(await tryRecertify(folder, certified + 1, 3), 'recertify.behind');
  assert.equal(await tryRecertify(folder, certified, 256), 'recertify.round-used');
  assert.deepEqual(roundsIn(folder).slice(certified + 1), [2, 2, 2, 2]);
  assert.equal(await tryRecertify(folder, certified, 3), 4);
  assert.deepEqual(roundsIn(folder).slice(certified), [0, 3, 3, 3, 3]);
});

test('a round that the journal knows is not begun again, whatever became of its record', async () => {
  const folder = copyOf('forgotten', dir);
  const { journal } = orThrow(await openJournal(join(folder, 'data', 'journal')));
  const { type, payload } = recordToBytes({ type: 'own-checkpoint', statement: { ...truth[9]!, round: 4 } });
  journal.append(type, payload);
  await journal.sync();
  await journal.close();
  assert.equal(await tryRecertify(folder, certified, 4), 'recertify.round-used');
  assert.equal(await tryRecertify(folder, certified, 5), 4);
});

test('interrupted after the round is recorded, the next start ends it, once', async () => {
  const folder = copyOf('crashed', dir);
  const { ledgerHash } = made;
  assert.equal(orThrow(await finishRecertification(orThrow(readStopped(folder)))), 0, 'nothing is recorded');
  orThrow(writeRounds(join(folder, 'keys'), ledgerHash, [{ above: certified, round: 1 }]));
  // A draft that was not finished is worth nothing.
  writeFileSync(`${chainPathOf(folder)}.draft`, 'half');
  assert.equal(orThrow(await finishRecertification(orThrow(readStopped(folder)))), 4);
  assert.deepEqual(statementsOf(folder), inRound(truth, 1));
  assert.equal(orThrow(await finishRecertification(orThrow(readStopped(folder)))), 0);
});

test('interrupted while the new chain takes the place of the old one, the next start goes on with the new one', async () => {
  const folder = copyOf('adopted', dir);
  const path = chainPathOf(folder);
  const whole = copyOf('whole', dir);
  assert.equal(await tryRecertify(whole, certified, 1), 4);
  orThrow(writeRounds(join(folder, 'keys'), made.ledgerHash, [{ above: certified, round: 1 }]));
  cpSync(chainPathOf(whole), `${path}.next`);
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
  assert.equal(orThrow(await finishRecertification(orThrow(readStopped(folder)))), 0);
  assert.deepEqual(statementsOf(folder), inRound(truth, 1));
});

test('an older chain that is put back is executed again at the next start', async () => {
  const folder = copyOf('put-back', dir);
  assert.equal(await tryRecertify(folder, certified, 1), 4);
  for (const suffix of ['', '-wal', '-shm']) rmSync(chainPathOf(folder) + suffix, { force: true });
  cpSync(`${chainPathOf(folder)}.superseded`, chainPathOf(folder));
  assert.equal(orThrow(await finishRecertification(orThrow(readStopped(folder)))), 4);
  assert.deepEqual(roundsIn(folder).slice(certified), [0, 1, 1, 1, 1]);
});

test('software that gives another result of a certified height is refused, and nothing has happened', async () => {
  const folder = copyOf('other-software', dir);
  const file = orThrow(openChainFile(chainPathOf(folder), { readOnly: false }));
  const bytes = encodeCheckpointStatement(wrongOf(truth[5]!));
  file.database.sqlite.prepare('UPDATE checkpoints SET statement = ? WHERE height = 5').run(bytes);
  file.close();
  assert.equal(await tryRecertify(folder, certified, 1), 'recertify.other-software');
  assert.deepEqual(orThrow(readRounds(join(folder, 'keys'), made.ledgerHash)), []);
  assert.deepEqual([...new Set(roundsIn(folder))], [0]);
  assert.ok(!existsSync(`${chainPathOf(folder)}.draft`));
});

test('a node that has diverged mends itself first', async () => {
  const folder = copyOf('diverged', dir);
  const file = orThrow(openChainFile(chainPathOf(folder), { readOnly: false }));
  const bytes = encodeCheckpointStatement(wrongOf(truth[certified]!));
  file.database.sqlite.prepare('UPDATE checkpoints SET statement = ? WHERE height = ?').run(bytes, certified);
  file.close();
  assert.equal(await tryRecertify(folder, certified, 1), 'recertify.diverged');
  orThrow(writeRounds(join(folder, 'keys'), made.ledgerHash, [{ above: certified, round: 1 }]));
  assert.equal(orThrow(await finishRecertification(orThrow(readStopped(folder)))), 0);
});

test('a chain that was founded later cannot be executed again, and its node still starts', async () => {
  const founded = await makeNodeFolder({ uncertified: 4, foundedAt: 6 });
  roots.push(join(founded.dir, '..', '..', '..'));
  assert.equal(await tryRecertify(founded.dir, certified, 1), 'recertify.no-beginning');
  orThrow(writeRounds(join(founded.dir, 'keys'), founded.ledgerHash, [{ above: certified, round: 1 }]));
  assert.equal(orThrow(await finishRecertification(orThrow(readStopped(founded.dir)))), 0);
});

test('a quorum that has signed the same result in a later round is kept with it', () => {
  const folder = copyOf('follower');
  const genesis = orThrow(decodeGenesis(new Uint8Array(readFileSync(join(folder, 'genesis.cbor')))));
  const chain = orThrow(openChainDb(chainPathOf(folder), { ledgerHash: made.ledgerHash }));
  const later = { ...truth[9]!, round: 3 };
  const signatures = [0, 1, 2].map((i) =>
    signCheckpoint(later, toValidatorIndex(i), genesis.validators[i]!, 1_700_000_000, made.checkpointSigners[i]!),
  );
  orThrow(chain.putCertified(9, 3, encodeSignatures(signatures)));
  const stored = chain.checkpoint(9)!;
  assert.deepEqual([stored.round, toHex(stored.statement)], [3, toHex(encodeCheckpointStatement(later))]);
  assert.equal(chain.latestCertified()!.height, 9);
  chain.close();
});

test('who executed in an earlier round finds the later one in the block that names it', () => {
  const folder = copyOf('replaying');
  const genesis = orThrow(decodeGenesis(new Uint8Array(readFileSync(join(folder, 'genesis.cbor')))));
  const chain = orThrow(openChainDb(chainPathOf(folder), { ledgerHash: made.ledgerHash }));
  const executor = createChainExecutor(genesis, made.ledgerHash, chain);
  const executeNaming = (named: CheckpointStatement) => {
    const { height, digest, timeMs } = chain.tip()!;
    const parent = { epoch: named.epoch, height: toHeight(height + 1), rules: 1, parent: toHash(digest) };
    const fields = { ...parent, timeMs: timeMs + 1, checkpoint: checkpointDigest(named), nextSet: null };
    const block = createBlock(fields, [], []);
    executor.execute({ block, view: 0, finalization: null, batches: [], misbehaviour: [] });
  };
  executeNaming({ ...truth[9]!, round: 7 });
  executeNaming(truth[10]!);
  executeNaming(wrongOf(truth[11]!));
  assert.deepEqual(
    [9, 10, 11].map((height) => chain.checkpoint(height)!.round),
    [7, 0, 0],
  );
  assert.deepEqual(orThrow(decodeCheckpointStatement(chain.checkpoint(9)!.statement)), { ...truth[9]!, round: 7 });
  chain.close();
});

test('records are of the heights that could have been executed, and a damaged file is no record', () => {
  const rounds = [
    { above: 8, round: 1 },
    { above: 10, round: 2 },
  ];
  assert.deepEqual(
    [8, 9, 10, 11, 14, 15].map((height) => roundAt(rounds, height, lag)),
    [0, 1, 1, 2, 2, 0],
  );
  const folder = copyOf('records');
  const keysDir = join(folder, 'keys');
  orThrow(writeRounds(keysDir, made.ledgerHash, rounds));
  assert.deepEqual(orThrow(readRounds(keysDir, made.ledgerHash)), rounds);
  const bad = ['', '{}', '[]', 'null', '{"format":"cairn-rounds","rounds":[{"above":1,"round":0}]}'];
  bad.push('{"format":"cairn-rounds","rounds":[{"above":1,"round":2},{"above":1,"round":2}]}');
  bad.push('{"format":"cairn-rounds","rounds":[null]}', '{"format":"cairn-rounds","rounds":[{"above":-1,"round":1}]}');
  for (const text of bad) {
    writeFileSync(roundsPath(keysDir, made.ledgerHash), text);
    const read = readRounds(keysDir, made.ledgerHash);
    assert.equal(!read.ok && read.error.code, 'recertify.malformed', text);
  }
  const stopped = readStopped(folder);
  assert.equal(!stopped.ok && stopped.error.code, 'recertify.malformed', 'such a node does not start');
});

test('the command tells how a node stands, and asks for height and round together', async () => {
  const folder = copyOf('command', dir);
  const run = (...args: string[]) => recertifyCommand().parseAsync([folder, ...args, '--json'], { from: 'user' });
  await run();
  await assert.rejects(
    run('--above', '8'),
    (cause) => cause instanceof CommandFailed && cause.error.code === 'usage.no-round',
  );
  await assert.rejects(
    run('--above', '3', '--round', '1'),
    (cause) => cause instanceof CommandFailed && cause.error.code === 'recertify.certified',
  );
  await run('--above', '8', '--round', '1');
  assert.deepEqual(roundsIn(folder).slice(certified), [0, 1, 1, 1, 1]);
});
