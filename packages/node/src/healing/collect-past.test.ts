import { strict as assert } from 'node:assert';
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import type { Block, Message } from '@cairn-ledger/core';
import { auditFolder } from '../audit/audit.ts';
import { type MadeFolder, makeNodeFolder } from '../audit/testing/node-folder.ts';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { orThrow } from '../failure.ts';
import { mergePast, pastPathOf } from '../storage/past-merge.ts';
import { openViewDb } from '../storage/view-db.ts';
import { followChain } from '../storage/view-follow.ts';
import { openChainFile } from './chain-file.ts';
import { collectPast, type PastOptions } from './collect-past.ts';
import { createPeers } from './peers.ts';
import { repairView } from './repair-view.ts';
import { openScratchFile } from './scratch-file.ts';
import { notGivenByPeers, rowsAsText } from './testing/chain-rows-as-text.ts';
import { type Answering, anchorOf, portTo, type ServedChain, serveDatabase } from './testing/served-chain.ts';

const dir = mkdtempSync(join(tmpdir(), 'cairn-past-'));
const foundedAt = 12;
let folder: MadeFolder;
let whole: ServedChain;
let victims = 0;

before(async () => {
  folder = await makeNodeFolder({ blocks: 20, transactionsPerBlock: 30, foundedAt });
  whole = serveDatabase(folder.wholePath, folder.ledgerHash, () => 0);
});

after(() => {
  whole.close();
  folder.remove();
  rmSync(dir, { recursive: true, force: true });
});

function chainPathOf({ dir: at }: MadeFolder): string {
  return join(at, 'data', 'chain.db');
}

/** What peers can give of a chain. */
function given(path: string): Record<string, string[]> {
  return { ...rowsAsText(path, notGivenByPeers), news: [] };
}

function foundedCopy(of = folder): string {
  const path = join(dir, `founded-${victims++}.db`);
  copyFileSync(chainPathOf(of), path);
  return path;
}

type Collected = { readonly isWhole: boolean; readonly bytesFetched: number };

async function collect(
  path: string,
  answering: Answering,
  options: Partial<Pick<PastOptions, 'source' | 'onProgress'>> = {},
  of = folder,
): Promise<Collected> {
  const anchor = anchorOf(of);
  const port = portTo({ one: answering, two: answering, three: answering });
  const peers = createPeers({ port, signal: new AbortController().signal, timeoutMs: 40 });
  const founded = orThrow(openChainFile(path, { readOnly: true }));
  const past = openScratchFile(pastPathOf(path), of.ledgerHash);
  try {
    const parts = { founded, past, source: null, anchor, peers, verifier: sodiumVerifier, ...options };
    return { isWhole: await collectPast(parts), bytesFetched: peers.bytesFetched() };
  } finally {
    past.close();
    founded.close();
  }
}

test('a chain that went on since its founding takes over its past, and is the one that executed everything', async () => {
  const path = foundedCopy();
  assert.ok((await collect(path, whole.serve)).isWhole);
  assert.equal(orThrow(mergePast(path)), foundedAt);
  assert.deepEqual(given(path), given(folder.wholePath));
});

for (const [what, options] of Object.entries({
  'a boundary far below': { blocks: 22, removalAt: 3, foundedAt: 16 },
  'founded on a boundary': { blocks: 16, removalAt: 3, foundedAt: 7 },
  'founded right behind a boundary': { blocks: 16, removalAt: 3, foundedAt: 8 },
  'a boundary since': { blocks: 18, removalAt: 10, foundedAt: 9 },
})) {
  test(`the audit of the node finds nothing afterwards: ${what}`, async () => {
    const made = await makeNodeFolder({ transactionsPerBlock: 4, ...options });
    const serving = serveDatabase(made.wholePath, made.ledgerHash, () => 0);
    const path = chainPathOf(made);
    assert.ok((await collect(path, serving.serve, {}, made)).isWhole);
    const viewPath = join(made.dir, 'data', 'view.db');
    repairView(viewPath);
    orThrow(mergePast(path));
    rmSync(pastPathOf(path));
    assert.deepEqual(given(path), given(made.wholePath));
    const chain = orThrow(openChainFile(path, { readOnly: true }));
    orThrow(followChain(orThrow(openViewDb(viewPath)), chain.chain)).close();
    chain.close();
    const report = orThrow(await auditFolder(made.dir, { replay: true }));
    assert.deepEqual(report.findings, []);
    serving.close();
    made.remove();
  });
}

test('what was collected before is not fetched again', async () => {
  const path = foundedCopy();
  const { bytesFetched: all } = await collect(foundedCopy(), whole.serve);
  class Ended extends Error {}
  await assert.rejects(
    collect(path, whole.serve, {
      onProgress: (stage, done) => {
        if (stage === 'blocks' && done > foundedAt / 2) throw new Ended();
      },
    }),
    Ended,
  );
  const again = await collect(path, whole.serve);
  assert.ok(again.isWhole && again.bytesFetched < (all * 3) / 4, `${again.bytesFetched} of ${all} bytes`);
  const nothing = await collect(path, whole.serve);
  assert.ok(nothing.isWhole);
  assert.equal(nothing.bytesFetched, 0);
  orThrow(mergePast(path));
  assert.deepEqual(given(path), given(folder.wholePath));
});

