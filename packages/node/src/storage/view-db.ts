/**
 * view.db: the common view for queries, derived from chain.db, and made again from it when it is missing, behind or
 * another chain's (view-follow.ts). It holds where transactions lie and what became of them, no bytes of theirs.
 *
 * A transaction may stand in the chain more than once. The verdict that used up its counter stands; else the first one
 * does. Every occurrence is kept as a row, and which one stands is decided when it is read.
 */
import { rmSync } from 'node:fs';
import type { Provenance, Result } from '@cairn-ledger/core';
import { type Database, openDatabase } from './database.ts';
import { earliestBegin, seriesWidths, widthOf } from './series-width.ts';
import { damageOf, type StorageError } from './storage-error.ts';
import {
  batchesPerBlockMax,
  heightOf,
  positionOf,
  type TransactionPlace,
  transactionNumberOf,
} from './transaction-place.ts';
import { readViewRow, viewRowBytes } from './view-rows.ts';
import { prepareView, type ViewStatements, viewSchema, viewSchemaVersion } from './view-schema.ts';
import { createViewWriter, idPrefixOf, noAccount, type ViewWriter } from './view-writer.ts';

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

/** Opens the view. A writer replaces a file that is damaged or of another release by an empty one. */
export function openViewDb(path: string, options: { readonly readOnly?: boolean } = {}): Result<ViewDb, StorageError> {
  const readOnly = options.readOnly ?? false;
  const schema = { schema: viewSchema, schemaVersion: viewSchemaVersion };
  const open = (): Result<ViewDb, StorageError> =>
    openDatabase(path, { readOnly, synchronous: 'NORMAL', ...schema }, (database) => new ViewDb(database));
  const opened = open();
  if (opened.ok || readOnly || opened.error.code === 'storage.failed') return opened;
  removeViewFiles(path);
  return open();
}

/** Removes a view that nobody has open. */
export function removeViewFiles(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
}

export class ViewDb {
  readonly #database: Database;
  readonly #statements: ViewStatements;
  readonly #writer: ViewWriter;
  readonly #codes: Names;
  readonly #accounts: Names;

  constructor(database: Database) {
    this.#database = database;
    this.#statements = prepareView(database.sqlite);
    this.#writer = createViewWriter(this.#statements);
    this.#codes = createNames(this.#statements.code);
    this.#accounts = createNames(this.#statements.accountName);
  }

  get path(): string {
    return this.#database.path;
  }

  /** Whether anybody else has written to the file while it was open here. */
  isWrittenElsewhere(): boolean {
    return this.#database.isWrittenElsewhere();
  }

  /** Of the file, in bytes, without its log. */
  sizeBytes(): number {
    return this.#database.sizeBytes();
  }

  get failure(): StorageError | null {
    return this.#database.failure();
  }

  progress(): ViewProgress {
    return this.#database.read('reading the view', () => this.#statements.progress.get()) as ViewProgress;
  }

  /** Applies a block. One that was applied before is left alone, so that a block may be handed over again after a crash. */
  applyBlock(block: ViewBlock): Result<void, StorageError> {
    return this.applyBlocks([block]);
  }

  /** Applies blocks in order, in one commit. */
  applyBlocks(blocks: readonly ViewBlock[]): Result<void, StorageError> {
    return this.#database.write('writing the view', () => this.#writer.apply(blocks));
  }

