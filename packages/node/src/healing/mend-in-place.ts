/** Damaged rows of a database that SQLite can read, mended where they are, at the height that the chain is at. */
import {
  type CheckpointStatement,
  equalBytes,
  isChange,
  readTarget,
  type Tile,
  toHeight,
  validatorSetDigest,
} from '@cairn-ledger/core';
import { orThrow } from '../failure.ts';
import type { Floor } from '../storage/chain-db.ts';
import { type ChainRows, createChainRows } from '../storage/chain-rows.ts';
import { storedToEpochSet } from '../storage/epoch-table.ts';
import { textToNews } from '../storage/news-table.ts';
import type { ChainFile } from './chain-file.ts';
import { type ChainTop, findTop, orNull } from './chain-top.ts';
import { fetchState, rowsUnder } from './fetch-state.ts';
import { epochOfHeight } from './known-epochs.ts';
import { mendBoundaries, mendBoundaryCheckpoints } from './mend-boundaries.ts';
import { epochRowsOf, type MendedChain, mendChain } from './mend-chain.ts';
import { bucketsToMend, localStateOf, pathOf } from './mend-state.ts';
import { mendTiles } from './mend-tiles.ts';
import type { Mending } from './mending.ts';
import { isNothing, isTrue, isWrong } from './peers.ts';
import { verifySnapshot } from './verify-snapshot.ts';

const hashBytes = 32;
const tileHashes = 256;

/** Returns null when everything is true now, and durable; else why it cannot be mended where it is. */
export async function mendInPlace(file: ChainFile, mending: Mending): Promise<string | null> {
  const rows = createChainRows(file.database);
  const why = await mendRows(file, rows, mending);
  if (why === null) orThrow(rows.endure());
  return why;
}

async function mendRows(file: ChainFile, rows: ChainRows, mending: Mending): Promise<string | null> {
  const { anchor, epochs, peers, verifier, onProgress } = mending;
  const { ledgerHash, genesis } = anchor;
  const { checkpointLag } = genesis.parameters;
  const height = highestOf(file);
  if (height === null) return 'it holds no block';
  const founded = orNull(() => file.chain.foundedHeight());
  const first = founded === 0 ? 0 : orNull(() => file.chain.firstHeight());
  if (founded === null || first === null) return 'where it begins cannot be read';
  if (height === 0) return 'it holds no block above the genesis';
  const top = await findTop(file, height, { ledgerHash, checkpointLag, epochs, verifier, peers });
  if (top === null) return `nothing proves its block of height ${height}`;
  const firstLeaf = founded === 0 ? 0 : (orNull(() => file.chain.historySizeAt(first)) ?? 0);
  if (!(await mendAllTiles(file, rows, top.statement, firstLeaf, mending))) return 'its history cannot be had';
  const mended = await mendChain({
    source: file,
    genesis,
    ledgerHash,
    epochs,
    verifier,
    peers,
    top,
    foundedHeight: founded,
    firstHeight: first,
    known: new Map(),
    leafAt: leafReader(file),
    target: rows,
    writesAll: false,
    onDamage: mending.onDamage,
    onWritten: mending.onWritten,
    onHeight: (at) => onProgress('blocks', height - at, height - first),
  });
  if (mended.unmended.length > 0) return `blocks of height ${mended.unmended[0]} and others cannot be had`;
  onProgress('state', 0, null);
  const state = await mendState(file, rows, top.statement, mending);
  if (state !== null) return state;
  mendNews(file, rows, height, mending);
  if (founded > 0) {
    mendBoundaryCheckpoints(file.chain, rows, mending);
    await mendBoundaries(file.chain, rows, mending);
  }
  return mendTables(file, rows, top, mended, founded, mending);
}

/** The highest height that anything is stored of. */
function highestOf({ database }: ChainFile): number | null {
  const read = (sql: string): number =>
    orNull(() => (database.sqlite.prepare(sql).get() as { height: number | null }).height) ?? -1;
  const height = Math.max(
    read('SELECT MAX(height) AS height FROM blocks'),
    read('SELECT MAX(height) AS height FROM checkpoints'),
  );
  return height < 0 ? null : height;
}

export function leafReader({ chain }: ChainFile): (index: number) => Uint8Array | null {
  let held: { readonly index: number; readonly hashes: Uint8Array } | null = null;
  return (index) => {
    const tile = Math.floor(index / tileHashes);
    if (held?.index !== tile) {
      const hashes = orNull(() => chain.tiles.get(0, tile));
      held = { index: tile, hashes: hashes ?? new Uint8Array(0) };
    }
    const at = (index % tileHashes) * hashBytes;
    return at + hashBytes <= held.hashes.length ? held.hashes.subarray(at, at + hashBytes) : null;
  };
}

