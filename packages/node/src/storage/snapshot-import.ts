/**
 * Founds a chain database at a height above 0, from what a new node has had from peers and verified (protocol.md section 7):
 * the state of that height and the right edge of the history tree, and of the chain the last blocks alone.
 *
 * The checkpoint lag L says how many: the block above needs the results of L heights below it. Of those blocks the batches are
 * not held, nor anything older: what was in them is asked from other nodes.
 *
 * The roots are worked out again from what was written, before it is committed. So what stands here at the end is what a
 * quorum signed, whatever went wrong on the way.
 */
import {
  blockFromParts,
  type CairnError,
  type CheckpointStatement,
  createHistoryTree,
  createStateTree,
  decodeCheckpointStatement,
  encodeCbor,
  equalBytes,
  fail,
  type Result,
  sha256,
  type TileWrite,
  validatorSetDigest,
} from '@cairn-ledger/core';
import type { ChainDb, Floor } from './chain-db.ts';
import { type ChainStatements, tilesPerLevelMax } from './chain-schema.ts';
import type { Database } from './database.ts';
import { insertEpoch, insertTarget, type NewEpoch, type NewTarget } from './epoch-table.ts';
import { boundariesKey, encodeBoundaries, type KeptBoundary } from './kept-boundaries.ts';
import { bucketOf } from './state-table.ts';

export type SnapshotBlock = {
  readonly header: Uint8Array;
  readonly body: Uint8Array;
  /** View of the finalization; 0 where there is none of its own. */
  readonly view: number;
  readonly finalization: Uint8Array | null;
  /** Encoded checkpoint statement of this height. */
  readonly statement: Uint8Array;
  /** A quorum's, as `ChainDb.putCertified` takes them; null where only a higher height is certified. */
  readonly signatures: Uint8Array | null;
};

export type SnapshotEpoch = NewEpoch & {
  /** A restart document alone proves it. */
  readonly isDecided?: boolean;
  /**
   * Checkpoint of `genesisHeight`, with the signatures of the epoch before over it; null for epoch 1, and for one that is proven
   * by a restart document alone.
   */
  readonly boundary: {
    readonly statement: Uint8Array;
    readonly signatures: Uint8Array;
    /** The block itself, where it is known and lies below those of the snapshot: it is kept for who joins later. */
    readonly block: KeptBoundary | null;
  } | null;
};

export type ChainSnapshot = {
  /** Of the heights H - L to H, ascending, all above 0. The last one is certified; its height is the snapshot's. */
  readonly blocks: readonly SnapshotBlock[];
  /** All of them, ascending: from 1 to the one that the block above H belongs to. Of that one, everything is known. */
  readonly epochs: readonly SnapshotEpoch[];
  /** The target as it was after height H - L, and each change up to H; ascending by height. */
  readonly targets: readonly NewTarget[];
  /** After H: of the last epoch, and of the one before it as far as they are known. */
  readonly floors: readonly Floor[];
  /** Every entry of the state after H, each key once, in any order; read while it is written. */
  readonly state: Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>;
  /** Of the history tree after H: of each level at least the tile that is not full, as long as it is then. */
  readonly tiles: Iterable<TileWrite>;
};

/** Leaves nothing written. */
class SnapshotRefused extends Error {}

/** See `ChainDb.importSnapshot`. */
export function importSnapshot(
  chain: ChainDb,
  database: Database,
  statements: ChainStatements,
  snapshot: ChainSnapshot,
): Result<void, CairnError> {
  try {
    return database.write('writing the snapshot', () =>
      refuseRepeated(() => {
        requireTrue(chain.tip() === null && chain.epochs.latest() === null, 'the database is not new');
        const statement = writeBlocks(statements, snapshot);
        writeEpochs(statements, snapshot, statement);
        for (const { epoch, author, seq, digest } of snapshot.floors)
          statements.putFloor.run(epoch, author, seq, digest);
        for (const { key, value } of snapshot.state) statements.insertState.run(key, bucketOf(sha256(key)), value);
        for (const { level, index, hashes } of snapshot.tiles) {
          statements.putTile.run(level * tilesPerLevelMax + index, hashes);
        }
        statements.putMeta.run('founded', encodeCbor(statement.height));
        requireRoots(chain, statement);
      }),
    );
  } catch (cause) {
    if (!(cause instanceof SnapshotRefused)) throw cause;
    return fail({ code: 'snapshot.differs', message: `the snapshot is not what was signed: ${cause.message}` });
  }
}

const sqliteConstraint = 19;

/** A row that is there twice is no failure of the disk. */
function refuseRepeated(action: () => void): void {
  try {
    action();
  } catch (cause) {
    if ((((cause as { errcode?: number } | null)?.errcode ?? 0) & 0xff) !== sqliteConstraint) throw cause;
    throw new SnapshotRefused('it has something twice');
  }
}

