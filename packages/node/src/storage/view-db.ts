/**
 * view.db: the common view for queries, derived from chain.db, and made again from it when it is missing, behind or
 * another chain's (view-follow.ts). It holds where transactions lie and what became of them, no bytes of theirs.
 *
 * A transaction may stand in the chain more than once. The verdict that used up its counter stands; else the first one
 * does. Every occurrence is kept as a row, and which one stands is decided when it is read.
 */
import { rmSync } from 'node:fs';
import { assert, type Provenance, type Result } from '@cairn-ledger/core';
import { type Database, openDatabase } from './database.ts';
import { earliestBegin, seriesWidths, widthOf } from './series-width.ts';
import type { StorageError } from './storage-error.ts';
import { heightOf, positionOf, type TransactionPlace, transactionNumberOf } from './transaction-place.ts';
import { prepareView, runTransactionsMax, type ViewStatements, viewSchema, viewSchemaVersion } from './view-schema.ts';

/** What one transaction of a block adds to the view. */
export type ViewTransaction = {
  readonly id: Uint8Array;
  /** Place of its batch in the block, and of its bytes in the batch. */
  readonly batch: number;
  readonly offset: number;
  readonly length: number;
  /** Null unless accepted. */
  readonly leafIndex: number | null;
  /** `ok`, or why it was rejected. */
  readonly code: string;
  readonly message: string | null;
  readonly isCounterUsed: boolean;
  /** `member` or `member/device` that signed or was attested; null where the signature did not hold. */
  readonly account: string | null;
  readonly provenance: Provenance | null;
  /** Of an accepted transaction: its readings, all of `account`. Times in ms since 1970. */
  readonly readings: { readonly count: number; readonly timeMinMs: number; readonly timeMaxMs: number } | null;
};

export type ViewBlock = {
  readonly height: number;
  readonly digest: Uint8Array;
  readonly transactions: readonly ViewTransaction[];
};

/** A transaction as the view knows it; `place` says where chain.db has its bytes. */
export type TransactionRow = {
  readonly height: number;
  readonly position: number;
  readonly place: TransactionPlace;
  readonly leafIndex: number | null;
  readonly code: string;
  readonly message: string | null;
  readonly isCounterUsed: boolean;
  readonly account: string | null;
  readonly provenance: Provenance | null;
};

export type ViewProgress = {
  /** The last block applied; -1 before the first. */
  readonly height: number;
  readonly digest: Uint8Array | null;
  /** Occurrences in the chain, of them accepted, and readings of accepted ones. */
  readonly transactions: number;
  readonly accepted: number;
  readonly readings: number;
};

type Run = { readonly run: number; readonly firstNumber: number; readonly timeMin: number; readonly timeMax: number };
type Progress = ViewProgress & { readonly run: number; readonly runSize: number };

/** What the transactions of a block add to the indexes. */
type IndexRows = {
  readonly ids: { readonly prefix: number; readonly number: number }[];
  readonly activity: { readonly account: number; readonly number: number }[];
  readonly series: {
    readonly account: number;
    readonly number: number;
    readonly fromMs: number;
    readonly spanMs: number;
  }[];
  timeMin: number;
  timeMax: number;
  readingsCount: number;
};

const provenances: readonly (Provenance | null)[] = [null, 'device-signed', 'gateway-attested'];
const counterUsedFlag = 4;
const noAccount = 0;
/** Names remembered while writing; beyond, all are forgotten and read again. */
const accountsRemembered = 50_000;

/** Opens the view. A writer replaces a file that is damaged or of another release by an empty one. */
export function openViewDb(path: string, options: { readonly readOnly?: boolean } = {}): Result<ViewDb, StorageError> {
  const readOnly = options.readOnly ?? false;
  const open = (): Result<Database, StorageError> =>
    openDatabase(path, { readOnly, synchronous: 'NORMAL', schema: viewSchema, schemaVersion: viewSchemaVersion });
  let opened = open();
  if (!opened.ok && !readOnly && opened.error.code !== 'storage.failed') {
    removeViewFiles(path);
    opened = open();
  }
  return opened.ok ? { ok: true, value: new ViewDb(opened.value) } : opened;
}

/** Removes a view that nobody has open. */
export function removeViewFiles(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
}

export class ViewDb {
  readonly #database: Database;
  readonly #statements: ViewStatements;
  readonly #accounts = new Map<string, number>();
  readonly #codes = new Map<string, number>();

  constructor(database: Database) {
    this.#database = database;
    this.#statements = prepareView(database.sqlite);
  }

  get path(): string {
    return this.#database.path;
  }

  /** Of the file, in bytes, without its log. */
  sizeBytes(): number {
    return this.#database.sizeBytes();
  }

  get failure(): StorageError | null {
    return this.#database.failure();
  }

  progress(): ViewProgress {
    return this.#progress();
  }

  /** Applies a block. One that was applied before is left alone, so that a block may be handed over again after a crash. */
  applyBlock(block: ViewBlock): Result<void, StorageError> {
    return this.applyBlocks([block]);
  }

