/** How a chain is mended by many answers at once. That each kind of damage is mended: repair-chain.test.ts. */
import { strict as assert } from 'node:assert';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fail, type Message } from '@cairn-ledger/core';
import { type MadeFolder, makeNodeFolder } from '../audit/testing/node-folder.ts';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { orThrow } from '../failure.ts';
import { createChainRows } from '../storage/chain-rows.ts';
import { StorageError } from '../storage/storage-error.ts';
import { type ChainFile, openChainFile } from './chain-file.ts';
import { findTop } from './chain-top.ts';
import { anchorEpochs, type SyncAnchor } from './known-epochs.ts';
import { type ChainMend, heightsAtOnceMax, mendChain } from './mend-chain.ts';
import { leafReader } from './mend-in-place.ts';
import { requestsPerPeerMax } from './peer-slots.ts';
import { createPeers, type HealingPort, type Peers } from './peers.ts';
import { type Answering, anchorOf, portTo, serveChain } from './testing/served-chain.ts';

const blocks = 40;
const dir = mkdtempSync(join(tmpdir(), 'cairn-mend-chain-'));
const pristine = join(dir, 'pristine.db');
let folder: MadeFolder;
let served: ReturnType<typeof serveChain>;
let anchor: SyncAnchor;
let victims = 0;

