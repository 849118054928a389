/** Nodes that are all under repair mend each other: each from what still proves itself with the others. */
import { strict as assert } from 'node:assert';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { type Message, toHeight } from '@cairn-ledger/core';
import { type MadeFolder, makeNodeFolder } from '../audit/testing/node-folder.ts';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import type { SyncAnchor } from './known-epochs.ts';
import { createPeers } from './peers.ts';
import { repairChain } from './repair-chain.ts';
import { createRepairServer, type RepairServer } from './repair-server.ts';
import { anchorOf, portTo } from './testing/served-chain.ts';

let folder: MadeFolder;
let anchor: SyncAnchor;
const dir = mkdtempSync(join(tmpdir(), 'cairn-repair-server-'));
const servers: RepairServer[] = [];
let victims = 0;

before(async () => {
  folder = await makeNodeFolder({ blocks: 12, transactionsPerBlock: 40 });
  anchor = anchorOf(folder);
});

after(() => {
  for (const server of servers) server.close();
  folder.remove();
  rmSync(dir, { recursive: true, force: true });
});

/** A node under repair: its file, damaged by some statements, and what answers beside. */
function ailing(damage: string) {
  const path = join(dir, `victim-${victims++}.db`);
  copyFileSync(join(folder.dir, 'data', 'chain.db'), path);
  const sqlite = new DatabaseSync(path);
  sqlite.exec(damage);
  sqlite.close();
  const server = createRepairServer(path, anchor, sodiumVerifier);
  servers.push(server);
  return { path, server };
}

type Ailing = ReturnType<typeof ailing>;

function repair({ path, server }: Ailing, others: readonly Ailing[]) {
  const answering = Object.fromEntries(
    others.map((other, i) => [`peer-${i}`, (request: Message) => other.server.reply(request)]),
  );
  const peers = createPeers({ port: portTo(answering), signal: new AbortController().signal, timeoutMs: 200 });
  const options = { path, anchor, peers, verifier: sodiumVerifier, pauseMs: 1, roundsMax: 2 };
  return { peers, repaired: repairChain({ ...options, onReplacing: () => server.close() }) };
}

function contents(path: string): unknown[] {
  const sqlite = new DatabaseSync(path, { readOnly: true });
  // A block that a later finalization covers need not have its own back.
  const blocks = 'SELECT height, digest, header, body, time_ms, history_size, verdicts FROM blocks ORDER BY 1';
  const tables = ['batches', 'batch_parts', 'state', 'history_tiles', 'checkpoints', 'epochs', 'floors'];
  const reads = [blocks, ...tables.map((table) => `SELECT * FROM ${table} ORDER BY 1, 2`)];
  const rows = reads.map((read) => sqlite.prepare(read).all());
  sqlite.close();
  return rows;
}

const flip = (table: string, column: string, where: string) =>
  `UPDATE ${table} SET ${column} = unhex(CASE WHEN substr(hex(${column}), 1, 1) = '0' THEN '1' ELSE '0' END || substr(hex(${column}), 2)) WHERE ${where}`;

const damages: Readonly<Record<string, string>> = {
  blocks: `${flip('blocks', 'header', 'height = 5')}; ${flip('blocks', 'finalization', 'height = 9')}`,
  batches: `DELETE FROM batch_parts WHERE id = 128 * 64 * 7; ${flip('batch_parts', 'bytes', 'id = 128 * 64 * 8')}`,
  history: 'DELETE FROM history_tiles',
  checkpoints: flip('checkpoints', 'signatures', 'height BETWEEN 3 AND 6'),
  state: 'DELETE FROM state WHERE key IN (SELECT key FROM state LIMIT 3)',
};

test('nodes that are damaged in different places heal from each other, all at once, and nobody is called a liar', async () => {
  const pristine = contents(join(folder.dir, 'data', 'chain.db'));
  const all = Object.values(damages).map(ailing);
  const under = all.map((each) =>
    repair(
      each,
      all.filter((other) => other !== each),
    ),
  );
  const reports = await Promise.all(under.map(({ repaired }) => repaired));
  for (const [i, report] of reports.entries()) {
    assert.ok(report.ok, `${Object.keys(damages)[i]}: ${JSON.stringify(report)}`);
    assert.ok(report.value.isComplete && report.value.damageCount > 0);
    assert.deepEqual(contents(all[i]!.path), pristine, Object.keys(damages)[i]!);
  }
  for (const { peers } of under) for (const { wrong } of peers.conduct().values()) assert.equal(wrong, 0);
});

test('what does not prove itself is not given out', () => {
  const blocks = ailing(damages.blocks!);
  const batches = ailing(damages.batches!);
  const state = ailing(damages.state!);
  const history = ailing(flip('history_tiles', 'hashes', '1 = 1'));
  const checkpoints = ailing(flip('checkpoints', 'signatures', '1 = 1'));
  const chainFrom = (from: number) => ({ type: 'request-chain', from: toHeight(from) }) as const;
  assert.equal(blocks.server.reply(chainFrom(5)), null, 'a header that is not what it was');
  assert.equal(batches.server.reply(chainFrom(5))?.type, 'chain');
  const snapshotOf = ({ server }: Ailing) => server.reply({ type: 'request-snapshot', from: toHeight(1) });
  assert.deepEqual(snapshotOf(state), { type: 'snapshot', snapshot: null });
  assert.ok(snapshotOf(batches)?.type === 'snapshot');
  const tilesOf = ({ server }: Ailing) => {
    const answer = server.reply({ type: 'request-tiles', size: historySize(), places: [] });
    return answer?.type === 'tiles' ? answer.tiles : undefined;
  };
  assert.equal(tilesOf(history), null);
  assert.ok(tilesOf(blocks)!.length > 0);
  const none: Message = { type: 'checkpoint-signatures', signatures: [] };
  assert.deepEqual(checkpoints.server.reply({ type: 'request-checkpoint', height: toHeight(4) }), none);
  assert.equal(blocks.server.reply({ type: 'request-checkpoint', height: toHeight(4) })?.type, 'checkpoint-signatures');
});

test('a file that is missing, or none, answers nothing, and neither does one that is closed', () => {
  const gone = createRepairServer(join(dir, 'none.db'), anchor, sodiumVerifier);
  assert.equal(gone.reply({ type: 'request-chain', from: toHeight(1) }), null);
  const noOutcome = { type: 'outcome', height: toHeight(1), outcome: null };
  assert.deepEqual(gone.reply({ type: 'request-outcome', height: toHeight(1) }), noOutcome, 'it says so where it can');
  gone.close();
  const whole = ailing('SELECT 1');
  assert.equal(whole.server.reply({ type: 'request-chain', from: toHeight(1) })?.type, 'chain');
  whole.server.close();
  assert.equal(whole.server.reply({ type: 'request-chain', from: toHeight(1) }), null);
});

function historySize(): number {
  const sqlite = new DatabaseSync(join(folder.dir, 'data', 'chain.db'), { readOnly: true });
  const { size } = sqlite.prepare('SELECT MAX(history_size) AS size FROM blocks').get() as { size: number };
  sqlite.close();
  return size;
}
