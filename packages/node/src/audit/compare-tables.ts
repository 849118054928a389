/** Compares a stored table with one made anew, row by row in the order of the key, in constant memory. */
import type { DatabaseSync } from 'node:sqlite';
import { compareBytes } from '@cairn-ledger/core';
import type { FindingClass, Findings, Place } from './finding.ts';
import type { Pace } from './pace.ts';

export type TableSpec = {
  readonly table: string;
  /** Columns of the primary key, in its order. */
  readonly key: readonly string[];
  /** The other columns that must be equal. */
  readonly columns: readonly string[];
  readonly kind: FindingClass;
  /** Only rows for which this SQL holds; of all without it. */
  readonly where?: string;
  /** Where a row is, from its key. */
  readonly placeOf?: (key: readonly Value[]) => Place;
};

type Value = null | number | bigint | string | Uint8Array;
type Row = Record<string, Value>;

/** Differences told one by one for each table. */
const differencesMax = 20;

export async function compareTable(
  stored: DatabaseSync,
  made: DatabaseSync,
  spec: TableSpec,
  findings: Findings,
  pace: Pace,
): Promise<void> {
  const { table, key, columns, kind } = spec;
  const read = `SELECT ${[...key, ...columns].join(', ')} FROM ${table} WHERE ${spec.where ?? '1'} ORDER BY ${key.join(', ')}`;
  const [left, right] = [rowsOf(stored, read), rowsOf(made, read)];
  let [a, b] = [left(), right()];
  let differences = 0;
  const differs = (row: Row, code: string, what: string): void => {
    const values = key.map((column) => row[column] ?? null);
    differences++;
    const text = values.map(valueText).join('/');
    const name = `${table} ${text}`;
    findings.add(kind, code, `${name} ${what}`, { table, key: text, ...spec.placeOf?.(values) });
  };
  while ((a !== null || b !== null) && differences < differencesMax) {
    const order = a === null ? 1 : b === null ? -1 : compareKeys(a, b, key);
    if (order < 0) differs(a!, 'audit.surplus', 'is stored and does not belong there');
    else if (order > 0) differs(b!, 'audit.missing', 'is missing');
    else {
      const wrong = columns.filter((column) => !isSameValue(a![column]!, b![column]!));
      if (wrong.length > 0) differs(a!, 'audit.differs', `differs from what the chain says (${wrong.join(', ')})`);
    }
    await pace.spend(sizeOf(order <= 0 ? a! : b!));
    if (order <= 0) a = left();
    if (order >= 0) b = right();
  }
}

function rowsOf(sqlite: DatabaseSync, sql: string): () => Row | null {
  const rows = sqlite.prepare(sql).iterate();
  return () => {
    const next = rows.next();
    return next.done === true ? null : (next.value as Row);
  };
}

function compareKeys(a: Row, b: Row, key: readonly string[]): number {
  for (const column of key) {
    const order = compareValues(a[column] ?? null, b[column] ?? null);
    if (order !== 0) return order;
  }
  return 0;
}

/** The order of SQLite: null, numbers, texts by their bytes, byte strings. */
function compareValues(a: Value, b: Value): number {
  const rank = rankOf(a) - rankOf(b);
  if (rank !== 0 || a === null || b === null) return rank;
  if (a instanceof Uint8Array) return compareBytes(a, b as Uint8Array);
  if (typeof a === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b as string));
  return a < (b as number) ? -1 : a > (b as number) ? 1 : 0;
}

function rankOf(value: Value): number {
  if (value === null) return 0;
  if (value instanceof Uint8Array) return 3;
  return typeof value === 'string' ? 2 : 1;
}

function isSameValue(a: Value, b: Value): boolean {
  return compareValues(a, b) === 0;
}

const printable = /^[\x20-\x7e]*$/;

function valueText(value: Value): string {
  if (!(value instanceof Uint8Array)) return String(value);
  const text = Buffer.from(value).toString('latin1');
  return printable.test(text) ? text : Buffer.from(value).toString('hex');
}

function sizeOf(row: Row): number {
  let bytes = 0;
  for (const value of Object.values(row)) {
    bytes += value instanceof Uint8Array || typeof value === 'string' ? value.length : 8;
  }
  return bytes;
}
