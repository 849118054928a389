/**
 * chain.db: what this node holds of the chain, durable (architecture.md, "Storage"). Blocks and their batches, the state and
 * the history tree they lead to, and the checkpoints over them. One block is one SQL transaction, so that all of it always
 * belongs to one height.
 *
 * SQLite notices neither bit rot nor tampering. What is read here comes with the digest it must have where there is one
 * (blocks, batches), or is proven by others (state and tiles by the roots of a certified checkpoint); whoever serves or
 * relies on it checks.
 */
import {
  assert,
  type CairnError,
  decodeCheckpointStatement,
  type EntrySource,
  equalBytes,
  fail,
  type ListingStore,
  ok,
  type Result,
  type StateRow,
  sha256,
  type TileStore,
  type TileWrite,
  type TransactionResult,
  type Write,
} from '@cairn-ledger/core';
import type { News } from '../http/news.ts';
import { finishReplacement } from './chain-replacement.ts';
import {
  batchPartBytes,
  type ChainStatements,
  chainSchema,
  chainSchemaVersion,
  partsPerBatchMax,
  prepareChain,
  tilesPerLevelMax,
} from './chain-schema.ts';
import { type LaterRound, putLaterRound, putSignatures } from './checkpoint-rounds.ts';
import { type Database, openDatabase } from './database.ts';
import {
  createEpochTable,
  type EpochTable,
  insertEpoch,
  insertTarget,
  type NewEpoch,
  type NewTarget,
} from './epoch-table.ts';
import { type KeptBoundary, keptBoundariesOf } from './kept-boundaries.ts';
import { foundedHeightOf, newsHeldFromOf } from './meta-heights.ts';
import { insertNews, newsOf } from './news-table.ts';
import { type ChainSnapshot, importSnapshot } from './snapshot-import.ts';
import { createEntrySource, createStateStore, requireRows, writeState } from './state-table.ts';
import { bytesRead, damageOf, StorageError, storageErrorOf } from './storage-error.ts';
import { batchesPerBlockMax, batchIdOf, type TransactionPlace } from './transaction-place.ts';
import { encodeVerdicts } from './verdicts.ts';

/** A batch as a block lists it. `bytes` is the whole encoded batch. */
export type NewBatch = {
  readonly digest: Uint8Array;
  readonly epoch: number;
  readonly author: number;
  readonly seq: number;
  readonly bytes: Uint8Array;
};

/** A finalized block with its outcome. */
export type NewBlock = {
  readonly height: number;
  readonly digest: Uint8Array;
  readonly header: Uint8Array;
  readonly body: Uint8Array;
  /** View of the finalization; 0 where only a descendant has one. */
  readonly view: number;
  readonly finalization: Uint8Array | null;
  readonly timeMs: number;
  /** In the order of the block. */
  readonly batches: readonly NewBatch[];
  /** One for each transaction, in order. */
  readonly results: readonly TransactionResult[];
  readonly writes: readonly Write[];
  readonly tileWrites: readonly TileWrite[];
  /** The own checkpoint statement of this height. */
  readonly statement: Uint8Array;
  /** Of the statement; absent: 0. */
  readonly round?: number;
  /** What the block names in place of an earlier round of its height; absent: nothing. */
  readonly laterRound?: LaterRound | null;
  readonly historySize: number;
  /** The epoch that starts from this block: with the genesis and with a boundary block. */
  readonly epochStart: NewEpoch | null;
  /** The target after this height, where it is another one than before; with the genesis always. */
  readonly target: Omit<NewTarget, 'height'> | null;
  /** What execution tells of it besides verdicts; absent: nothing. */
  readonly news?: readonly News[];
};

export type StoredBlock = {
  readonly height: number;
  /** SHA-256 of `header`, as it was when written. */
  readonly digest: Uint8Array;
  readonly header: Uint8Array;
  readonly body: Uint8Array;
  readonly view: number;
  readonly finalization: Uint8Array | null;
  readonly timeMs: number;
  /** Leaves of the history tree after this block. */
  readonly historySize: number;
  /** See verdicts.ts. */
  readonly verdicts: Uint8Array;
};

