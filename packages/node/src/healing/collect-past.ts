/**
 * The past of a chain that was founded on a certified state: everything from the genesis to the block it was founded at, fetched
 * from peers into a file of its own. From that block down each one is proven by the one above it, and every result by a block
 * that names it, so the file holds nothing that is not true; what it holds of an earlier attempt is not fetched again.
 *
 * The file has the tables of a chain, and at the end all that a chain from the genesis on has but a state.
 */
import { blockFromParts, decodeCheckpointStatement, equalBytes, type Tile, type Verifier } from '@cairn-ledger/core';
import { orThrow } from '../failure.ts';
import { type ChainRows, createChainRows } from '../storage/chain-rows.ts';
import { damageOf } from '../storage/storage-error.ts';
import type { ChainFile } from './chain-file.ts';
import { type ChainTop, orNull } from './chain-top.ts';
import { type KnownEpoch, type SyncAnchor, storedEpochs } from './known-epochs.ts';
import { type ChainMend, epochRowsOf, mendChain } from './mend-chain.ts';
import { isRestartBlock } from './mend-height.ts';
import { leafReader, sortedFloors } from './mend-in-place.ts';
import { mendTiles } from './mend-tiles.ts';
import type { Peers } from './peers.ts';
import type { HealingStage } from './report.ts';

export type PastOptions = {
  /** The chain as it was founded; read only. */
  readonly founded: ChainFile;
  /** Where its past is put. */
  readonly past: ChainFile;
  /** A chain of before that may be damaged: what is true in it is not fetched. */
  readonly source: ChainFile | null;
  readonly anchor: SyncAnchor;
  readonly peers: Peers;
  readonly verifier: Verifier;
  readonly onWritten?: (table: string, count: number) => void;
  /** Told each step. What it throws ends the work; what was collected stays. */
  readonly onProgress?: (stage: HealingStage, done: number, total: number | null) => void;
};

/** Tiles written in one transaction. */
const tilesAtOnce = 256;

/**
 * False where no peer has something of it now. Throws the reason of the peers' signal, and a StorageError where one of the files
 * cannot be read or written.
 */
export async function collectPast(options: PastOptions): Promise<boolean> {
  const { founded, past, source, anchor, peers, verifier, onWritten = () => {} } = options;
  const { genesis, ledgerHash } = anchor;
  const height = founded.chain.foundedHeight();
  const rows = createChainRows(past.database);
  const known = foundationOf(founded, height);
  const { statement } = known.at(-1)!;
  if (!(await collectTiles(options, rows, statement))) return false;
  const epochs = storedEpochs(anchor, founded.chain, verifier);
  const top: ChainTop = { height, digest: known.at(-1)!.block.digest, statement, above: [] };
  const mend: ChainMend = {
    source: past,
    // What was collected before comes before what lies in a chain of old.
    sourceAt: (at) => (source === null || orNull(() => past.chain.blockByHeight(at)) !== null ? past : source),
    genesis,
    ledgerHash,
    epochs,
    verifier,
    peers,
    top,
    foundedHeight: 0,
    firstHeight: 0,
    known: new Map(known.map((each) => [each.statement.height as number, each.statement])),
    leafAt: leafReader(past),
    target: rows,
    writesAll: source !== null,
    onDamage: () => {},
    onWritten,
    onHeight: (at) => options.onProgress?.('blocks', height - at, height),
  };
  const mended = await mendChain(mend);
  if (mended.unmended.length > 0 || !haveFinalizations(past, epochs, mended.boundaries.keys())) return false;
  const { rules } = founded.chain.epochs.at(height + 1);
  const tables = epochRowsOf({ genesis, ledgerHash, epochs, top }, mended, rules ?? 0);
  if (tables === null) return false;
  orThrow(
    rows.write('finishing the past', () => {
      rows.replaceEpochs(tables.epochs, tables.targets);
      rows.replaceFloors(sortedFloors(mended.floors));
    }),
  );
  return true;
}

/** Whoever joins later is shown how an epoch ended; where the members ended it nobody has a finalization. */
function haveFinalizations({ chain }: ChainFile, epochs: readonly KnownEpoch[], boundaries: Iterable<number>): boolean {
  return [...boundaries].every(
    (height) => isRestartBlock(epochs, height) || chain.blockByHeight(height)?.finalization != null,
  );
}

/** The blocks that the chain was founded with, ascending: they were proven then. */
function foundationOf({ chain }: ChainFile, height: number) {
  const first = chain.firstHeight() ?? height;
  return Array.from({ length: height - first + 1 }, (_, i) => {
    const stored = chain.blockByHeight(first + i);
    const block = stored === null ? null : blockFromParts(stored.header, stored.body);
    const statement = decodeCheckpointStatement(chain.checkpoint(first + i)?.statement ?? new Uint8Array(0));
    if (!block?.ok || !statement.ok || !equalBytes(block.value.digest, stored!.digest))
      throw damageOf('block', `block ${first + i}, which the chain was founded with, cannot be read`);
    return { block: block.value, statement: statement.value };
  });
}

async function collectTiles(
  { founded, past, source, peers, onProgress, onWritten = () => {} }: PastOptions,
  rows: ChainRows,
  { historySize, historyRoot }: { readonly historySize: number; readonly historyRoot: Uint8Array },
): Promise<boolean> {
  const sources = [past, founded, ...(source === null ? [] : [source])];
  let waiting: Tile[] = [];
  let looked = 0;
  const write = (): void => {
    const tiles = waiting;
    waiting = [];
    if (tiles.length === 0) return;
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
    read(level, index) {
      for (const { chain } of sources) {
        const hashes = orNull(() => chain.tiles.get(level, index));
        if (hashes !== null) return hashes;
      }
      return null;
    },
    onTile(tile) {
      onProgress?.('history', looked++, null);
      const held = orNull(() => past.chain.tiles.get(tile.level, tile.index));
      if (held !== null && equalBytes(held, tile.hashes)) return;
      waiting.push(tile);
      if (waiting.length >= tilesAtOnce) write();
    },
    onDamage: () => {},
  });
  write();
  return isWhole;
}
