import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { equalBytes, type Message, type StatePart, sha256, toHash, toHeight } from '@cairn-ledger/core';
import { type MadeFolder, makeNodeFolder } from '../audit/testing/node-folder.ts';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { orThrow } from '../failure.ts';
import { openChainDb } from '../storage/chain-db.ts';
import type { SyncAnchor } from './known-epochs.ts';
import { openPartCache, type PartCache } from './part-cache.ts';
import { createPeers, type Peers } from './peers.ts';
import { type SyncOptions, syncState } from './sync-state.ts';
import { type Answering, anchorOf, portTo, serveChain } from './testing/served-chain.ts';

let folder: MadeFolder;
let served: ReturnType<typeof serveChain>;
let anchor: SyncAnchor;
let nowMs = 0;
const dir = mkdtempSync(join(tmpdir(), 'cairn-sync-'));
let caches = 0;

before(async () => {
  folder = await makeNodeFolder({ blocks: 12, transactionsPerBlock: 8 });
  served = serveChain(folder, () => nowMs);
  anchor = anchorOf(folder);
});

after(() => {
  served.close();
  folder.remove();
  rmSync(dir, { recursive: true, force: true });
});

function newCache(): PartCache {
  return openPartCache(join(dir, `cache-${caches++}`));
}

function run(answering: Readonly<Record<string, Answering>>, options: Partial<SyncOptions> = {}) {
  const port = portTo(answering);
  const peers: Peers = createPeers({ port, signal: new AbortController().signal, timeoutMs: 40 });
  const cache = options.cache ?? newCache();
  const synced = syncState({
    anchor,
    peers,
    verifier: sodiumVerifier,
    cache,
    pauseMs: 1,
    roundsMax: 2,
    ...options,
  });
  return { synced, peers, port, cache };
}

/** What an honest peer says, with answers of one type changed. */
function lying<T extends Message['type']>(
  type: T,
  change: (answer: Extract<Message, { type: T }>) => Message | null | 'silent',
): Answering {
  return (request) => {
    const answer = served.serve(request);
    return answer !== null && answer !== 'silent' && answer.type === type
      ? change(answer as Extract<Message, { type: T }>)
      : answer;
  };
}

test('a new node takes over the certified state, and its database goes on from there', async () => {
  const { synced, peers, cache } = run({ one: served.serve });
  const { snapshot, height } = orThrow(await synced);
  assert.equal(height, served.chain.tip()!.height);
  const path = join(dir, 'synced.db');
  const chain = orThrow(openChainDb(path, { ledgerHash: anchor.ledgerHash }));
  orThrow(chain.importSnapshot(snapshot));
  assert.deepEqual(chain.tip()!.digest, served.chain.tip()!.digest);
  assert.deepEqual(chain.floors(1), served.chain.floors(1), 'floors come from the blocks below');
  assert.equal(chain.foundedHeight(), height);
  assert.deepEqual(
    [...chain.store.list(new Uint8Array(0))].length,
    [...served.chain.store.list(new Uint8Array(0))].length,
  );
  assert.deepEqual(chain.latestFinalized()!.digest, served.chain.tip()!.digest);
  assert.ok(peers.bytesFetched() > 0);
  chain.close();
  cache.close();
});

const otherHash = toHash(sha256(Uint8Array.of(1)));
const changedPart = (part: StatePart): StatePart =>
  part.type === 'node'
    ? { ...part, children: part.children.map((child, i) => (i === 3 ? otherHash : child)) }
    : { ...part, entries: part.entries.map(({ key }) => ({ key, value: Uint8Array.of(0xf6) })) };

const liars: Readonly<Record<string, Answering>> = {
  'a changed bucket': lying('state', (answer) => ({
    ...answer,
    parts: answer.parts!.map((part) => (part.type === 'bucket' ? changedPart(part) : part)),
  })),
  'a changed node': lying('state', (answer) => ({ ...answer, parts: answer.parts!.map(changedPart) })),
  'parts in another order': lying('state', (answer) => ({ ...answer, parts: [...answer.parts!].reverse() })),
  'a bucket in place of a node': lying('state', (answer) => ({
    ...answer,
    parts: answer.parts!.map(({ path }) => ({ type: 'bucket', path, entries: [] })),
  })),
  'more parts than were asked for': lying('state', (answer) => ({
    ...answer,
    parts: [...answer.parts!, ...answer.parts!],
  })),
  'no parts at all': lying('state', (answer) => ({ ...answer, parts: [] })),
  'nothing after the snapshot': lying('state', () => 'silent'),
  'that the snapshot is gone': lying('state', (answer) => ({ ...answer, parts: null })),
  'a state root of its own': lying('snapshot', (answer) => ({
    ...answer,
    snapshot: {
      ...answer.snapshot!,
      statements: answer.snapshot!.statements.map((statement) => ({ ...statement, stateRoot: otherHash })),
    },
  })),
  'a snapshot without signatures': lying('snapshot', (answer) => ({
    ...answer,
    snapshot: { ...answer.snapshot!, signatures: [] },
  })),
  'one signature too few': lying('snapshot', (answer) => ({
    ...answer,
    snapshot: {
      ...answer.snapshot!,
      signatures: answer.snapshot!.signatures.filter(
        ({ statement, signer }) => statement.height !== answer.snapshot!.height || signer !== 0,
      ),
    },
  })),
  'one signature three times': lying('snapshot', (answer) => ({
    ...answer,
    snapshot: {
      ...answer.snapshot!,
      signatures: answer.snapshot!.signatures.map(() => answer.snapshot!.signatures[0]!),
    },
  })),
  'a snapshot without its blocks': lying('snapshot', (answer) => ({
    ...answer,
    snapshot: { ...answer.snapshot!, blocks: [] },
  })),
  'blocks that do not follow each other': lying('snapshot', (answer) => ({
    ...answer,
    snapshot: { ...answer.snapshot!, blocks: [...answer.snapshot!.blocks].reverse() },
  })),
  'a statement left out': lying('snapshot', (answer) => ({
    ...answer,
    snapshot: { ...answer.snapshot!, statements: answer.snapshot!.statements.slice(1) },
  })),
  'a finalization with its signatures exchanged': lying('snapshot', (answer) => ({
    ...answer,
    snapshot: {
      ...answer.snapshot!,
      finalizations: answer.snapshot!.finalizations.map((certificate) => ({
        ...certificate,
        signatures: [...certificate.signatures].reverse(),
      })),
    },
  })),
  'a height far away': lying('snapshot', (answer) => ({
    ...answer,
    snapshot: { ...answer.snapshot!, height: toHeight(2 ** 40) },
  })),
  'tiles of another tree': lying('tiles', (answer) => ({
    ...answer,
    tiles: answer.tiles!.map((tile) => ({ ...tile, hashes: tile.hashes.map((byte) => byte ^ 1) })),
  })),
  'no tiles': lying('tiles', (answer) => ({ ...answer, tiles: [] })),
  'nothing ever': () => 'silent',
  'nothing but nonsense': () => ({ type: 'request-block', digest: otherHash }),
};

