/** Newcomers that have only the genesis, over a real chain whose validator set has changed twice. */
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { orThrow } from '../failure.ts';
import { type ChainDb, openChainDb } from '../storage/chain-db.ts';
import { createBatchPreparer } from '../threads/batch-preparer.ts';
import { createChainExecutor } from '../threads/chain-executor.ts';
import { storedToBlock } from '../threads/serve-from-storage.ts';
import { openPartCache } from './part-cache.ts';
import { createPeers } from './peers.ts';
import { syncState } from './sync-state.ts';
import { createEpochChain, type EpochChain } from './testing/epoch-chain.ts';
import { type Answering, portTo, type ServedChain, serveDatabase } from './testing/served-chain.ts';

const dir = mkdtempSync(join(tmpdir(), 'cairn-boundaries-'));
let made: EpochChain;
let served: ServedChain;
let nowMs = 0;
let count = 0;
/** Databases of newcomers, by the height that they joined at. */
const joined = new Map<number, string>();
/** Heights at which nobody could join, and why. */
const refused = new Map<number, string>();
let boundaries: number[] = [];

before(async () => {
  made = createEpochChain();
  served = serveDatabase(made.path, made.anchor.ledgerHash, () => nowMs);
  made.onBlock = async () => {
    const { height } = made.chain.tip()!;
    if (height < 8) return;
    const result = await joinFrom({ one: served.serve });
    if (result.path === null) refused.set(height, result.reason);
    else joined.set(height, result.path);
  };
  await made.grow(8);
  await made.removeLast();
  await made.grow(6);
  await made.admitNext();
  await made.grow(7);
  boundaries = made.chain.epochs.page(2, 9).map(({ genesisHeight }) => genesisHeight);
});

after(() => {
  served.close();
  made.close();
  made.remove();
  rmSync(dir, { recursive: true, force: true });
});

type Joining = { readonly path: string } | { readonly path: null; readonly reason: string };

/** Joins with nothing but the genesis. */
async function joinFrom(answering: Readonly<Record<string, Answering>>): Promise<Joining> {
  nowMs += 120_000;
  const peers = createPeers({
    port: portTo(answering),
    signal: new AbortController().signal,
    timeoutMs: 40,
    onWrong: (peer, what) => assert.fail(`${peer}: ${what}`),
  });
  const path = join(dir, `joined-${count++}.db`);
  const cache = openPartCache(`${path}.parts`);
  const { anchor } = made;
  const synced = await syncState({ anchor, peers, verifier: sodiumVerifier, cache, pauseMs: 1, roundsMax: 1 });
  if (!synced.ok) return { path: null, reason: synced.error.message };
  const chain = open(path);
  orThrow(chain.importSnapshot(synced.value.snapshot));
  chain.close();
  cache.remove();
  return { path };
}

async function joinChain(path: string): Promise<Joining> {
  const one = serveDatabase(path, made.anchor.ledgerHash, () => nowMs);
  try {
    return await joinFrom({ one: one.serve });
  } finally {
    one.close();
  }
}

function open(path: string): ChainDb {
  return orThrow(openChainDb(path, { ledgerHash: made.anchor.ledgerHash }));
}

/** Executes what the chain has above, and holds every result against its own. */
function follow(path: string): void {
  const { genesis, ledgerHash } = made.anchor;
  const chain = open(path);
  const executor = createChainExecutor(genesis, ledgerHash, chain);
  const preparer = createBatchPreparer(chain.store, sodiumVerifier);
  const end = made.chain.tip()!.height;
  for (let height = chain.tip()!.height + 1; height <= end; height++) {
    const stored = made.chain.blockByHeight(height)!;
    executor.execute({
      block: storedToBlock(stored)!,
      view: stored.view,
      finalization: stored.finalization,
      batches: made.chain.batchesOf(height).map(({ bytes }) => preparer.open(bytes, true)),
      misbehaviour: [],
    });
    assert.deepEqual(chain.checkpoint(height)!.statement, made.chain.checkpoint(height)!.statement, `height ${height}`);
  }
  assert.deepEqual(chain.epochs.latest(), made.chain.epochs.latest());
  assert.deepEqual(chain.floors(3), made.chain.floors(3));
  chain.close();
}

test('who has only the genesis joins at any height but between a change and its boundary', () => {
  assert.deepEqual(boundaries, [13, 25]);
  const heights = [...joined.keys()];
  assert.deepEqual([...refused.keys()], [9, 10, 11, 12, 21, 22, 23, 24]);
  assert.deepEqual(heights, [8, 13, 14, 15, 16, 17, 18, 19, 20, 25, 26, 27, 28, 29, 30, 31, 32]);
  for (const reason of refused.values()) assert.match(reason, /has no snapshot now/);
  for (const [height, path] of joined) {
    const chain = open(path);
    assert.equal(chain.tip()!.height, height);
    const set = made.chain.epochs.at(height + 1);
    const expected = height < 13 ? [1] : height < 25 ? [1, 2] : [1, 2, 3];
    assert.deepEqual(
      chain.epochs.page(1, 9).map(({ epoch, digest }) => [epoch, digest]),
      expected.map((epoch) => [epoch, made.chain.epochs.of(epoch)!.digest]),
    );
    assert.deepEqual(chain.epochs.latest(), set);
    chain.close();
  }
});

test('who joined serves who joins next, also where nobody has the block that the epoch began from in its chain', async () => {
  let below = 0;
  for (const [height, path] of joined) {
    const { path: next } = await joinChain(path);
    assert.ok(next !== null, `from a chain founded at height ${height}`);
    const [first, second] = [open(path), open(next)];
    if (first.keptBoundaries().length > 0) below++;
    assert.deepEqual(second.tip(), first.tip());
    assert.deepEqual(second.epochs.page(1, 9), first.epochs.page(1, 9));
    assert.deepEqual(second.floors(3), first.floors(3));
    assert.deepEqual(second.keptBoundaries(), first.keptBoundaries());
    first.close();
    second.close();
    const third = await joinChain(next);
    assert.ok(third.path !== null, 'and so on');
    if (height % 3 === 0) follow(third.path);
  }
  assert.ok(below > 4);
});

test('who joined goes on over the boundaries that come, and serves them', async () => {
  for (const [height, path] of joined) {
    if (height % 2 === 1) continue;
    follow(path);
    const chain = open(path);
    for (let at = height; at <= made.chain.tip()!.height; at++)
      orThrow(chain.putCertified(at, 0, made.chain.checkpoint(at)!.signatures!));
    chain.close();
    assert.ok((await joinChain(path)).path !== null, `from a chain founded at height ${height}`);
  }
});

test('where the block that the epoch began from is lost, joining says so', async () => {
  const path = joined.get(31)!;
  const sqlite = new DatabaseSync(path);
  sqlite.exec("DELETE FROM meta WHERE key = 'boundaries'");
  sqlite.close();
  const result = await joinChain(path);
  assert.ok(result.path === null);
  assert.match(result.reason, /no peer has the block that the present epoch began from/);
  const other = serveDatabase(path, made.anchor.ledgerHash, () => nowMs);
  const both = await joinFrom({ lost: other.serve, whole: served.serve });
  other.close();
  assert.ok(both.path !== null, 'anybody else who has it will do');
});