test('what is true in a damaged chain of before is not fetched', async () => {
  const old = join(dir, 'old.db');
  copyFileSync(folder.wholePath, old);
  const sqlite = new DatabaseSync(old);
  sqlite.exec(`DELETE FROM batch_parts WHERE id = 64 * 5 * 128; UPDATE blocks SET header = x'00' WHERE height = 3`);
  sqlite.close();
  const path = foundedCopy();
  const source = orThrow(openChainFile(old, { readOnly: true }));
  const { isWhole, bytesFetched } = await collect(path, whole.serve, { source });
  assert.equal(
    (await collect(path, whole.serve, { source })).bytesFetched,
    0,
    'and what was fetched is not lost again',
  );
  source.close();
  const { bytesFetched: all } = await collect(foundedCopy(), whole.serve);
  assert.ok(isWhole && bytesFetched > 0 && bytesFetched < all / 3, `${bytesFetched} of ${all} bytes`);
  orThrow(mergePast(path));
  assert.deepEqual(given(path), given(folder.wholePath));
});

const lacking: Readonly<Record<string, (answer: Message) => boolean>> = {
  tiles: ({ type }) => type === 'tiles',
  'a block': (answer) =>
    (answer.type === 'block' && answer.block.header.height === 4) ||
    (answer.type === 'chain' && answer.blocks.some(({ header }) => header.height === 4)),
  batches: ({ type }) => type === 'batch',
  outcomes: ({ type }) => type === 'outcome',
};

for (const [what, isLacked] of Object.entries(lacking)) {
  test(`as long as nobody has all of it the chain stays as it was: ${what}`, async () => {
    const path = foundedCopy();
    const answering: Answering = (request) => {
      const answer = whole.serve(request);
      return answer !== null && answer !== 'silent' && isLacked(answer) ? null : answer;
    };
    assert.equal((await collect(path, answering)).isWhole, false);
    const refused = mergePast(path);
    assert.equal(refused.ok ? 'ok' : refused.error.code, 'storage.damaged');
    assert.deepEqual(given(path), given(chainPathOf(folder)));
    assert.ok((await collect(path, whole.serve)).isWhole, 'and later it is had');
  });
}

test('as long as nobody shows how an epoch ended the chain stays as it was', async () => {
  const made = await makeNodeFolder({ transactionsPerBlock: 2, blocks: 22, removalAt: 3, foundedAt: 16 });
  const serving = serveDatabase(made.wholePath, made.ledgerHash, () => 0);
  const path = chainPathOf(made);
  const isEnd = ({ header }: Block): boolean => header.nextSet !== null;
  const without: Answering = (request) => {
    const answer = serving.serve(request);
    const shows = answer !== null && answer !== 'silent' && answer.type === 'chain' && answer.blocks.some(isEnd);
    return request.type === 'request-boundary' || shows ? null : answer;
  };
  assert.equal((await collect(path, without, {}, made)).isWhole, false);
  assert.ok((await collect(path, serving.serve, {}, made)).isWhole, 'and later it is shown');
  serving.close();
  made.remove();
});

test('a peer that lies about the past changes nothing of what is taken over', async () => {
  const path = foundedCopy();
  let turn = 0;
  const liar: Answering = (request) => {
    const answer = whole.serve(request);
    if (answer === null || answer === 'silent' || turn++ % 3 > 0) return answer;
    if (answer.type === 'batch') return { ...answer, batch: { ...answer.batch, signature: new Uint8Array(64) } };
    if (answer.type === 'tiles') return { ...answer, tiles: null };
    if (answer.type === 'outcome' && answer.outcome !== null)
      return { ...answer, outcome: { ...answer.outcome, verdicts: Uint8Array.of(0x80) } };
    return answer;
  };
  for (let attempt = 0; attempt < 10; attempt++) if ((await collect(path, liar)).isWhole) break;
  orThrow(mergePast(path));
  assert.deepEqual(given(path), given(folder.wholePath));
});

test('a file of the past that is damaged, or of another ledger, is begun anew', async () => {
  const path = foundedCopy();
  writeFileSync(pastPathOf(path), 'no database');
  assert.ok((await collect(path, whole.serve)).isWhole);
  const other = openScratchFile(pastPathOf(path), new Uint8Array(32).fill(1));
  assert.equal(other.chain.tip(), null);
  other.close();
});

test('the past of another founding, or none, is refused, and the chain stays as it was', async () => {
  const path = foundedCopy();
  assert.ok(!mergePast(path).ok);
  const longer = await makeNodeFolder({ blocks: 20, transactionsPerBlock: 30, foundedAt: 14 });
  const serving = serveDatabase(longer.wholePath, longer.ledgerHash, () => 0);
  const other = foundedCopy(longer);
  assert.ok((await collect(other, serving.serve, {}, longer)).isWhole);
  assert.ok(!mergePast(path, pastPathOf(other)).ok);
  assert.deepEqual(given(path), given(chainPathOf(folder)));
  assert.ok(existsSync(pastPathOf(other)));
  serving.close();
  longer.remove();
});

test('a chain that has everything is given nothing', () => {
  const path = join(dir, 'complete.db');
  copyFileSync(folder.wholePath, path);
  const past = openScratchFile(pastPathOf(path), folder.ledgerHash);
  past.close();
  assert.ok(!mergePast(path).ok);
  assert.deepEqual(given(path), given(folder.wholePath));
});
