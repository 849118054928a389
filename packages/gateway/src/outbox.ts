/**
 * The outbox: every message a gateway has acknowledged lies here, on disk, until its verdict has been published.
 *
 * One SQLite file, one open process (the lock is exclusive, so that two gateways never share a counter). Everything
 * that arrives during one turn of the event loop, or while a sync is under way, shares one commit and one sync: *group
 * commit*. SQLite writes the commit to its write-ahead log without a sync of its own (`synchronous=NORMAL`); the sync
 * is ours, an asynchronous fdatasync of that log, so that a slow disk never blocks the thread. `add` resolves after it.
 * What `read` returns is durable, so nothing leaves the gateway before it, and its counter, would survive a crash.
 *
 * A failed write or sync is never retried: the outbox has then failed, every `add` is refused, and the gateway stops.
 */

import { mkdirSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type CairnError, fail, ok, type Result } from '@cairn-ledger/core';

const SCHEMA_VERSION = 1;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS counters (kid TEXT PRIMARY KEY, next TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS transactions (
    sequence INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, source TEXT, bytes BLOB NOT NULL
  );
  CREATE TABLE IF NOT EXISTS deliveries (packet_id INTEGER PRIMARY KEY, message BLOB NOT NULL);
`;

export type OutboxOptions = {
  /** Folder of its own; made when absent. */
  readonly directory: string;
  /** Audience text of the ledger; an outbox belongs to one ledger. */
  readonly ledger: string;
  /** The outbox is full at either limit. */
  readonly transactionsMax: number;
  readonly bytesMax: number;
  /** Makes everything written to the log durable. Tests put their own disk here. */
  readonly syncLog?: (log: FileHandle) => Promise<void>;
};

/** A transaction to keep. */
export type NewTransaction = {
  readonly id: Uint8Array;
  readonly bytes: Uint8Array;
  /** `member/device` whose unsigned readings the gateway signed; null for a transaction that came signed. */
  readonly source: string | null;
};

export type OutboxTransaction = NewTransaction & { readonly sequence: number };

/** One MQTT message as the broker will name it when it sends it again: same packet id, same content. */
export type Delivery = { readonly packetId: number; readonly message: Uint8Array };

type Waiter = { readonly resolve: (result: Result<void, CairnError>) => void };

export function openOutbox(options: OutboxOptions): Promise<Result<Outbox, CairnError>> {
  return Outbox.open(options);
}

export class Outbox {
  readonly #database: DatabaseSync;
  readonly #log: FileHandle;
  readonly #options: OutboxOptions;
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #counters = new Map<string, bigint>();
  readonly #changedCounters = new Set<string>();

  #added: OutboxTransaction[] = [];
  #deliveries: Delivery[] = [];
  #removed: number[] = [];
  #waiters: Waiter[] = [];
  #turn: Promise<void> | null = null;
  #lastSequence: number;
  #durableSequence: number;
  #count: number;
  #sizeBytes: number;
  #failure: CairnError | null = null;
  #closed = false;

  static async open(options: OutboxOptions): Promise<Result<Outbox, CairnError>> {
    const file = join(options.directory, 'outbox.db');
    let database: DatabaseSync | null = null;
    try {
      mkdirSync(options.directory, { recursive: true, mode: 0o700 });
      database = new DatabaseSync(file, { timeout: 0 });
      database.exec('PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;');
      database.exec(`PRAGMA cache_size=-4096; BEGIN IMMEDIATE; ${SCHEMA}`);
      const refusal = claimFor(database, options.ledger);
      database.exec('COMMIT');
      if (refusal !== null) {
        database.close();
        return fail(refusal);
      }
      const log = await open(`${file}-wal`, 'r+');
      await log.datasync();
      await syncDirectory(options.directory);
      return ok(new Outbox(database, log, options));
    } catch (cause) {
      database?.close();
      return fail(openingError(file, cause));
    }
  }

  private constructor(database: DatabaseSync, log: FileHandle, options: OutboxOptions) {
    this.#database = database;
    this.#log = log;
    this.#options = options;
    this.#statements = prepareStatements(database);
    const totals = this.#statements.totals.get() as { count: number; sizeBytes: number; last: number };
    this.#count = totals.count;
    this.#sizeBytes = totals.sizeBytes;
    this.#lastSequence = totals.last;
    this.#durableSequence = totals.last;
    for (const row of this.#statements.counters.all() as { kid: string; next: string }[]) {
      this.#counters.set(row.kid, BigInt(row.next));
    }
  }

  /** Transactions kept, also those not yet durable. */
  get count(): number {
    return this.#count;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get isFull(): boolean {
    return this.#count >= this.#options.transactionsMax || this.#sizeBytes >= this.#options.bytesMax;
  }

  /** True when at least a tenth of both limits is free. */
  get hasRoom(): boolean {
    const { transactionsMax, bytesMax } = this.#options;
    return this.#count <= transactionsMax - Math.ceil(transactionsMax / 10) && this.#sizeBytes <= bytesMax * 0.9;
  }

  /** Set once a write or sync has failed; the outbox takes nothing any more. */
  get failure(): CairnError | null {
    return this.#failure;
  }

  /** The next counter of a key, or null when this outbox has never counted for it. */
  nextCounter(kidHex: string): bigint | null {
    return this.#counters.get(kidHex) ?? null;
  }

  /** Where counting starts for a key that this outbox does not know, or must at least be. Never goes back. */
  raiseCounter(kidHex: string, next: bigint): void {
    const known = this.#counters.get(kidHex);
    if (known !== undefined && known >= next) return;
    this.#counters.set(kidHex, next);
    this.#changedCounters.add(kidHex);
  }

  /**
   * Takes a counter for a transaction that the caller adds in the same turn of the event loop: both are then in one
   * commit, and a counter whose transaction may have left the gateway is never given out again.
   */
  takeCounter(kidHex: string): bigint {
    const counter = this.#counters.get(kidHex) ?? 1n;
    this.#counters.set(kidHex, counter + 1n);
    this.#changedCounters.add(kidHex);
    return counter;
  }

  /** True when this message, under this packet id, was the last one recorded under it: the broker repeats itself. */
  hasDelivery(delivery: Delivery): boolean {
    const waiting = this.#deliveries.findLast((other) => other.packetId === delivery.packetId);
    if (waiting !== undefined) return Buffer.compare(waiting.message, delivery.message) === 0;
    const row = this.#statements.delivery.get(delivery.packetId) as { message: Uint8Array } | undefined;
    return row !== undefined && Buffer.compare(row.message, delivery.message) === 0;
  }

  /**
   * Keeps transactions, and remembers the deliveries they came by; resolves when all of it is durable. A transaction
   * that is kept already is not kept twice. Callers stop adding when `isFull`; what is added beyond is still kept.
   */
  add(transactions: readonly NewTransaction[], deliveries: readonly Delivery[]): Promise<Result<void, CairnError>> {
    if (this.#failure !== null || this.#closed) return Promise.resolve(fail(this.#failure ?? closedError()));
    for (const transaction of transactions) {
      this.#lastSequence += 1;
      this.#added.push({ ...transaction, sequence: this.#lastSequence });
      this.#count += 1;
      this.#sizeBytes += transaction.bytes.length;
    }
    for (const delivery of deliveries) this.#deliveries.push(delivery);
    return new Promise((resolve) => {
      this.#waiters.push({ resolve });
      this.#schedule();
    });
  }

  /** Forgets a transaction whose verdict has been published; written with the next commit. */
  remove(transaction: OutboxTransaction): void {
    if (this.#failure !== null || this.#closed) return;
    this.#removed.push(transaction.sequence);
    this.#count -= 1;
    this.#sizeBytes -= transaction.bytes.length;
    this.#schedule();
  }

  /** Durable transactions after a sequence, oldest first: at most `countMax`, and no further one past `bytesMax`. */
  read(afterSequence: number, countMax: number, bytesMax: number): OutboxTransaction[] {
    if (this.#failure !== null || this.#closed) return [];
    const transactions: OutboxTransaction[] = [];
    let bytes = 0;
    for (const row of this.#statements.read.iterate(afterSequence, this.#durableSequence, countMax)) {
      const transaction = row as OutboxTransaction;
      transactions.push(transaction);
      bytes += transaction.bytes.length;
      if (bytes >= bytesMax) break;
    }
    return transactions;
  }

  /** Commits what is waiting and closes. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#turn !== null) await this.#turn;
    await this.#log.close();
    this.#database.close();
  }

  #schedule(): void {
    this.#turn ??= this.#commitUntilIdle();
  }

  async #commitUntilIdle(): Promise<void> {
    await new Promise(setImmediate);
    while (this.#failure === null && (this.#waiters.length > 0 || this.#removed.length > 0)) await this.#commitOnce();
    this.#turn = null;
  }

  async #commitOnce(): Promise<void> {
    const waiters = this.#waiters;
    const lastSequence = this.#lastSequence;
    this.#waiters = [];
    let result: Result<void, CairnError> = ok(undefined);
    try {
      this.#write();
      if (waiters.length > 0) await (this.#options.syncLog ?? syncLog)(this.#log);
      this.#durableSequence = lastSequence;
    } catch (cause) {
      this.#failure = failedError(cause);
      result = fail(this.#failure);
    }
    for (const waiter of waiters) waiter.resolve(result);
    if (!result.ok) for (const waiter of this.#waiters.splice(0)) waiter.resolve(result);
  }

  #write(): void {
    const { insert, deleteOne, putCounter, putDelivery } = this.#statements;
    const added = this.#added;
    const deliveries = this.#deliveries;
    const removed = this.#removed;
    this.#added = [];
    this.#deliveries = [];
    this.#removed = [];
    this.#database.exec('BEGIN IMMEDIATE');
    // Removals first: a transaction that comes again after its verdict was published is kept, and answered, again.
    for (const sequence of removed) deleteOne.run(sequence);
    for (const { sequence, id, source, bytes } of added) {
      if (insert.run(sequence, id, source, bytes).changes === 0) this.#forgetDuplicate(bytes.length);
    }
    for (const { packetId, message } of deliveries) putDelivery.run(packetId, message);
    for (const kid of this.#changedCounters) putCounter.run(kid, String(this.#counters.get(kid)));
    this.#changedCounters.clear();
    this.#database.exec('COMMIT');
  }

  #forgetDuplicate(sizeBytes: number): void {
    this.#count -= 1;
    this.#sizeBytes -= sizeBytes;
  }
}

function prepareStatements(database: DatabaseSync) {
  return {
    totals: database.prepare(
      `SELECT COUNT(*) AS count, COALESCE(SUM(LENGTH(bytes)), 0) AS sizeBytes,
              COALESCE(MAX(sequence), 0) AS last FROM transactions`,
    ),
    counters: database.prepare('SELECT kid, next FROM counters'),
    insert: database.prepare('INSERT OR IGNORE INTO transactions (sequence, id, source, bytes) VALUES (?, ?, ?, ?)'),
    deleteOne: database.prepare('DELETE FROM transactions WHERE sequence = ?'),
    read: database.prepare(
      `SELECT sequence, id, source, bytes FROM transactions
       WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?`,
    ),
    putCounter: database.prepare('INSERT OR REPLACE INTO counters (kid, next) VALUES (?, ?)'),
    putDelivery: database.prepare('INSERT OR REPLACE INTO deliveries (packet_id, message) VALUES (?, ?)'),
    delivery: database.prepare('SELECT message FROM deliveries WHERE packet_id = ?'),
  };
}

/** Marks a new file as this ledger's; names what is wrong with one that belongs to another ledger or release. */
function claimFor(database: DatabaseSync, ledger: string): CairnError | null {
  const put = database.prepare('INSERT OR IGNORE INTO meta (key, value) VALUES (?, ?)');
  const get = database.prepare('SELECT value FROM meta WHERE key = ?');
  put.run('schema', String(SCHEMA_VERSION));
  put.run('ledger', ledger);
  const schema = (get.get('schema') as { value: string }).value;
  const owner = (get.get('ledger') as { value: string }).value;
  if (schema !== String(SCHEMA_VERSION)) {
    return {
      code: 'outbox.wrong-version',
      message: `the outbox has format ${schema}, this release reads ${SCHEMA_VERSION}: empty it with the release that wrote it`,
    };
  }
  if (owner !== ledger) {
    return {
      code: 'outbox.wrong-ledger',
      message: `the outbox belongs to ledger ${owner}, not ${ledger}: give this gateway a folder of its own`,
    };
  }
  return null;
}

function openingError(file: string, cause: unknown): CairnError {
  const text = cause instanceof Error ? cause.message : String(cause);
  if (/locked|busy/i.test(text)) {
    return { code: 'outbox.in-use', message: `${file} is open in another process: stop it, or use another folder` };
  }
  return { code: 'outbox.damaged', message: `${file} cannot be opened: ${text}` };
}

function failedError(cause: unknown): CairnError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return {
    code: 'outbox.failed',
    message: `the outbox could not be written (${text}): make room or replace the disk, then restart the gateway`,
  };
}

function closedError(): CairnError {
  return { code: 'outbox.closed', message: 'the gateway is stopping: send the message again later' };
}

function syncLog(log: FileHandle): Promise<void> {
  return log.datasync();
}

/** Makes the names of the new files durable. Some systems cannot sync a folder; they need no such sync. */
async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  await handle.sync();
  await handle.close();
}
