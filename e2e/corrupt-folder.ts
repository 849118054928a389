/**
 * Folders of real nodes to be damaged: a network runs for some seconds under load; one node is stopped in order, another is
 * killed in the middle, so that its databases still have their logs. What is logically in a folder is read here without
 * the audit, so that "harmless" never means "the audit saw nothing".
 */
import assert from 'node:assert/strict';
import { createHash, type Hash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { defaultParameters } from '@cairn-ledger/core';
import { signTransaction, textToKey } from '@cairn-ledger/sdk';
import { signerOf } from '../packages/node/src/cli/signing.ts';
import { readNodeConfig } from '../packages/node/src/config/node-config.ts';
import {
  decodeFrameHeader,
  frameBytesOf,
  frameHeaderBytes,
  recordsOf,
  segmentHeaderBytes,
} from '../packages/node/src/journal/frame.ts';
import { openJournal } from '../packages/node/src/journal/journal.ts';
import { loadDevices, startLoad } from './kills-load.ts';
import { type E2eNetwork, foundNetwork, orFail, sleep, statusOf, until, untilInSync } from './network.ts';

export type CorruptFolders = {
  /** Of a node that was stopped in order, and of one that was killed under load. */
  readonly stopped: string;
  readonly crashed: string;
  remove(): void;
};

const payer = 'birch/meter';
const { checkpointLag } = defaultParameters;
const loadedMs = 3_000;
const segmentBytes = 24 << 10;

/** Runs a network for a short time and keeps the folders of two of its nodes. */
export async function makeFolders(): Promise<CorruptFolders> {
  const network = await foundNetwork({
    devices: [...loadDevices, payer],
    balances: [{ account: payer, amount: '5000' }],
  });
  const dir = mkdtempSync(join(tmpdir(), 'cairn-corrupt-'));
  try {
    const [killed, stopped] = network.nodes;
    await Promise.all(network.nodes.map((node) => node.start()));
    await untilInSync(network.nodes);
    const load = startLoad(network);
    await pay(network);
    await sleep(loadedMs);
    await killed!.kill();
    await load.stop();
    await until('the last heights are certified, so that others can be given a snapshot', 60_000, async () => {
      const { executedHeight, certifiedHeight } = await statusOf(stopped!);
      const heights = Array.from({ length: checkpointLag + 1 }, (_, i) => executedHeight - i);
      const answers = await Promise.all(
        heights.map((height) => stopped!.client.get<{ certified: boolean }>(`/v1/checkpoints/${height}`)),
      );
      return certifiedHeight === executedHeight && answers.every((answer) => answer.ok && answer.value.certified);
    });
    await stopped!.stop();
    for (const [name, node] of [
      ['crashed', killed!],
      ['stopped', stopped!],
    ] as const) {
      cpSync(node.dir, join(dir, name), { recursive: true });
      // Made again by whoever reads the log first.
      for (const database of ['chain.db', 'view.db'])
        rmSync(join(dir, name, 'data', `${database}-shm`), { force: true });
    }
    await cutJournal(join(dir, 'stopped', 'data', 'journal'));
    assert.ok(existsSync(join(dir, 'crashed/data/chain.db-wal')), 'a node that was killed leaves its log');
    assert.ok(!existsSync(join(dir, 'stopped/data/chain.db-wal')), 'a node that was stopped leaves none');
    return {
      stopped: join(dir, 'stopped'),
      crashed: join(dir, 'crashed'),
      remove: () => rmSync(dir, { recursive: true, force: true }),
    };
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  } finally {
    await network.end();
  }
}

/** Payments, more than there is money for: some are rejected on execution, so that verdicts are more than "accepted". */
async function pay({ keyPath, ledgerHash, nodes }: E2eNetwork): Promise<void> {
  const signer = signerOf(keyPath(payer));
  const transactions = Array.from({ length: 12 }, (_, i) => {
    const transfers = [{ to: 'alder/desk', asset: 'eur', amount: 700n }];
    return orFail(signTransaction({ ledgerHash, counter: BigInt(i + 1), transfers }, signer));
  });
  // The same ones at two nodes: some stand in the chain twice.
  await Promise.all(nodes.slice(1, 3).map((node) => node.client.submitMany(transactions, 5_000)));
}

/** The same records in short segments, as a node that runs for longer has several: written by the journal itself. */
async function cutJournal(dir: string): Promise<void> {
  const whole = `${dir}.whole`;
  cpSync(dir, whole, { recursive: true });
  rmSync(dir, { recursive: true });
  const { journal: from } = orFail(await openJournal(whole));
  const { journal: to } = orFail(await openJournal(dir, { segmentBytes }));
  for await (const { type, payload } of from.records()) {
    to.append(type, payload);
    await to.sync();
  }
  await Promise.all([from.close(), to.close()]);
  rmSync(whole, { recursive: true });
}

/** A digest of what is logically in a folder, by file; `unreadable: ...` where it cannot be read. */
export function logicalContent(dir: string): Record<string, string> {
  const content: Record<string, string> = {};
  const add = (name: string, read: () => string | Uint8Array): void => {
    try {
      content[name] = createHash('sha256').update(read()).digest('hex');
    } catch (error) {
      content[name] = `unreadable: ${(error as Error).message}`;
    }
  };
  add('node.json', () => JSON.stringify(orFail(readNodeConfig(dir))).replaceAll(dir, '.'));
  add('genesis.cbor', () => readFileSync(join(dir, 'genesis.cbor')));
  for (const name of ['link', 'voting', 'checkpoint', 'gateway']) {
    add(`${name}.key`, () => {
      const { algorithm, publicKey, secretKey } = orFail(
        textToKey(readFileSync(join(dir, 'keys', `${name}.key`), 'utf8')),
      );
      return JSON.stringify([algorithm, [...publicKey], [...secretKey]]);
    });
  }
  for (const name of readdirSync(join(dir, 'keys')).filter((file) => file.endsWith('.mark')))
    add(name, () => JSON.stringify(JSON.parse(readFileSync(join(dir, 'keys', name), 'utf8').replaceAll('\0', ''))));
  for (const name of ['chain.db', 'view.db']) add(name, () => databaseContent(join(dir, 'data', name)));
  add('journal', () => journalContent(join(dir, 'data', 'journal')));
  return content;
}

export type ChainContent = { readonly height: number; readonly rows: Readonly<Record<string, readonly string[]>> };

/**
 * What a healed chain must have, row by row. How a block became final, and who signed a checkpoint, may come from elsewhere; why
 * something was rejected nobody signs.
 */
const comparedRows: Readonly<Record<string, string>> = {
  blocks: 'SELECT height AS at, digest, header, body, time_ms, history_size FROM blocks',
  batches: 'SELECT id / 64 AS at, * FROM batches',
  batch_parts: 'SELECT id / 8192 AS at, * FROM batch_parts',
  checkpoints: 'SELECT height AS at, statement FROM checkpoints',
  epochs: 'SELECT genesis_height AS at, * FROM epochs',
  targets: 'SELECT height AS at, * FROM targets',
  state: 'SELECT NULL AS at, * FROM state',
  history_tiles: 'SELECT NULL AS at, * FROM history_tiles',
  floors: 'SELECT NULL AS at, * FROM floors',
};

/** Of a chain.db that is sound. */
export function chainContent(dir: string): ChainContent {
  const database = openAsItIs(join(dir, 'data', 'chain.db'));
  try {
    const { height } = database.prepare('SELECT MAX(height) AS height FROM blocks').get() as { height: number };
    const tables = Object.entries(comparedRows).map(([name, sql]) => {
      const all = database.prepare(sql).all() as Record<string, unknown>[];
      return [name, all.map((row) => `${String(row.at)} ${rowText(row)}`).sort()] as const;
    });
    return { height, rows: Object.fromEntries(tables) };
  } finally {
    database.close();
  }
}

/** Tables that differ from the truth: of the same height all of it, of a lower one what each height has. */
export function differingTables(healed: ChainContent, truth: ChainContent): string[] {
  return Object.keys(comparedRows).filter((name) => {
    const isPart = healed.height < truth.height;
    if (isPart && truth.rows[name]!.every((row) => row.startsWith('null'))) return false;
    const upTo = truth.rows[name]!.filter((row) => !isPart || Number.parseInt(row, 10) <= healed.height);
    return JSON.stringify(upTo) !== JSON.stringify(healed.rows[name]);
  });
}

function databaseContent(path: string): Uint8Array {
  assert.ok(existsSync(path), `${path} exists`);
  const database = openAsItIs(path);
  try {
    const digest = createHash('sha256');
    const schema = database.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY type, name').all();
    digest.update(JSON.stringify([schema, database.prepare('PRAGMA user_version').get()]));
    for (const { name, type } of schema as { name: string; type: string }[]) {
      if (type !== 'table') continue;
      const rows: string[] = [];
      for (const row of database.prepare(`SELECT * FROM ${name} NOT INDEXED`).iterate()) rows.push(rowText(row));
      digest.update(`${name} ${rows.sort().join('\n')}`);
    }
    return digest.digest();
  } finally {
    database.close();
  }
}

/** Without a log it is opened as a file that nobody changes: else a log would be made beside it. */
function openAsItIs(path: string): DatabaseSync {
  const hasLog = existsSync(`${path}-wal`);
  return new DatabaseSync(hasLog ? path : `file:${encodeURI(path)}?immutable=1`, { readOnly: true });
}

function rowText(row: Record<string, unknown>): string {
  return JSON.stringify(Object.values(row), (_, value: unknown) =>
    value instanceof Uint8Array ? `x${Buffer.from(value).toString('hex')}` : value,
  );
}

/** The records of all frames, whatever their checksums say. */
function journalContent(dir: string): Uint8Array {
  const digest = createHash('sha256');
  const names = readdirSync(dir)
    .filter((name) => name.endsWith('.journal'))
    .sort();
  assert.ok(names.length > 0, 'there is a journal');
  for (const name of names) addSegment(digest, name, readFileSync(join(dir, name)));
  return digest.digest();
}

function addSegment(digest: Hash, name: string, bytes: Buffer): void {
  digest.update(name).update(bytes.subarray(0, segmentHeaderBytes));
  for (let at = segmentHeaderBytes; at < bytes.length; ) {
    const header = decodeFrameHeader(bytes.subarray(at, at + frameHeaderBytes));
    if (header === null) return;
    const frame = bytes.subarray(at, at + frameBytesOf(header));
    const records = recordsOf(frame, header);
    if (records === null) return;
    digest.update(`${header.firstSequence} ${header.recordCount} `);
    for (const { type, payload } of records) digest.update(`${type} ${payload.length} `).update(payload);
    at += frame.length;
  }
}
