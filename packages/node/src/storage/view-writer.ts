/** Writes blocks into the view: their rows, and what leads to them. All of it runs inside one SQL transaction. */
import { assert } from '@cairn-ledger/core';
import { widthOf } from './series-width.ts';
import { transactionNumberOf } from './transaction-place.ts';
import type { ViewBlock, ViewProgress } from './view-db.ts';
import { createRowWriter } from './view-rows.ts';
import { runTransactionsMax, type ViewStatements } from './view-schema.ts';

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
  accepted: number;
  readings: number;
};

/** In place of an account's number, where nobody is known to have signed. */
export const noAccount = 0;
/** Names remembered; beyond, all are forgotten and read again. */
const namesRemembered = 50_000;

export type ViewWriter = {
  /** Applies blocks in order. Those at or below the view's height are left alone. */
  apply(blocks: readonly ViewBlock[]): void;
};

export function createViewWriter(statements: ViewStatements): ViewWriter {
  const accounts = createNames(statements.accountId, statements.insertAccount);
  const codes = createNames(statements.codeId, statements.insertCode);

  return {
    apply(blocks) {
      try {
        let progress = statements.progress.get() as Progress;
        for (const block of blocks) {
          if (block.height <= progress.height) continue;
          const isNext = progress.height === -1 || block.height === progress.height + 1;
          assert(isNext, 'the view is applied block by block');
          progress = applyBlock(block, progress);
        }
        const { height, digest, run, runSize, transactions, accepted, readings } = progress;
        statements.putProgress.run(height, digest, run, runSize, transactions, accepted, readings);
      } catch (cause) {
        // What was numbered in this SQL transaction will be rolled back.
        accounts.forget();
        codes.forget();
        throw cause;
      }
    },
  };

  function applyBlock(block: ViewBlock, before: Progress): Progress {
    const { height, digest, transactions } = block;
    if (transactions.length === 0) return { ...before, height, digest };
    const isRunFull = before.runSize >= runTransactionsMax;
    const run = isRunFull ? before.run + 1 : before.run;
    const rows = writeTransactions(block);
    writeIndexes(run, rows);
    statements.putRun.run(run, transactionNumberOf(height, 0), rows.timeMin, rows.timeMax);
    return {
      height,
      digest,
      run,
      runSize: (isRunFull ? 0 : before.runSize) + transactions.length,
      transactions: before.transactions + transactions.length,
      accepted: before.accepted + rows.accepted,
      readings: before.readings + rows.readings,
    };
  }

  function writeTransactions({ height, transactions }: ViewBlock): IndexRows {
    const firstLeaf = transactions.find(({ leafIndex }) => leafIndex !== null)?.leafIndex ?? 0;
    const writer = createRowWriter(transactions.length, firstLeaf);
    const rows: IndexRows = {
      ids: [],
      activity: [],
      series: [],
      timeMin: Number.MAX_SAFE_INTEGER,
      timeMax: -1,
      accepted: 0,
      readings: 0,
    };
    for (const [position, transaction] of transactions.entries()) {
      const number = transactionNumberOf(height, position);
      const account = transaction.account === null ? noAccount : accounts.idOf(transaction.account);
      writer.write(position, { ...transaction, code: codes.idOf(transaction.code), account });
      if (transaction.message !== null) statements.insertMessage.run(number, transaction.message);
      rows.ids.push({ prefix: idPrefixOf(transaction.id), number });
      const isAccepted = transaction.leafIndex !== null;
      if (isAccepted) rows.accepted += 1;
      if (isAccepted && transaction.readings !== null) addReadings(rows, account, number, transaction.readings);
      else if (account !== noAccount) rows.activity.push({ account, number });
    }
    statements.insertBlock.run(height, firstLeaf, writer.bytes);
    return rows;
  }

  /** In the order of each index: about half the cost of the order of the block. */
  function writeIndexes(run: number, { ids, activity, series }: IndexRows): void {
    const { insertId, insertActivity, insertSeries } = statements;
    ids.sort((a, b) => a.prefix - b.prefix);
    for (const { prefix, number } of ids) insertId.run(run, prefix, number);
    activity.sort((a, b) => a.account - b.account);
    for (const { account, number } of activity) insertActivity.run(run, account, number);
    series.sort((a, b) => a.account - b.account);
    for (const { account, number, fromMs, spanMs } of series) {
      insertSeries.run(run, account, widthOf(spanMs), fromMs, number, spanMs);
    }
  }
}

/** The first 48 bits of an id: a safe integer, and 6 bytes on disk. */
export function idPrefixOf(id: Uint8Array): number {
  return ((id[0]! << 16) | (id[1]! << 8) | id[2]!) * 2 ** 24 + ((id[3]! << 16) | (id[4]! << 8) | id[5]!);
}

function addReadings(
  rows: IndexRows,
  account: number,
  number: number,
  { count, timeMinMs, timeMaxMs }: NonNullable<ViewBlock['transactions'][number]['readings']>,
): void {
  assert(account !== noAccount && count > 0 && timeMinMs <= timeMaxMs, 'readings are of an account, and of a time');
  rows.series.push({ account, number, fromMs: timeMinMs, spanMs: timeMaxMs - timeMinMs });
  rows.readings += count;
  if (timeMinMs < rows.timeMin) rows.timeMin = timeMinMs;
  if (timeMaxMs > rows.timeMax) rows.timeMax = timeMaxMs;
}

/** Numbers for names, kept in a table. */
function createNames(find: ViewStatements['accountId'], insert: ViewStatements['insertAccount']) {
  const known = new Map<string, number>();
  return {
    idOf(name: string): number {
      let id = known.get(name);
      if (id !== undefined) return id;
      const row = find.get(name) as { id: number } | undefined;
      id = row?.id ?? Number(insert.run(name).lastInsertRowid);
      if (known.size >= namesRemembered) known.clear();
      known.set(name, id);
      return id;
    },
    forget: (): void => known.clear(),
  };
}