/** Returns the statement of the last one. */
function writeBlocks(statements: ChainStatements, { blocks }: ChainSnapshot): CheckpointStatement {
  let last: { readonly statement: CheckpointStatement; readonly digest: Uint8Array } | null = null;
  for (const { header, body, view, finalization, statement: statementBytes, signatures } of blocks) {
    const block = blockFromParts(header, body);
    requireTrue(block.ok, 'a block cannot be read');
    const { height, parent, timeMs, epoch } = block.value.header;
    const decoded = decodeCheckpointStatement(statementBytes);
    requireTrue(decoded.ok, `the checkpoint of height ${height} cannot be read`);
    const statement = decoded.value;
    requireTrue(height > 0, 'the genesis is no block');
    requireTrue(
      statement.height === height && statement.epoch === epoch,
      `the checkpoint of height ${height} is of another one`,
    );
    const follows = last === null || (height === last.statement.height + 1 && equalBytes(parent, last.digest));
    requireTrue(follows, `block ${height} does not follow the one before it`);
    const { digest } = block.value;
    const verdicts = encodeCbor([]);
    const { historySize } = statement;
    statements.insertBlock.run(height, digest, header, body, view, finalization, timeMs, historySize, verdicts);
    statements.insertCheckpoint.run(height, statement.round, statementBytes, signatures);
    last = { statement, digest };
  }
  requireTrue(last !== null, 'it has no block');
  requireTrue(blocks.at(-1)!.signatures !== null, 'its last block is not certified');
  return last.statement;
}

function writeEpochs(
  statements: ChainStatements,
  { epochs, targets, blocks }: ChainSnapshot,
  { height, validatorSet }: CheckpointStatement,
): void {
  const first = height - blocks.length + 1;
  for (const [i, epoch] of epochs.entries()) {
    const above = epochs[i - 1]?.genesisHeight ?? -1;
    const isInOrder = epoch.epoch === i + 1 && epoch.genesisHeight > above && epoch.genesisHeight <= height;
    requireTrue(isInOrder && (i > 0 || epoch.genesisHeight === 0), `epoch ${epoch.epoch} does not belong there`);
    insertEpoch(statements, epoch);
    const isWithout = i === 0 || epoch.isDecided === true;
    requireTrue(
      (epoch.boundary === null) === isWithout,
      `epoch ${epoch.epoch} begins with the signatures of the one before`,
    );
    // That of a block held here was written with it.
    if (epoch.boundary === null) continue;
    const { statement, signatures } = epoch.boundary;
    const { genesisHeight } = epoch;
    const decoded = decodeCheckpointStatement(statement);
    requireTrue(decoded.ok, `the checkpoint of height ${genesisHeight} cannot be read`);
    const { round } = decoded.value;
    if (genesisHeight < first) statements.insertCheckpoint.run(genesisHeight, round, statement, signatures);
    else statements.certify.run(signatures, genesisHeight, round);
  }
  const kept = epochs.flatMap((epoch) => keptOf(epoch, first));
  if (kept.length > 0) statements.putMeta.run(boundariesKey, encodeBoundaries(kept));
  const last = epochs.at(-1);
  requireTrue(last !== undefined && last.genesis !== null, 'the last epoch is not known in full');
  requireTrue(
    equalBytes(validatorSetDigest(last.validators), validatorSet),
    'the set of the last epoch is not the one that signs next',
  );
  for (const target of targets) insertTarget(statements, target);
  const areInOrder = targets.every(
    (target, i) => target.height <= (i === 0 ? first : height) && target.height > (targets[i - 1]?.height ?? -1),
  );
  requireTrue(targets.length > 0 && areInOrder, 'the target is not told for all its blocks');
}

function keptOf({ epoch, genesisHeight, genesis, validators, boundary }: SnapshotEpoch, first: number): KeptBoundary[] {
  const kept = boundary?.block ?? null;
  if (kept === null || genesisHeight >= first) return [];
  const { header, digest } = kept.block;
  const isOfIt =
    header.height === genesisHeight &&
    header.nextSet !== null &&
    equalBytes(header.nextSet, validatorSetDigest(validators)) &&
    (genesis === null || equalBytes(genesis.digest, digest));
  requireTrue(isOfIt, `the block that epoch ${epoch} began from is another one`);
  return [kept];
}

/** What was written gives the roots that a quorum signed. */
function requireRoots(chain: ChainDb, { historySize, historyRoot, stateRoot }: CheckpointStatement): void {
  requireTrue(equalBytes(createStateTree(chain.entries).root(), stateRoot), 'its entries give another state root');
  let root: Uint8Array | null = null;
  try {
    root = createHistoryTree(chain.tiles, historySize).root();
  } catch {
    // A tile is missing or too short, which the tree takes for a bug of ours.
  }
  requireTrue(root !== null && equalBytes(root, historyRoot), 'its tiles give another history root');
}

function requireTrue(condition: boolean, what: string): asserts condition {
  if (!condition) throw new SnapshotRefused(what);
}