before(async () => {
  folder = await makeNodeFolder({ blocks, transactionsPerBlock: 3 });
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

function victim(damage: string): ChainFile {
  const path = join(dir, `victim-${victims++}.db`);
  copyFileSync(pristine, path);
  const sqlite = new DatabaseSync(path);
  sqlite.exec(damage);
  sqlite.close();
  return orThrow(openChainFile(path, { readOnly: false }));
}

/** @param others asked for what the chain ends with */
async function mend(file: ChainFile, peers: Peers, changes: Partial<ChainMend> = {}, others = peers) {
  const { genesis, ledgerHash } = anchor;
  const damages: string[] = [];
  const epochs = anchorEpochs(anchor);
  const parts = { ledgerHash, epochs, verifier: sodiumVerifier, peers };
  const { checkpointLag } = genesis.parameters;
  const top = await findTop(file, blocks, { ...parts, peers: others, checkpointLag });
  assert.ok(top !== null);
  const mended = await mendChain({
    ...parts,
    source: file,
    genesis,
    top,
    foundedHeight: 0,
    firstHeight: 0,
    known: new Map(),
    leafAt: leafReader(file),
    target: createChainRows(file.database),
    writesAll: false,
    onDamage: (kind, height) => damages.push(`${kind} ${height}`),
    onWritten: () => undefined,
    onHeight: () => undefined,
    ...changes,
  });
  return { mended, damages };
}

const contents = ({ database }: ChainFile): unknown[] =>
  ['blocks', 'batches', 'batch_parts', 'checkpoints'].map((table) =>
    database.sqlite.prepare(`SELECT * FROM ${table} ORDER BY 1`).all(),
  );

const allBatches = 'DELETE FROM batches; DELETE FROM batch_parts';
/** Below those that nothing names yet. */
const allStatements = `UPDATE checkpoints SET statement = x'00' WHERE height BETWEEN 1 AND ${blocks - 5}`;

/** Answers of honest peers, each after a time of its own; `hold` keeps one back until it resolves. */
function slowPort(hold: (request: Message) => Promise<unknown> | null) {
  const open: { peer: string; request: Message }[] = [];
  const names = ['one', 'two', 'three'];
  const inner = portTo(Object.fromEntries(names.map((name) => [name, honest])));
  const port: HealingPort = {
    peers: () => names,
    async ask(peer, request, signal) {
      const asked = { peer, request };
      open.push(asked);
      await (hold(request) ?? sleep((inner.asked.length * 7) % 5));
      const answer = await inner.ask(peer, request, signal);
      open.splice(open.indexOf(asked), 1);
      return answer;
    },
  };
  return { port, open, inner };
}

test('several heights are mended at once, no more than may be, and told of from the tip down', async () => {
  const file = victim(`${allBatches}; ${allStatements}`);
  const released = Promise.withResolvers<void>();
  const { port, open } = slowPort(({ type }) => (type === 'request-batch' ? released.promise : null));
  const peers = createPeers({ port, signal: new AbortController().signal });
  const mending = mend(file, peers);
  const heightsOpen = (): Set<number> =>
    new Set(
      open.flatMap(({ request }) =>
        request.type === 'request-batch' ? [served.chain.batchByDigest(request.digest)!.height] : [],
      ),
    );
  while (heightsOpen().size < heightsAtOnceMax) await sleep(5);
  await sleep(50);
  assert.equal(heightsOpen().size, heightsAtOnceMax);
  for (const name of port.peers())
    assert.ok(open.filter(({ peer }) => peer === name).length <= requestsPerPeerMax, name);
  released.resolve();
  const { mended, damages } = await mending;
  assert.deepEqual(mended.unmended, []);
  const expected = Array.from({ length: blocks }, (_, i) => blocks - i).flatMap((height) => [
    ...(height - 1 >= 1 && height - 1 <= blocks - 5 ? [`checkpoint ${height - 1}`] : []),
    `batch ${height}`,
  ]);
  assert.deepEqual(damages, expected);
  const whole = orThrow(openChainFile(pristine, { readOnly: true }));
  assert.deepEqual(contents(file), contents(whole));
  whole.close();
  file.close();
});

test('a peer that answers nothing costs a few of its times in all, however many heights are damaged', async () => {
  const timeoutMs = 1_000;
  const file = victim(`${allBatches}; ${allStatements}; UPDATE blocks SET verdicts = x'ff' WHERE height % 2 = 0`);
  const port = portTo({ dead: () => 'silent', one: honest, two: honest, three: honest });
  const peers = createPeers({ port, signal: new AbortController().signal, timeoutMs });
  const startedMs = performance.now();
  const { mended } = await mend(file, peers);
  const ms = performance.now() - startedMs;
  assert.deepEqual(mended.unmended, []);
  assert.ok(ms < 4 * timeoutMs, `${ms} ms`);
  assert.equal(peers.inOrder().at(-1), 'dead');
  file.close();
});

test('f+1 equal verdicts are enough: one that has none, and one that is silent, are not waited for', async () => {
  const timeoutMs = 5_000;
  const file = victim(`UPDATE blocks SET verdicts = x'ff' WHERE height < 10`);
  const port = portTo({ one: honest, two: honest, dead: () => 'silent', gone: () => null });
  const peers = createPeers({ port, signal: new AbortController().signal, timeoutMs });
  const top = { signal: new AbortController().signal, timeoutMs: 40 };
  const startedMs = performance.now();
  const { mended } = await mend(file, peers, {}, createPeers({ port, ...top }));
  const ms = performance.now() - startedMs;
  assert.deepEqual(mended.unmended, []);
  assert.ok(ms < timeoutMs, `${ms} ms`);
  file.close();
});

test('a sound chain asks nobody for anything', async () => {
  const file = victim('');
  const { port, inner } = slowPort(() => null);
  const peers = createPeers({ port, signal: new AbortController().signal });
  const asked = createPeers({ port: { ...port, ask: () => assert.fail('asked') }, signal: peers.signal });
  const { mended, damages } = await mend(file, asked, {}, peers);
  assert.deepEqual([mended.unmended, damages], [[], []]);
  assert.ok(inner.asked.every(([, { type }]) => type === 'request-chain'));
  file.close();
});

test('what cannot be had is told from above, also where other heights are mended meanwhile', async () => {
  const file = victim(`${allBatches}; DELETE FROM blocks WHERE height = 5`);
  const lost = served.chain.batchesOf(30).map(({ digest }) => Buffer.from(digest).toString('hex'));
  const answering: Answering = (request) => {
    if (request.type === 'request-batch' && lost.includes(Buffer.from(request.digest).toString('hex'))) return null;
    const answer = honest(request);
    const isLost =
      answer !== null && answer !== 'silent' && answer.type === 'block' && answer.block.header.height === 5;
    return isLost || (request.type === 'request-chain' && request.from <= 5) ? null : answer;
  };
  const port = portTo({ one: answering, two: answering, three: answering });
  const peers = createPeers({ port, signal: new AbortController().signal, timeoutMs: 40 });
  const { mended } = await mend(file, peers);
  assert.deepEqual(mended.unmended, [30, 5, 4, 3, 2, 1]);
  file.close();
});

test('it ends with the reason of the signal, or with what the database says, and nothing is under way after it', async () => {
  const ending = new AbortController();
  const stuck = victim(allBatches);
  const { port, open } = slowPort(({ type }) =>
    type === 'request-batch' ? sleep(60_000, undefined, { ref: false }) : null,
  );
  const mending = mend(stuck, createPeers({ port, signal: ending.signal }));
  while (open.length < heightsAtOnceMax) await sleep(5);
  const reason = new Error('the node stops');
  ending.abort(reason);
  await assert.rejects(mending, reason);
  stuck.close();

  const full = victim(allBatches);
  const rows = createChainRows(full.database);
  let writes = 0;
  let underWay = 0;
  const target = {
    ...rows,
    writeSoon: (doing: string, action: () => void) =>
      ++writes === 3 ? fail(new StorageError('storage.failed', 'the disk is full')) : rows.writeSoon(doing, action),
  };
  const slow = slowPort(() => null);
  const counted: HealingPort = {
    ...slow.port,
    async ask(...args) {
      underWay++;
      return await slow.port.ask(...args).finally(() => underWay--);
    },
  };
  const peers = createPeers({ port: counted, signal: new AbortController().signal });
  await assert.rejects(mend(full, peers, { target }), /the disk is full/);
  assert.deepEqual([writes, underWay], [3, 0]);
  full.close();
});