function mendAllTiles(
  file: ChainFile,
  rows: ChainRows,
  { historySize, historyRoot }: CheckpointStatement,
  firstLeaf: number,
  { peers, onDamage, onWritten, onProgress }: Mending,
): Promise<boolean> {
  let looked = 0;
  return mendTiles({
    size: historySize,
    root: historyRoot,
    firstLeaf,
    peers,
    read: (level, index) => file.chain.tiles.get(level, index),
    onTile(tile: Tile, isFetched) {
      looked++;
      onProgress('history', looked, null);
      if (!isFetched) return;
      orThrow(rows.writeSoon('mending the history tree', () => rows.putTile(tile)));
      onWritten('history_tiles', 1);
    },
    onDamage: ({ level, index }) => onDamage('history', null, `tile ${level}/${index} does not have its root`),
  });
}

/** Null when the state has the root that was signed; else why not. */
async function mendState(
  file: ChainFile,
  rows: ChainRows,
  { height, stateRoot }: CheckpointStatement,
  mending: Mending,
): Promise<string | null> {
  const { onDamage, onWritten, peers, cache } = mending;
  let misplaced = 0;
  const dropped = rows.write('taking out entries of wrong buckets', () => {
    misplaced = rows.dropMisplaced();
  });
  if (!dropped.ok) return `its state cannot be read: ${dropped.error.message}`;
  if (misplaced > 0) {
    onDamage('state', null, `${misplaced} entries lie in a wrong bucket`);
    onWritten('state', misplaced);
  }
  const local = localStateOf(file);
  if (local === null) return 'its state cannot be read';
  if (equalBytes(local.tree.root(), stateRoot)) return null;
  onDamage('state', height, `the state of height ${height} does not have the root that a quorum signed`);
  for (const peer of peers.inOrder()) {
    const offered = await offeredRoot(peer, mending);
    if (offered === null) continue;
    const onParts = (parts: number): void => mending.onProgress('state', parts, null);
    const fetched = await fetchState(offered, { peer, peers, cache, local, onProgress: onParts });
    if (fetched === null) continue;
    const buckets = bucketsToMend(local.tree, stateRoot, fetched.leaves);
    if (buckets === null) return `its state has damage that the state of height ${offered.height} does not tell apart`;
    const entries = rowsUnder(fetched, new Set(buckets.map(pathOf)), cache);
    let count = 0;
    orThrow(
      rows.write('mending the state', () => {
        count = rows.replaceBuckets(buckets, entries);
      }),
    );
    onWritten('state', count);
    const again = localStateOf(file);
    return again !== null && equalBytes(again.tree.root(), stateRoot)
      ? null
      : 'its state does not keep what is written';
  }
  return 'no peer gives a state';
}

async function offeredRoot(peer: string, { anchor, epochs, peers, verifier }: Mending) {
  const { ledgerHash, genesis } = anchor;
  const { checkpointLag } = genesis.parameters;
  const offered = await peers.askOne(peer, { type: 'request-snapshot', from: toHeight(0) }, (answer) => {
    if (answer.type !== 'snapshot' || answer.snapshot === null) return isNothing;
    const verdict = verifySnapshot(answer.snapshot, { ledgerHash, checkpointLag, epochs, verifier });
    if (verdict.type === 'newer') return isNothing;
    return verdict.type === 'true' ? isTrue(verdict.value) : isWrong(verdict.what);
  });
  return offered.type === 'true' ? { height: offered.value.height, root: offered.value.statement.stateRoot } : null;
}

/** News that cannot be read are taken out: nobody but who executed the block can tell them, and nothing is decided by them. */
function mendNews({ database }: ChainFile, rows: ChainRows, tipHeight: number, { onDamage, onWritten }: Mending): void {
  const stored = database.sqlite.prepare('SELECT height, items FROM news').all() as {
    height: number;
    items: unknown;
  }[];
  for (const { height, items } of stored) {
    if (height <= tipHeight && typeof items === 'string' && textToNews(items) !== null) continue;
    onDamage('block', height, `the news of block ${height} cannot be read`);
    orThrow(rows.write('mending the news', () => rows.dropNews(height)));
    onWritten('news', 1);
  }
}