export type StoredBatch = NewBatch & { readonly height: number };

/** The last batch of an author that a block of an epoch lists (protocol.md section 2). */
export type Floor = {
  readonly epoch: number;
  /** Index in the set of that epoch. */
  readonly author: number;
  readonly seq: number;
  readonly digest: Uint8Array;
};

export type StoredCheckpoint = {
  readonly height: number;
  readonly round: number;
  readonly statement: Uint8Array;
  /** A quorum's, as handed to `putCertified`; null until then. */
  readonly signatures: Uint8Array | null;
};

export type ChainDbOptions = {
  readonly readOnly?: boolean;
  /** The file must be of this ledger; a new one becomes so. */
  readonly ledgerHash?: Uint8Array;
  /** Beyond this the disk counts as full; without it the disk itself is the limit. */
  readonly sizeBytesMax?: number;
};

export function openChainDb(path: string, options: ChainDbOptions = {}): Result<ChainDb, StorageError> {
  const isReadOnly = options.readOnly ?? false;
  try {
    if (!isReadOnly) finishReplacement(path);
  } catch (cause) {
    return fail(storageErrorOf(`opening ${path}`, cause));
  }
  const opened = openDatabase(
    path,
    {
      readOnly: isReadOnly,
      synchronous: 'FULL',
      schema: chainSchema,
      schemaVersion: chainSchemaVersion,
      sizeBytesMax: options.sizeBytesMax,
    },
    (database) => new ChainDb(database),
  );
  if (!opened.ok || options.ledgerHash === undefined) return opened;
  const chain = opened.value;
  const claimed = chain.claimFor(options.ledgerHash, isReadOnly);
  if (claimed.ok) return ok(chain);
  chain.close();
  return claimed;
}

export class ChainDb {
  readonly #database: Database;
  readonly #statements: ChainStatements;
  /** The state after the last block. Reads throw a StorageError. */
  readonly store: ListingStore;
  /** The state as the state tree wants it. */
  readonly entries: EntrySource;
  readonly tiles: TileStore;
  readonly epochs: EpochTable;