for (const [what, liar] of Object.entries(liars)) {
  test(`a peer that says ${what} cannot mislead, and the honest one is found`, async () => {
    const { synced, cache } = run({ liar, honest: served.serve });
    const { snapshot } = orThrow(await synced);
    const path = join(dir, `lied-${caches}.db`);
    const chain = orThrow(openChainDb(path, { ledgerHash: anchor.ledgerHash }));
    orThrow(chain.importSnapshot(snapshot));
    assert.deepEqual(chain.tip()!.digest, served.chain.tip()!.digest);
    chain.close();
    cache.close();
  });

  test(`a peer that says ${what} is believed nothing when it is alone`, async () => {
    const { synced, cache } = run({ liar });
    const result = await synced;
    assert.ok(!result.ok);
    assert.equal(result.error.code, 'snapshot.unavailable');
    cache.close();
  });
}

test('lies are counted, and who lies three times is not asked any more', async () => {
  const liar = liars['a changed node']!;
  const { synced, peers, port, cache } = run({ liar }, { roundsMax: 8 });
  assert.ok(!(await synced).ok);
  assert.equal(peers.conduct().get('liar')!.wrong, 3);
  assert.equal(port.asked.filter(([, { type }]) => type === 'request-state').length, 3);
  cache.close();
});

test('what was fetched is not fetched again, also by a process that comes later', async () => {
  const path = join(dir, 'kept-cache');
  const first = run({ one: served.serve }, { cache: openPartCache(path) });
  orThrow(await first.synced);
  first.cache.close();
  const second = run({ one: served.serve }, { cache: openPartCache(path) });
  assert.equal(orThrow(await second.synced).stateParts, 0);
  second.cache.remove();
});

test('a damaged cache costs time and nothing else', async () => {
  const path = join(dir, 'bad-cache');
  const first = run({ one: served.serve }, { cache: openPartCache(path) });
  orThrow(await first.synced);
  first.cache.close();
  const sqlite = new DatabaseSync(path);
  sqlite.exec('UPDATE parts SET part = zeroblob(length(part)) WHERE hash IN (SELECT hash FROM parts LIMIT 5)');
  sqlite.close();
  const second = run({ one: served.serve }, { cache: openPartCache(path) });
  const { stateParts, snapshot } = orThrow(await second.synced);
  assert.equal(stateParts, 5);
  const chain = orThrow(openChainDb(join(dir, 'from-bad-cache.db'), { ledgerHash: anchor.ledgerHash }));
  orThrow(chain.importSnapshot(snapshot));
  chain.close();
  second.cache.close();
});

test('a later set that is trusted and not led to refuses everybody', async () => {
  const { synced, cache } = run(
    { one: served.serve },
    { anchor: { ...anchor, later: { epoch: 7, setDigest: otherHash } } },
  );
  const result = await synced;
  assert.ok(!result.ok && /validator set that is trusted/.test(result.error.message));
  cache.close();
});

test('a sync ends at once when it is told to', async () => {
  const abort = new AbortController();
  const port = portTo({ one: () => 'silent' });
  const peers = createPeers({ port, signal: abort.signal, timeoutMs: 60_000 });
  const cache = newCache();
  const synced = syncState({ anchor, peers, verifier: sodiumVerifier, cache });
  setTimeout(() => abort.abort(new Error('stopped')), 20);
  await assert.rejects(synced, /stopped/);
  cache.close();
});

test('a chain that moves on does not disturb a sync; one that is held no longer goes on where it was', async () => {
  let states = 0;
  const moving: Answering = (request) => {
    if (request.type === 'request-state' && ++states === 3) {
      // The first snapshot ends here, with the chain three blocks further.
      nowMs += 120_000;
      served.server.prune();
    }
    return served.serve(request);
  };
  await folder.grow(3);
  const { synced, cache } = run({ moving });
  const { height, snapshot } = orThrow(await synced);
  assert.equal(height, served.chain.tip()!.height);
  assert.ok(states > 3);
  const chain = orThrow(openChainDb(join(dir, 'moving.db'), { ledgerHash: anchor.ledgerHash }));
  orThrow(chain.importSnapshot(snapshot));
  assert.ok(equalBytes(chain.tip()!.digest, served.chain.blockByHeight(height)!.digest));
  chain.close();
  cache.close();
});
