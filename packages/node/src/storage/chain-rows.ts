/**
 * Single rows of chain.db, put in place of damaged or missing ones. Everywhere else a block is written as a whole and in order;
 * here whoever calls has verified each row by itself, against the digests and roots that a quorum signed.
 */
import {
  encodeCbor,
  ok,
  type Result,
  type StateRow,
  sha256,
  type Tile,
  type Validator,
  validatorToCbor,
} from '@cairn-ledger/core';
import type { Floor, NewBatch, StoredBlock } from './chain-db.ts';
import { batchPartBytes, chainSchemaVersion, partsPerBatchMax, tilesPerLevelMax } from './chain-schema.ts';
import type { Database } from './database.ts';
import type { NewTarget } from './epoch-table.ts';
import { boundariesKey, encodeBoundaries, type KeptBoundary } from './kept-boundaries.ts';
import { bucketOf } from './state-table.ts';
import type { StorageError } from './storage-error.ts';
import { batchesPerBlockMax, batchIdOf } from './transaction-place.ts';

/** An epoch of which everything is known. */
export type WholeEpoch = {
  readonly epoch: number;
  readonly genesisHeight: number;
  readonly digest: Uint8Array;
  readonly timeMs: number;
  readonly validators: readonly Validator[];
  readonly rules: number;
};

export type ChainRows = {
  /** Everything that `action` puts is one transaction. */
  write(doing: string, action: () => void): Result<void, StorageError>;
  /** Like `write`, but durable only with the next `write`, or `endure`: what a power failure takes is mended again. */
  writeSoon(doing: string, action: () => void): Result<void, StorageError>;
  /** Everything that was written is durable from here on. */
  endure(): Result<void, StorageError>;
  putBlock(block: StoredBlock): void;
  putBatch(height: number, place: number, batch: NewBatch): void;
  /** Takes out batches that a block does not list. */
  dropBatches(height: number, fromPlace: number): void;
  /** In place of all rounds that are there. */
  putCheckpoint(height: number, round: number, statement: Uint8Array, signatures: Uint8Array | null): void;
  putTile(tile: Tile): void;
  /** Puts rows in place of everything in these of the 65,536 buckets; returns how many. */
  replaceBuckets(buckets: readonly number[], rows: Iterable<StateRow>): number;
  /** Takes out entries that lie in another bucket than that of their key, or are no bytes; returns how many. */
  dropMisplaced(): number;
  replaceFloors(floors: readonly Floor[]): void;
  replaceEpochs(epochs: readonly WholeEpoch[], targets: readonly NewTarget[]): void;
  putNews(height: number, items: string): void;
  dropNews(height: number): void;
  replaceBoundaries(boundaries: readonly KeptBoundary[]): void;
  /** Says which ledger it is of; what else nobody knows there is taken out. */
  nameLedger(ledgerHash: Uint8Array): void;
};