/** Epochs, targets, floors: what the blocks and the state say of them. Null when they are true; else why not. */
function mendTables(
  file: ChainFile,
  rows: ChainRows,
  top: ChainTop,
  mended: MendedChain,
  founded: number,
  mending: Mending,
): string | null {
  const { anchor, epochs, onDamage, onWritten } = mending;
  const { chain, database } = file;
  const ledgerRow = orNull(() => database.sqlite.prepare("SELECT value FROM meta WHERE key = 'ledger'").get());
  const ledger = (ledgerRow as { value?: unknown } | null | undefined)?.value;
  if (!(ledger instanceof Uint8Array) || !equalBytes(ledger, anchor.ledgerHash)) {
    // Everything in it has just been proven to be of this ledger.
    onDamage('database', null, 'it does not name its ledger');
    orThrow(rows.write('naming the ledger', () => rows.nameLedger(anchor.ledgerHash)));
    onWritten('meta', 1);
  }
  const target = readTarget(chain.store);
  if (founded > 0)
    return areFoundedTablesTrue(file, top, target, mending) ? null : 'its epochs are not those that were signed';

  const { ledgerHash, genesis } = anchor;
  const expected = epochRowsOf({ genesis, ledgerHash, epochs, top }, mended, target.rules);
  if (expected === null) return 'the blocks that its epochs begin from cannot be had';
  const present = expected.epochs.at(-1)!;
  const isPending =
    !equalBytes(target.digest, validatorSetDigest(present.validators)) || target.rules !== present.rules;
  if (isPending) {
    const height = pendingSince(file, top, genesis.parameters.checkpointLag);
    if (height === null) return 'nothing tells since when another validator set is wanted';
    expected.targets.push({ height, validators: target.validators, rules: target.rules });
  }
  const scratch = readTables(file);
  const written = rows.write('mending epochs and floors', () => {
    rows.replaceEpochs(expected.epochs, expected.targets);
    rows.replaceFloors(sortedFloors(mended.floors));
  });
  orThrow(written);
  const now = readTables(file);
  for (const table of ['epochs', 'targets', 'floors'] as const) {
    if (scratch?.[table] === now?.[table]) continue;
    onDamage(table === 'floors' ? 'batch' : 'block', null, `the table ${table} is not what the blocks say`);
    onWritten(table, 1);
  }
  return null;
}

/** The height at which the target changed that has not become a set yet, by what is stored or by the boundary block above. */
function pendingSince({ chain }: ChainFile, { height, above }: ChainTop, lag: number): number | null {
  const boundary = above.find(({ header }) => header.nextSet !== null);
  if (boundary !== undefined) return boundary.header.height - lag;
  const stored = orNull(() => chain.epochs.targetAt(height));
  return stored !== null && stored.height > height - lag && stored.height <= height ? stored.height : null;
}

function areFoundedTablesTrue(
  { chain }: ChainFile,
  { height }: ChainTop,
  target: ReturnType<typeof readTarget>,
  { epochs }: Mending,
): boolean {
  const areEpochsTrue = epochs
    .filter(({ genesisHeight }) => genesisHeight <= height)
    .every(({ epoch, genesisHeight, digest }) => {
      const stored = orNull(() => chain.epochs.of(epoch));
      return stored?.genesisHeight === genesisHeight && equalBytes(stored.digest, digest);
    });
  const wanted = orNull(() => chain.epochs.targetAt(height));
  const set = orNull(() => chain.epochs.at(height + 1));
  return (
    areEpochsTrue &&
    wanted !== null &&
    equalBytes(wanted.digest, target.digest) &&
    wanted.rules === target.rules &&
    set !== null &&
    epochOfHeight(epochs, height + 1).epoch === set.epoch &&
    (isChange(storedToEpochSet(set), wanted) ? wanted.height > 0 : true)
  );
}

function readTables({ database }: ChainFile): Record<'epochs' | 'targets' | 'floors', string> | null {
  const all = (table: string): string =>
    JSON.stringify(
      database.sqlite
        .prepare(`SELECT * FROM ${table} ORDER BY 1, 2`)
        .all()
        .map((row) =>
          Object.values(row).map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value)),
        ),
    );
  return orNull(() => ({ epochs: all('epochs'), targets: all('targets'), floors: all('floors') }));
}

export function sortedFloors(floors: readonly Floor[]): Floor[] {
  return [...floors].sort((a, b) => a.epoch - b.epoch || a.author - b.author);
}
