/** Pages exchanged, and bytes changed, wherever they are in view.db: whoever asks gets an answer or a code, never a crash. */
import { strict as assert } from 'node:assert';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type MadeFolder, makeNodeFolder } from '../audit/testing/node-folder.ts';
import { orThrow } from '../failure.ts';
import { type ChainDb, openChainDb } from './chain-db.ts';
import { StorageError } from './storage-error.ts';
import { compareBlock } from './view-check.ts';
import { openViewDb } from './view-db.ts';
import { createViewQueries } from './view-queries.ts';

const pageBytes = 4096;
const randomCases = 300;
const dir = mkdtempSync(join(tmpdir(), 'cairn-view-damage-'));
const pristine = join(dir, 'pristine.db');
const path = join(dir, 'view.db');
const heights = [1, 13];
let folder: MadeFolder;
let chain: ChainDb;
let whole: Buffer;
let ids: Uint8Array[];

before(async () => {
  folder = await makeNodeFolder({ blocks: 20, transactionsPerBlock: 30 });
  const chainPath = join(folder.dir, 'data', 'chain.db');
  chain = orThrow(openChainDb(chainPath, { readOnly: true, ledgerHash: folder.ledgerHash }));
  copyFileSync(join(folder.dir, 'data', 'view.db'), pristine);
  whole = readFileSync(pristine);
  const view = orThrow(openViewDb(pristine, { readOnly: true }));
  const queries = createViewQueries(chain, view);
  ids = heights.flatMap((height) => queries.transactionsOfBlock(height).map(({ id }) => id));
  view.close();
});

after(() => {
  chain.close();
  folder.remove();
  rmSync(dir, { recursive: true, force: true });
});

/** How often damage was noticed. */
function askEverything(bytes: Buffer, what: string): number {
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
  writeFileSync(path, bytes);
  const opened = openViewDb(path, { readOnly: true });
  if (!opened.ok) return 1;
  const view = opened.value;
  const queries = createViewQueries(chain, view);
  const range = { fromMs: null, toMs: null, limit: 100, cursor: null };
  const questions: (() => unknown)[] = [
    () => view.progress(),
    ...ids.map((id) => () => queries.transactionById(id)),
    ...heights.flatMap((height) => [
      () => queries.transactionsOfBlock(height),
      () => compareBlock(chain, view, height),
    ]),
    ...['birch/meter', 'alder/desk'].flatMap((device) => [
      () => queries.readings(device, range),
      () => queries.transactionsOf(device, range),
    ]),
  ];
  let noticed = 0;
  for (const ask of questions) {
    try {
      ask();
    } catch (cause) {
      if (!(cause instanceof StorageError)) assert.fail(`${what}: ${(cause as Error).stack}`);
      noticed++;
    }
  }
  view.close();
  return noticed;
}

test('two pages exchanged, or one in the place of another', () => {
  let noticed = 0;
  const pages = whole.length / pageBytes;
  for (let a = 1; a < pages; a++)
    for (let b = a + 1; b < pages; b++)
      for (const [to, from] of [
        [[b], [a]],
        [[a], [b]],
        [
          [a, b],
          [b, a],
        ],
      ] as const) {
        const bytes = Buffer.from(whole);
        for (const [i, page] of to.entries())
          whole.copy(bytes, page * pageBytes, from[i]! * pageBytes, (from[i]! + 1) * pageBytes);
        noticed += askEverything(bytes, `pages ${from} in the place of ${to}`);
      }
  assert.ok(noticed > 30);
});

test('up to four bytes changed, half of them where a page says what is in it', () => {
  let noticed = 0;
  let state = 777;
  const next = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  for (let i = 0; i < randomCases; i++) {
    const bytes = Buffer.from(whole);
    for (let changed = 0; changed <= next(4); changed++) {
      const page = 1 + next(whole.length / pageBytes - 1);
      bytes[page * pageBytes + next(next(2) === 0 ? 120 : pageBytes)] = next(256);
    }
    noticed += askEverything(bytes, `case ${i}`);
  }
  assert.ok(noticed > 30);
});