export function createChainRows({ sqlite, write, writeSoon }: Database): ChainRows {
  let isSoonDurable = false;
  const putBlock = sqlite.prepare(
    `INSERT OR REPLACE INTO blocks (height, digest, header, body, view, finalization, time_ms, history_size, verdicts)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const putBatch = sqlite.prepare(
    'INSERT OR REPLACE INTO batches (id, digest, epoch, author, seq, size) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const dropBatches = sqlite.prepare('DELETE FROM batches WHERE id BETWEEN ? AND ?');
  const dropParts = sqlite.prepare('DELETE FROM batch_parts WHERE id BETWEEN ? AND ?');
  const putPart = sqlite.prepare('INSERT OR REPLACE INTO batch_parts (id, bytes) VALUES (?, ?)');
  const dropCheckpoints = sqlite.prepare('DELETE FROM checkpoints WHERE height = ?');
  const putCheckpoint = sqlite.prepare(
    'INSERT INTO checkpoints (height, round, statement, signatures) VALUES (?, ?, ?, ?)',
  );
  const putTile = sqlite.prepare('INSERT OR REPLACE INTO history_tiles (id, hashes) VALUES (?, ?)');
  const dropBucket = sqlite.prepare('DELETE FROM state WHERE bucket = ?');
  const putState = sqlite.prepare('INSERT OR REPLACE INTO state (key, bucket, value) VALUES (?, ?, ?)');
  const statePage = sqlite.prepare('SELECT key, bucket FROM state WHERE key > ? ORDER BY key LIMIT 1000');
  const dropState = sqlite.prepare('DELETE FROM state WHERE key = ?');
  // The order of texts and numbers is another one, so that no read by key would come by them.
  const dropMistyped = sqlite.prepare(
    `DELETE FROM state WHERE typeof(key) <> 'blob' OR typeof(value) <> 'blob' OR typeof(bucket) <> 'integer'`,
  );
  const putFloor = sqlite.prepare('INSERT INTO floors (epoch, author, seq, digest) VALUES (?, ?, ?, ?)');
  const putEpoch = sqlite.prepare(
    `INSERT INTO epochs (epoch, genesis_height, genesis_digest, genesis_time_ms, validators, rules)
     VALUES (?, ?, ?, ?, ?, ?)`,
  );
  const putTarget = sqlite.prepare('INSERT INTO targets (height, validators, rules) VALUES (?, ?, ?)');
  const putNews = sqlite.prepare('INSERT OR REPLACE INTO news (height, items) VALUES (?, ?)');
  const dropNews = sqlite.prepare('DELETE FROM news WHERE height = ?');
  const partsOf = (id: number): [number, number] => [id * partsPerBatchMax, (id + 1) * partsPerBatchMax - 1];

  return {
    write(doing, action) {
      isSoonDurable = false;
      return write(doing, action);
    },
    writeSoon(doing, action) {
      isSoonDurable = true;
      return writeSoon(doing, action);
    },
    endure() {
      if (!isSoonDurable) return ok(undefined);
      isSoonDurable = false;
      // A commit that changes nothing would not reach the disk, and neither would those before it.
      return write('ending a repair', () => sqlite.exec(`PRAGMA user_version=${chainSchemaVersion}`));
    },
    putBlock({ height, digest, header, body, view, finalization, timeMs, historySize, verdicts }) {
      putBlock.run(height, digest, header, body, view, finalization, timeMs, historySize, verdicts);
    },
    putBatch(height, place, { digest, epoch, author, seq, bytes }) {
      const id = batchIdOf(height, place);
      putBatch.run(id, digest, epoch, author, seq, bytes.length);
      dropParts.run(...partsOf(id));
      for (let part = 0; part * batchPartBytes < bytes.length; part++) {
        putPart.run(id * partsPerBatchMax + part, bytes.subarray(part * batchPartBytes, (part + 1) * batchPartBytes));
      }
    },
    dropBatches(height, fromPlace) {
      if (fromPlace >= batchesPerBlockMax) return;
      const [first, last] = [batchIdOf(height, fromPlace), batchIdOf(height, batchesPerBlockMax - 1)];
      dropBatches.run(first, last);
      dropParts.run(partsOf(first)[0], partsOf(last)[1]);
    },
    putCheckpoint(height, round, statement, signatures) {
      dropCheckpoints.run(height);
      putCheckpoint.run(height, round, statement, signatures);
    },
    putTile({ level, index, hashes }) {
      putTile.run(level * tilesPerLevelMax + index, hashes);
    },
    replaceBuckets(buckets, rows) {
      for (const bucket of buckets) dropBucket.run(bucket);
      let count = 0;
      for (const { key, value } of rows) {
        putState.run(key, bucketOf(sha256(key)), value);
        count++;
      }
      return count;
    },
    dropMisplaced() {
      let after: Uint8Array = new Uint8Array(0);
      let count = Number(dropMistyped.run().changes);
      for (;;) {
        const rows = statePage.all(after) as { key: Uint8Array; bucket: number }[];
        if (rows.length === 0) return count;
        for (const { key, bucket } of rows) {
          if (bucket === bucketOf(sha256(key))) continue;
          dropState.run(key);
          count++;
        }
        after = rows.at(-1)!.key;
      }
    },
    replaceFloors(floors) {
      sqlite.exec('DELETE FROM floors');
      for (const { epoch, author, seq, digest } of floors) putFloor.run(epoch, author, seq, digest);
    },
    replaceEpochs(epochs, targets) {
      sqlite.exec('DELETE FROM epochs; DELETE FROM targets');
      for (const { epoch, genesisHeight, digest, timeMs, validators, rules } of epochs)
        putEpoch.run(epoch, genesisHeight, digest, timeMs, encodeCbor(validators.map(validatorToCbor)), rules);
      for (const { height, validators, rules } of targets)
        putTarget.run(height, encodeCbor(validators.map(validatorToCbor)), rules);
    },
    putNews(height, items) {
      putNews.run(height, items);
    },
    dropNews(height) {
      dropNews.run(height);
    },
    replaceBoundaries(boundaries) {
      sqlite.prepare('DELETE FROM meta WHERE key = ?').run(boundariesKey);
      if (boundaries.length === 0) return;
      sqlite.prepare('INSERT INTO meta (key, value) VALUES (?, ?)').run(boundariesKey, encodeBoundaries(boundaries));
    },
    nameLedger(ledgerHash) {
      sqlite.exec("DELETE FROM meta WHERE key NOT IN ('founded', 'boundaries', 'news')");
      sqlite.prepare("INSERT INTO meta (key, value) VALUES ('ledger', ?)").run(ledgerHash);
    },
  };
}