  /** Applies blocks in order, in one commit. */
  applyBlocks(blocks: readonly ViewBlock[]): Result<void, StorageError> {
    const result = this.#database.write('writing the view', () => {
      let progress = this.#progress();
      for (const block of blocks) {
        if (block.height <= progress.height) continue;
        assert(progress.height === -1 || block.height === progress.height + 1, 'the view is applied block by block');
        progress = this.#apply(block, progress);
      }
      const { height, digest, run, runSize, transactions, accepted, readings } = progress;
      this.#statements.putProgress.run(height, digest, run, runSize, transactions, accepted, readings);
    });
    if (!result.ok) this.#forgetNames();
    return result;
  }

  /** The transaction at a place of the chain; null when there is none. */
  transactionAt(height: number, position: number): TransactionRow | null {
    return this.byNumber(transactionNumberOf(height, position));
  }

  /** The transactions of a block, by position. */
  transactionsOfBlock(height: number): TransactionRow[] {
    const range = [transactionNumberOf(height, 0), transactionNumberOf(height, 65_535)] as const;
    return (this.#database.read('reading the view', () => this.#statements.between.all(...range)) as Row[]).map(
      readRow,
    );
  }

  transactionCountOf(height: number): number {
    const range = [transactionNumberOf(height, 0), transactionNumberOf(height, 65_535)] as const;
    const row = this.#database.read('reading the view', () => this.#statements.countBetween.get(...range));
    return (row as { count: number }).count;
  }

  byNumber(number: number): TransactionRow | null {
    const row = this.#database.read('reading the view', () => this.#statements.byNumber.get(number)) as Row | undefined;
    return row === undefined ? null : readRow(row);
  }

  /** Transactions whose id begins like this one, oldest first. Others may, so the caller compares whole ids. */
  candidatesFor(id: Uint8Array): TransactionRow[] {
    const rows = this.#database.read('reading the view', () => this.#statements.numbersByPrefix.all(prefixOf(id)));
    return (rows as { number: number }[]).map(({ number }) => this.byNumber(number)!);
  }

  /** Packs of an account that may hold readings from `fromMs` to before `toMs`, behind `after`, by beginning and number. */
  packs(
    account: number,
    range: { readonly fromMs: number; readonly toMs: number },
    after: PackKey | null,
    countMax: number,
  ): PackKey[] {
    let packs: PackKey[] = [];
    const runs = this.#runs().sort((a, b) => a.timeMin - b.timeMin);
    for (const { run, timeMin, timeMax } of runs) {
      if (timeMax < range.fromMs || timeMin >= range.toMs) continue;
      // The runs that follow begin behind what is already enough.
      if (packs.length >= countMax && timeMin > packs.at(-1)!.fromMs) break;
      for (const width of seriesWidths) {
        const beginsFrom = Math.max(earliestBegin(width, range.fromMs), after?.fromMs ?? 0);
        const rows = this.#database.read('reading a series', () =>
          this.#statements.packs.all(
            run,
            account,
            width,
            beginsFrom,
            range.toMs,
            after?.fromMs ?? -1,
            after?.number ?? -1,
            range.fromMs,
            countMax,
          ),
        );
        packs = packs.concat(rows as PackKey[]);
      }
      packs = packs.sort(comparePacks).slice(0, countMax);
    }
    return packs;
  }

  /** Numbers of an account's transactions before a number, newest first. */
  activity(account: number, beforeNumber: number, countMax: number): number[] {
    const numbers: number[] = [];
    for (const { run, firstNumber } of this.#runs()) {
      if (numbers.length >= countMax) break;
      if (firstNumber >= beforeNumber) continue;
      const rows = this.#database.read('reading the view', () =>
        this.#statements.activityBefore.all(run, account, beforeNumber, countMax - numbers.length),
      );
      for (const { number } of rows as { number: number }[]) numbers.push(number);
    }
    return numbers;
  }

  /** The view's own number for an account; null when it has done nothing yet. */
  accountId(name: string): number | null {
    const row = this.#database.read('reading the view', () => this.#statements.accountId.get(name));
    return (row as { id: number } | undefined)?.id ?? null;
  }

  /** Runs reads that all see the same height, also while another thread writes. */
  consistently<T>(read: () => T): T {
    return this.#database.consistently(read);
  }

  close(): void {
    this.#database.close();
  }

  #apply(block: ViewBlock, before: Progress): Progress {
    const { height, digest, transactions } = block;
    if (transactions.length === 0) return { ...before, height, digest };
    const isRunFull = before.runSize >= runTransactionsMax;
    const run = isRunFull ? before.run + 1 : before.run;
    const rows = this.#rowsOf(block);
    this.#insert(run, rows);
    const { timeMin, timeMax, readingsCount } = rows;
    this.#statements.putRun.run(run, transactionNumberOf(height, 0), timeMin, timeMax);
    return {
      height,
      digest,
      run,
      runSize: (isRunFull ? 0 : before.runSize) + transactions.length,
      transactions: before.transactions + transactions.length,
      accepted: before.accepted + transactions.filter(({ leafIndex }) => leafIndex !== null).length,
      readings: before.readings + readingsCount,
    };
  }

  /** Writes the transactions, and gathers their index rows. */
  #rowsOf({ height, transactions }: ViewBlock): IndexRows {
    const { insertTransaction, insertMessage } = this.#statements;
    const rows: IndexRows = {
      ids: [],
      activity: [],
      series: [],
      timeMin: Number.MAX_SAFE_INTEGER,
      timeMax: -1,
      readingsCount: 0,
    };
    for (const [position, transaction] of transactions.entries()) {
      const { id, batch, offset, length, leafIndex, code, message, isCounterUsed, provenance, readings } = transaction;
      const number = transactionNumberOf(height, position);
      const account = transaction.account === null ? noAccount : this.#accountFor(transaction.account);
      const flags = provenances.indexOf(provenance) + (isCounterUsed ? counterUsedFlag : 0);
      insertTransaction.run(number, batch, offset, length, leafIndex, this.#codeFor(code), account, flags);
      if (message !== null) insertMessage.run(number, message);
      rows.ids.push({ prefix: prefixOf(id), number });
      if (account !== noAccount) rows.activity.push({ account, number });
      if (leafIndex === null || readings === null) continue;
      const { count, timeMinMs, timeMaxMs } = readings;
      assert(account !== noAccount && count > 0 && timeMinMs <= timeMaxMs, 'readings are of an account, and of a time');
      rows.series.push({ account, number, fromMs: timeMinMs, spanMs: timeMaxMs - timeMinMs });
      rows.readingsCount += count;
      if (timeMinMs < rows.timeMin) rows.timeMin = timeMinMs;
      if (timeMaxMs > rows.timeMax) rows.timeMax = timeMaxMs;
    }
    return rows;
  }

  /** In the order of each index: about half the cost of the order of the block. */
  #insert(run: number, { ids, activity, series }: IndexRows): void {
    const { insertId, insertActivity, insertSeries } = this.#statements;
    ids.sort((a, b) => a.prefix - b.prefix);
    for (const { prefix, number } of ids) insertId.run(run, prefix, number);
    activity.sort((a, b) => a.account - b.account);
    for (const { account, number } of activity) insertActivity.run(run, account, number);
    series.sort((a, b) => a.account - b.account);
    for (const { account, number, fromMs, spanMs } of series) {
      insertSeries.run(run, account, widthOf(spanMs), fromMs, number, spanMs);
    }
  }

  #progress(): Progress {
    return this.#database.read('reading the view', () => this.#statements.progress.get()) as Progress;
  }

  /** Newest first. */
  #runs(): Run[] {
    return this.#database.read('reading the view', () => this.#statements.runs.all()) as Run[];
  }

  #accountFor(name: string): number {
    const known = this.#accounts.get(name);
    if (known !== undefined) return known;
    const id = this.accountId(name) ?? Number(this.#statements.insertAccount.run(name).lastInsertRowid);
    if (this.#accounts.size >= accountsRemembered) this.#accounts.clear();
    this.#accounts.set(name, id);
    return id;
  }

  #codeFor(code: string): number {
    if (this.#codes.size === 0) {
      for (const row of this.#statements.codes.all() as { id: number; code: string }[])
        this.#codes.set(row.code, row.id);
    }
    const known = this.#codes.get(code);
    if (known !== undefined) return known;
    const id = Number(this.#statements.insertCode.run(code).lastInsertRowid);
    this.#codes.set(code, id);
    return id;
  }

  /** Rows that were rolled back have no ids. */
  #forgetNames(): void {
    this.#accounts.clear();
    this.#codes.clear();
  }
}

/** A row of a series: when its first reading was, and which transaction it is. */
export type PackKey = { readonly fromMs: number; readonly number: number };

export function comparePacks(a: PackKey, b: PackKey): number {
  return a.fromMs - b.fromMs || a.number - b.number;
}

type Row = {
  readonly number: number;
  readonly batch: number;
  readonly offset: number;
  readonly length: number;
  readonly leaf: number | null;
  readonly code: string;
  readonly message: string | null;
  readonly account: string | null;
  readonly flags: number;
};

function readRow(row: Row): TransactionRow {
  const height = heightOf(row.number);
  return {
    height,
    position: positionOf(row.number),
    place: { height, batch: row.batch, offset: row.offset, length: row.length },
    leafIndex: row.leaf,
    code: row.code,
    message: row.message,
    isCounterUsed: (row.flags & counterUsedFlag) !== 0,
    account: row.account,
    provenance: provenances[row.flags & 3] ?? null,
  };
}

/** The first 48 bits of an id: a safe integer, and 6 bytes on disk. */
function prefixOf(id: Uint8Array): number {
  return ((id[0]! << 16) | (id[1]! << 8) | id[2]!) * 2 ** 24 + ((id[3]! << 16) | (id[4]! << 8) | id[5]!);
}
