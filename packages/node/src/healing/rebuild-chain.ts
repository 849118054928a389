/**
 * A new chain.db in place of one that cannot be mended: founded on a certified snapshot of now, filled with what is true in the old
 * file, and from peers with the rest. Where peers do not hold the blocks of old any more, it stays a chain that begins at
 * its snapshot, as that of a node that has newly joined.
 */
import { type CairnError, ok, type Result, type Tile } from '@cairn-ledger/core';
import { orThrow } from '../failure.ts';
import { ChainDb } from '../storage/chain-db.ts';
import { type ChainRows, createChainRows } from '../storage/chain-rows.ts';
import { chainSchema, chainSchemaVersion } from '../storage/chain-schema.ts';
import { openDatabase } from '../storage/database.ts';
import { textToNews } from '../storage/news-table.ts';
import { type ChainFile, toChainFile } from './chain-file.ts';
import { type ChainTop, orNull } from './chain-top.ts';
import { type ChainMend, epochRowsOf, mendChain } from './mend-chain.ts';
import { leafReader, sortedFloors } from './mend-in-place.ts';
import { localStateOf } from './mend-state.ts';
import { mendTiles } from './mend-tiles.ts';
import type { Mending } from './mending.ts';
import { draftPathOf, replaceDatabase } from './replace-file.ts';
import { type SyncedState, type SyncOptions, syncState } from './sync-state.ts';

export type Rebuilt = {
  readonly height: number;
  /** Whether it has everything from the genesis on. */
  readonly isComplete: boolean;
};

/** Tiles written in one transaction. */
const tilesAtOnce = 256;

/**
 * @param source the old file, as far as SQLite opens it; it is closed before its place is taken
 */
export async function rebuildChain(
  path: string,
  source: ChainFile | null,
  mending: Mending,
  { onReplacing, ...sync }: Pick<SyncOptions, 'from' | 'pauseMs' | 'roundsMax'> & { readonly onReplacing: () => void },
): Promise<Result<Rebuilt, CairnError>> {
  const { anchor, peers, verifier, cache, onProgress } = mending;
  const local = source === null ? null : localStateOf(source);
  const synced = await syncState({
    ...sync,
    anchor,
    peers,
    verifier,
    cache,
    local,
    onProgress: ({ stage, done, total }) => onProgress(stage, done, total),
  });
  if (!synced.ok) return synced;
  const file = newFile(draftPathOf(path), anchor.ledgerHash);
  let isComplete = false;
  try {
    onProgress('writing', 0, null);
    const imported = file.chain.importSnapshot(synced.value.snapshot);
    if (!imported.ok) return imported;
    mending.onWritten('state', countOf(file, 'state'));
    isComplete = await fill(file, source, synced.value, mending);
    file.database.sqlite.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  } finally {
    file.close();
  }
  source?.close();
  onReplacing();
  replaceDatabase(path);
  return ok({ height: synced.value.height, isComplete });
}

/** Nothing of it counts before it is complete, so its commits wait for no disk; the last one does. */
function newFile(path: string, ledgerHash: Uint8Array): ChainFile {
  const settings = { readOnly: false, synchronous: 'NORMAL' as const };
  const file = orThrow(
    openDatabase(path, { ...settings, schema: chainSchema, schemaVersion: chainSchemaVersion }, toChainFile),
  );
  orThrow(new ChainDb(file.database).claimFor(ledgerHash, false));
  return file;
}

/** Everything below the snapshot; false where something could not be had, and nothing of it is kept. */
async function fill(
  file: ChainFile,
  source: ChainFile | null,
  { verified, epochs, snapshot }: SyncedState,
  mending: Mending,
): Promise<boolean> {
  const { anchor, peers, verifier, onProgress } = mending;
  const { genesis, ledgerHash } = anchor;
  const { height, statement, heights, blocksAbove } = verified;
  const rows = createChainRows(file.database);
  const areTilesWhole = await fillTiles(file, source, rows, statement, mending);
  const top: ChainTop = { height, digest: heights.at(-1)!.block.digest, statement, above: blocksAbove };
  const mend: ChainMend = {
    source: source ?? file,
    genesis,
    ledgerHash,
    epochs,
    verifier,
    peers,
    top,
    foundedHeight: 0,
    firstHeight: 0,
    known: new Map(heights.map((each) => [each.statement.height as number, each.statement])),
    leafAt: leafReader(file),
    target: rows,
    writesAll: true,
    onDamage: () => {},
    onWritten: mending.onWritten,
    onHeight: (at) => onProgress('blocks', height - at, height),
  };
  const mended = areTilesWhole ? await mendChain(mend) : null;
  const [target] = snapshot.targets;
  const tables = mended === null ? null : epochRowsOf({ genesis, ledgerHash, epochs, top }, mended, target!.rules);
  const isComplete = mended !== null && mended.unmended.length === 0 && tables !== null;
  orThrow(
    rows.write('finishing the chain', () => {
      if (!isComplete) return rows.dropBelow(heights[0]!.block.header.height, height);
      rows.replaceEpochs(tables.epochs, tables.targets);
      rows.replaceFloors(sortedFloors(mended.floors));
      if (source !== null) copyNews(source, rows, height);
      rows.markComplete();
    }),
  );
  return isComplete;
}

async function fillTiles(
  file: ChainFile,
  source: ChainFile | null,
  rows: ChainRows,
  { historySize, historyRoot }: SyncedState['verified']['statement'],
  { peers, onWritten }: Mending,
): Promise<boolean> {
  let waiting: Tile[] = [];
  const write = (): void => {
    const tiles = waiting;
    waiting = [];
    orThrow(
      rows.write('writing the history tree', () => {
        for (const tile of tiles) rows.putTile(tile);
      }),
    );
    onWritten('history_tiles', tiles.length);
  };
  const isWhole = await mendTiles({
    size: historySize,
    root: historyRoot,
    firstLeaf: 0,
    peers,
    // The right edge came with the snapshot; what lies left of it is in the old file.
    read: (level, index) => file.chain.tiles.get(level, index) ?? source?.chain.tiles.get(level, index) ?? null,
    onTile(tile) {
      waiting.push(tile);
      if (waiting.length >= tilesAtOnce) write();
    },
    onDamage: () => {},
  });
  write();
  return isWhole;
}

/** No hash covers them and nothing is decided by them: what can be read is kept. */
function copyNews({ database }: ChainFile, rows: ChainRows, tipHeight: number): void {
  const stored = orNull(() =>
    database.sqlite.prepare('SELECT height, items FROM news WHERE height <= ?').all(tipHeight),
  );
  for (const { height, items } of (stored ?? []) as { height: number; items: unknown }[])
    if (typeof items === 'string' && textToNews(items) !== null) rows.putNews(height, items);
}

function countOf({ database }: ChainFile, table: string): number {
  return (database.sqlite.prepare(`SELECT COUNT(*) AS count FROM ${table}`).get() as { count: number }).count;
}