  constructor(database: Database) {
    this.#database = database;
    this.#statements = prepareChain(database.sqlite);
    this.store = createStateStore(database, this.#statements);
    this.entries = createEntrySource(database, this.#statements);
    this.tiles = { get: (level, index) => this.#tile(level, index) };
    this.epochs = createEpochTable(database, this.#statements);
  }

  /** Whether anybody else has written to the file while it was open here. */
  isWrittenElsewhere(): boolean {
    return this.#database.isWrittenElsewhere();
  }

  /** Of the file, in bytes, without its log. */
  sizeBytes(): number {
    return this.#database.sizeBytes();
  }

  /** Set once a write has failed: nothing is written any more. */
  get failure(): StorageError | null {
    return this.#database.failure();
  }

  /** Writes a block and everything that follows from it, durable when this returns. */
  commitBlock(block: NewBlock): Result<void, StorageError> {
    return this.#database.write(`writing block ${block.height}`, () => {
      const { height: tipHeight } = this.#statements.tipHeight.get() as { height: number | null };
      assert(tipHeight === null || block.height === tipHeight + 1, 'blocks are committed in order');
      assert(block.batches.length <= batchesPerBlockMax, 'a block lists at most 64 batches');
      const { insertBlock, putTile, insertCheckpoint } = this.#statements;
      const { height, digest, header, body, view, finalization, timeMs, historySize } = block;
      insertBlock.run(
        height,
        digest,
        header,
        body,
        view,
        finalization,
        timeMs,
        historySize,
        encodeVerdicts(block.results),
      );
      for (const [i, batch] of block.batches.entries()) this.#insertBatch(batchIdOf(height, i), batch);
      writeState(this.#statements, block.writes);
      for (const { level, index, hashes } of block.tileWrites) putTile.run(tileIdOf(level, index), hashes);
      insertCheckpoint.run(height, block.round ?? 0, block.statement, null);
      if (block.laterRound != null) putLaterRound(this.#statements, block.laterRound);
      if (block.epochStart !== null) insertEpoch(this.#statements, block.epochStart);
      if (block.target !== null) insertTarget(this.#statements, { height, ...block.target });
      insertNews(this.#statements, height, block.news ?? []);
    });
  }

  /**
   * Founds a new chain at the snapshot's height, durable when this returns. What is in it must be verified; what can be told
   * from the snapshot itself is checked once more as it is written.
   *
   * Errors: `snapshot.differs` (nothing is written, and the database can still be used), and those of a failed write.
   */
  importSnapshot(snapshot: ChainSnapshot): Result<void, CairnError> {
    return importSnapshot(this, this.#database, this.#statements, snapshot);
  }

  /** The highest block; null in a new database. */
  tip(): StoredBlock | null {
    return this.#block(() => this.#statements.tip.get());
  }

  /**
   * The height that this chain was founded at from a snapshot; 0 where it has everything from the genesis on. Of this height
   * and the ones below it batches, verdicts and history are not held.
   */
  foundedHeight(): number {
    return foundedHeightOf(this.#database, this.#statements);
  }

  /** The lowest height whose news are held: those of blocks that came from peers with their results nobody can tell here. */
  newsHeldFrom(): number {
    return newsHeldFromOf(this.#database, this.#statements);
  }

  /** Boundary blocks below the ones held, of a chain that was founded above them; see kept-boundaries.ts. */
  keptBoundaries(): KeptBoundary[] {
    return keptBoundariesOf(this.#database, this.#statements);
  }

  /** The lowest height held; null in a new database. */
  firstHeight(): number | null {
    const row = this.#database.read('reading blocks', () => this.#statements.firstHeight.get());
    return (row as { height: number | null }).height;
  }

  blockByHeight(height: number): StoredBlock | null {
    return this.#block(() => this.#statements.blockByHeight.get(height));
  }

  blockByDigest(digest: Uint8Array): StoredBlock | null {
    return this.#block(() => this.#statements.blockByDigest.get(digest));
  }

  /** The block at this height or the next one above it that has a finalization of its own, which covers it. */
  finalizedFrom(height: number): StoredBlock | null {
    return this.#block(() => this.#statements.finalizedFrom.get(height));
  }

  /** The highest block above a height that has a finalization of its own; null before the first. */
  latestFinalized(aboveHeight = 0): StoredBlock | null {
    return this.#block(() => this.#statements.latestFinalized.get(aboveHeight));
  }

  /** The last listed batch of each author of an epoch, by index. */
  floors(epoch: number): Floor[] {
    return this.#database.read('reading the floors', () => this.#statements.floors.all(epoch)) as Floor[];
  }

  /** Leaves of the history tree after a height; 0 for the one before the first. */
  historySizeAt(height: number): number {
    const row = this.#database.read('reading blocks', () => this.#statements.historySize.get(height));
    return (row as { historySize: number } | undefined)?.historySize ?? 0;
  }

  batchByDigest(digest: Uint8Array): StoredBatch | null {
    return this.#database.read('reading a batch', () => {
      const row = this.#statements.batchByDigest.get(digest) as BatchRow | undefined;
      return row === undefined ? null : this.#completeBatch(row);
    });
  }

  /** The batches of a block, in its order. */
  batchesOf(height: number): StoredBatch[] {
    return this.#database.read(`reading the batches of block ${height}`, () => {
      const rows = this.#statements.batchesBetween.all(batchIdOf(height, 0), batchIdOf(height, batchesPerBlockMax - 1));
      return (rows as BatchRow[]).map((row) => this.#completeBatch(row));
    });
  }

  /** A part of a batch, of `batchPartBytes` except for the last one. */
  batchPart(height: number, batch: number, part: number): Uint8Array | null {
    const id = batchIdOf(height, batch) * partsPerBatchMax + part;
    const row = this.#database.read('reading a batch', () => this.#statements.part.get(id));
    return row === undefined ? null : bytesRead((row as { bytes: unknown }).bytes, 'batch', `a part of batch ${id}`);
  }

  /** The bytes of one transaction, exactly as ordered; null where nothing is stored. To be checked against its id. */
  transactionBytes({ height, batch, offset, length }: TransactionPlace): Uint8Array | null {
    return this.#database.read('reading a transaction', () => {
      const firstPart = batchIdOf(height, batch) * partsPerBatchMax;
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const at = offset + done;
        const within = at % batchPartBytes;
        const wanted = Math.min(length - done, batchPartBytes - within);
        const id = firstPart + Math.floor(at / batchPartBytes);
        const row = this.#statements.slice.get(within + 1, wanted, id) as { bytes: Uint8Array } | undefined;
        if (row === undefined || row.bytes.length !== wanted) return null;
        bytes.set(row.bytes, done);
        done += wanted;
      }
      return bytes;
    });
  }

  /** The state whose key hashes begin with these 16 bits, in any order. */
  stateBucket(bucket: number): StateRow[] {
    return requireRows(this.#database.read('reading a state bucket', () => this.#statements.bucket.all(bucket)));
  }

  /** What execution told of a block; none for one that is not held, null where it cannot be read any more. */
  newsOf(height: number): News[] | null {
    return newsOf(this.#database, this.#statements, height);
  }

  /** The lowest height above this one that has something to tell; null when none has. */
  nextNewsHeight(height: number): number | null {
    const row = this.#database.read('reading news', () => this.#statements.nextNews.get(height));
    return (row as { height: number | null }).height;
  }

  /** The checkpoint of a height, of its highest round. */
  checkpoint(height: number): StoredCheckpoint | null {
    return this.#checkpoint(() => this.#statements.checkpoint.get(height));
  }

  latestCertified(): StoredCheckpoint | null {
    return this.#checkpoint(() => this.#statements.latestCertified.get());
  }

  /** The lowest certified one at or above a height: it covers what the height holds. */
  certifiedFrom(height: number): StoredCheckpoint | null {
    return this.#checkpoint(() => this.#statements.certifiedFrom.get(height));
  }

  /** The highest certified one of these heights, both included. */
  certifiedBetween(first: number, last: number): StoredCheckpoint | null {
    return this.#checkpoint(() => this.#statements.certifiedBetween.get(first, last));
  }

  /**
   * Heights of boundary blocks of whose checkpoints no quorum's signatures are kept yet, ascending. They are what proves
   * the epoch behind them, so they must be had even when a higher checkpoint is certified.
   */
  openBoundaries(): number[] {
    const rows = this.#database.read('reading the epochs', () => this.#statements.openBoundaries.all());
    return (rows as { height: number }[]).map(({ height }) => height);
  }

  /** The lowest height whose checkpoint is not certified; null when all are. */
  lowestUncertified(): number | null {
    const row = this.#database.read('reading checkpoints', () => this.#statements.lowestUncertified.get());
    return (row as { height: number | null }).height;
  }

  /**
   * Keeps a quorum's signatures of a checkpoint. They can be asked from peers again, so this commit costs no sync of its
   * own: it is durable with the next block.
   */
  putCertified(height: number, round: number, signatures: Uint8Array): Result<void, StorageError> {
    return this.#database.writeSoon(`writing the checkpoint of ${height}`, () => {
      putSignatures(this.#statements, height, round, signatures);
    });
  }

  /** Runs reads that all see the same height, also while another thread commits. */
  consistently<T>(read: () => T): T {
    return this.#database.consistently(read);
  }

  close(): void {
    this.#database.close();
  }

  /** Marks a new file as this ledger's, and refuses another one's. */
  claimFor(ledgerHash: Uint8Array, isReadOnly: boolean): Result<void, StorageError> {
    const row = this.#statements.getMeta.get('ledger') as { value: Uint8Array } | undefined;
    const isNew = row === undefined && this.tip() === null;
    if (isNew && !isReadOnly) {
      return this.#database.write(
        'writing the ledger hash',
        () => void this.#statements.putMeta.run('ledger', ledgerHash),
      );
    }
    if (row !== undefined && equalBytes(row.value, ledgerHash)) return ok(undefined);
    const { path } = this.#database;
    if (this.#isOf(ledgerHash))
      return fail(damageOf('database', `${path} names another ledger than its blocks are of`));
    const message = `${path} belongs to another ledger: give this node a data folder of its own`;
    return fail(new StorageError('storage.foreign', message));
  }

  /** Whether its last result is one of this ledger, whatever the file says of itself. */
  #isOf(ledgerHash: Uint8Array): boolean {
    const tip = this.#statements.tipHeight.get() as { height: number | null };
    const stored = tip.height === null ? null : this.checkpoint(tip.height);
    const statement = stored === null ? null : decodeCheckpointStatement(stored.statement);
    return statement?.ok === true && equalBytes(statement.value.ledgerHash, ledgerHash);
  }

  #insertBatch(id: number, { digest, epoch, author, seq, bytes }: NewBatch): void {
    assert(bytes.length <= batchPartBytes * partsPerBatchMax, 'a batch has at most 128 parts');
    this.#statements.insertBatch.run(id, digest, epoch, author, seq, bytes.length);
    this.#statements.putFloor.run(epoch, author, seq, digest);
    for (let part = 0; part * batchPartBytes < bytes.length; part++) {
      const piece = bytes.subarray(part * batchPartBytes, (part + 1) * batchPartBytes);
      this.#statements.insertPart.run(id * partsPerBatchMax + part, piece);
    }
  }

  #completeBatch({ id, size, digest, epoch, author, seq }: BatchRow): StoredBatch {
    const bytes = new Uint8Array(size);
    for (let part = 0; part * batchPartBytes < size; part++) {
      const row = this.#statements.part.get(id * partsPerBatchMax + part) as { bytes: Uint8Array } | undefined;
      const expected = Math.min(batchPartBytes, size - part * batchPartBytes);
      if (row?.bytes.length !== expected) {
        throw new StorageError('storage.damaged', `a part of batch ${id} is not whole: repair it from peers`);
      }
      bytes.set(bytesRead(row.bytes, 'batch', `a part of batch ${id}`), part * batchPartBytes);
    }
    return { height: Math.floor(id / batchesPerBlockMax), digest, epoch, author, seq, bytes };
  }

  #tile(level: number, index: number): Uint8Array | null {
    const row = this.#database.read('reading the history tree', () =>
      this.#statements.tile.get(tileIdOf(level, index)),
    );
    if (row === undefined) return null;
    return bytesRead((row as { hashes: unknown }).hashes, 'history', `tile ${level}/${index}`);
  }

  #block(get: () => unknown): StoredBlock | null {
    const row = this.#database.read('reading a block', get) as StoredBlock | undefined;
    if (row === undefined) return null;
    const { digest, header, body, verdicts, finalization } = row;
    for (const bytes of [digest, header, body, verdicts, finalization ?? digest])
      bytesRead(bytes, 'block', `block ${row.height}`);
    return { ...row };
  }

  #checkpoint(get: () => unknown): StoredCheckpoint | null {
    const row = this.#database.read('reading a checkpoint', get) as StoredCheckpoint | undefined;
    if (row === undefined) return null;
    const { height, statement, signatures } = row;
    for (const bytes of [statement, signatures ?? statement])
      bytesRead(bytes, 'checkpoint', `the checkpoint of height ${height}`);
    return { ...row };
  }
}

/** What is stored of a batch but its bytes: where it is, and how many they are. */
export type BatchRow = Omit<NewBatch, 'bytes'> & { readonly id: number; readonly size: number };

function tileIdOf(level: number, index: number): number {
  assert(level < 256 && index < tilesPerLevelMax, 'a tile lies within a tree of 2^52 leaves');
  return level * tilesPerLevelMax + index;
}

/** Whether the stored header still has the digest it was stored under. The genesis block has no header. */
export function isBlockIntact({ height, header, digest }: StoredBlock): boolean {
  return height === 0 || equalBytes(sha256(header), digest);
}