  /** The transaction at a place of the chain; null when there is none. */
  transactionAt(height: number, position: number): TransactionRow | null {
    return this.#database.read('reading the view', () => {
      const start = position * viewRowBytes + 1;
      const block = blockRow(this.#statements.blockSlice.get(start, viewRowBytes, height), height);
      return block === null || block.rows.length < viewRowBytes ? null : this.#readRow(block, height, position, 0);
    });
  }

  /** The transactions of a block, by position. */
  transactionsOfBlock(height: number): TransactionRow[] {
    return this.#database.read('reading the view', () => {
      const block = blockRow(this.#statements.block.get(height), height);
      if (block === null) return [];
      const count = block.rows.length / viewRowBytes;
      return Array.from({ length: count }, (_, position) =>
        this.#readRow(block, height, position, position * viewRowBytes),
      );
    });
  }

  transactionCountOf(height: number): number {
    const row = this.#database.read('reading the view', () => this.#statements.blockSize.get(height));
    return ((row as { sizeBytes: number } | undefined)?.sizeBytes ?? 0) / viewRowBytes;
  }

  /** Null where the view says nothing of it. */
  byNumber(number: number): TransactionRow | null {
    return this.transactionAt(heightOf(number), positionOf(number));
  }

  /** Transactions whose id begins like this one, oldest first. Others may, so the caller compares whole ids. */
  candidatesFor(id: Uint8Array): TransactionRow[] {
    const rows = this.#database.read('reading the view', () => this.#statements.numbersByPrefix.all(idPrefixOf(id)));
    return (rows as { number: number }[]).map(({ number }) => this.#mustHave(number));
  }

  /** Whether what leads to a transaction is there: by its id, its readings, its account. */
  isIndexed(number: number, { id, code, account, leafIndex, readings }: ViewTransaction): boolean {
    return this.#database.read('reading the view', () => {
      const found = this.#statements.numbersByPrefix.all(idPrefixOf(id)) as { number: number }[];
      if (!found.some((row) => row.number === number)) return false;
      if (this.#statements.codeId.get(code) === undefined) return false;
      if (account === null) return true;
      const accountId = this.accountId(account);
      if (accountId === null) return false;
      if (leafIndex === null || readings === null)
        return this.#statements.hasActivity.get(accountId, number) !== undefined;
      const { timeMinMs, timeMaxMs } = readings;
      const spanMs = timeMaxMs - timeMinMs;
      return this.#statements.hasPack.get(accountId, widthOf(spanMs), timeMinMs, number, spanMs) !== undefined;
    });
  }

  /** What an index leads to. */
  #mustHave(number: number): TransactionRow {
    const row = this.byNumber(number);
    if (row !== null) return row;
    throw viewDamaged(`an index leads to transaction ${positionOf(number)} of block ${heightOf(number)}`);
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

  /** Newest first. */
  #runs(): Run[] {
    return this.#database.read('reading the view', () => this.#statements.runs.all()) as Run[];
  }

  #readRow(block: BlockRow, height: number, position: number, at: number): TransactionRow {
    const { batch, offset, length, code, account, ...row } = readViewRow(block.rows, at, block.firstLeaf);
    if (batch >= batchesPerBlockMax)
      throw viewDamaged(`transaction ${position} of block ${height} lies in batch ${batch}`);
    const number = transactionNumberOf(height, position);
    return {
      ...row,
      height,
      position,
      place: { height, batch, offset, length },
      code: this.#codes.nameOf(code),
      message: (this.#statements.message.get(number) as { message: string } | undefined)?.message ?? null,
      account: account === noAccount ? null : this.#accounts.nameOf(account),
    };
  }
}

/** Names remembered; beyond, all are forgotten and read again. */
const namesRemembered = 10_000;
type Names = { nameOf(id: number): string };

function createNames(find: ViewStatements['code']): Names {
  const known = new Map<number, string>();
  return {
    nameOf(id) {
      let name = known.get(id);
      if (name !== undefined) return name;
      const row = find.get(id) as { name: string } | undefined;
      if (row === undefined) throw viewDamaged(`there is no name number ${id}`);
      name = row.name;
      if (known.size >= namesRemembered) known.clear();
      known.set(id, name);
      return name;
    },
  };
}

/** What the view says is not what was written into it: it is made anew. */
export function viewDamaged(what: string): StorageError {
  return damageOf('view', `the view is not what the chain says: ${what}`);
}

type BlockRow = { readonly rows: Uint8Array; readonly firstLeaf: number };

/** A page in the place of another has other columns. Null where there is no row. */
function blockRow(row: unknown, height: number): BlockRow | null {
  if (row === undefined) return null;
  const { rows, firstLeaf } = row as { readonly rows: unknown; readonly firstLeaf: unknown };
  if (rows instanceof Uint8Array && typeof firstLeaf === 'number') return { rows, firstLeaf };
  throw viewDamaged(`the row of block ${height} has other columns`);
}

/** A row of a series: when its first reading was, and which transaction it is. */
export type PackKey = { readonly fromMs: number; readonly number: number };

export function comparePacks(a: PackKey, b: PackKey): number {
  return a.fromMs - b.fromMs || a.number - b.number;
}
