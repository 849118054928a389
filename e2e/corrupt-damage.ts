/** How one file of a copied folder is damaged: as disks, people and bugs do it, at random from a seed. */
import { DatabaseSync } from 'node:sqlite';
import type { Pick } from './pick.ts';

export type Damage = {
  readonly name: string;
  /** The damaged bytes; null: the file is gone. */
  apply(bytes: Buffer, pick: Pick, path: string): Buffer | null;
  /** Where it makes sense: all files, or those that this names. */
  readonly of?: RegExp;
};

const pageBytes = 4096;
const headerBytes = 100;

export const damages: readonly Damage[] = [
  { name: 'a bit', apply: (bytes, pick) => flipBits(bytes, pick, 1) },
  { name: 'eight bits', apply: (bytes, pick) => flipBits(bytes, pick, 8) },
  {
    name: 'a byte',
    apply(bytes, pick) {
      const changed = Buffer.from(bytes);
      changed[pick(bytes.length)] = pick(256);
      return changed;
    },
  },
  {
    name: 'random bytes',
    apply(bytes, pick) {
      const changed = Buffer.from(bytes);
      const start = pick(bytes.length);
      const end = Math.min(bytes.length, start + 16 + pick(512));
      for (let at = start; at < end; at++) changed[at] = pick(256);
      return changed;
    },
  },
  {
    name: 'a page of zeros',
    apply(bytes, pick) {
      const start = pick(Math.ceil(bytes.length / pageBytes)) * pageBytes;
      return Buffer.from(bytes).fill(0, start, Math.min(bytes.length, start + pageBytes));
    },
  },
  {
    name: 'a page in the place of another',
    apply(bytes, pick) {
      const [from, to] = twoPages(bytes, pick);
      const changed = Buffer.from(bytes);
      bytes.copy(changed, to, from, from + pageBytes);
      return changed;
    },
  },
  {
    name: 'two pages exchanged',
    apply(bytes, pick) {
      const [from, to] = twoPages(bytes, pick);
      const changed = Buffer.from(bytes);
      bytes.copy(changed, to, from, from + pageBytes);
      bytes.copy(changed, from, to, to + pageBytes);
      return changed;
    },
  },
  { name: 'its end cut off', apply: (bytes, pick) => bytes.subarray(0, pick(bytes.length)) },
  { name: 'its end cut off by a little', apply: (bytes, pick) => bytes.subarray(0, bytes.length - 1 - pick(256)) },
  { name: 'its head', apply: (bytes, pick) => flipBits(bytes, pick, 4, Math.min(bytes.length, headerBytes)) },
  { name: 'deleted', apply: () => null },
  { name: 'a byte of a row', apply: flipInRow, of: /\.db$/ },
];

/** Settings are what the operator says they are: that they can be read is all that can be checked. */
export const damagesOfSettings: readonly string[] = ['deleted', 'a page of zeros', 'its end cut off'];

/** Bytes that are not what they were. */
export function differingBytes(before: Buffer, after: Buffer | null): number {
  if (after === null) return before.length;
  let count = Math.abs(before.length - after.length);
  for (let at = 0; at < Math.min(before.length, after.length); at++) if (before[at] !== after[at]) count++;
  return count;
}

function flipBits(bytes: Buffer, pick: Pick, count: number, within = bytes.length): Buffer {
  const changed = Buffer.from(bytes);
  for (let i = 0; i < count; i++) changed[pick(within)]! ^= 1 << pick(8);
  return changed;
}

function twoPages(bytes: Buffer, pick: Pick): [number, number] {
  const count = Math.ceil(bytes.length / pageBytes);
  return [pick(count) * pageBytes, pick(count) * pageBytes];
}

/** In a table chosen first, so that small tables get as much of it as large ones. What stands in no row as it stands in the file is left alone. */
function flipInRow(bytes: Buffer, pick: Pick, path: string): Buffer {
  const database = new DatabaseSync(`file:${encodeURI(path)}?immutable=1`, { readOnly: true });
  try {
    const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
    if (tables.length === 0) return bytes;
    const { name } = tables[pick(tables.length)] as { name: string };
    const rows = database.prepare(`SELECT * FROM ${name} NOT INDEXED`).all();
    if (rows.length === 0) return bytes;
    const values = Object.values(rows[pick(rows.length)]!).flatMap((value) => {
      if (typeof value === 'string') return [Buffer.from(value)];
      return value instanceof Uint8Array ? [Buffer.from(value)] : [];
    });
    const value = values[pick(Math.max(1, values.length))];
    if (value === undefined || value.length < 4) return bytes;
    const length = Math.min(16, value.length);
    const start = pick(value.length - length + 1);
    const at = bytes.indexOf(value.subarray(start, start + length));
    if (at < 0) return bytes;
    const changed = Buffer.from(bytes);
    changed[at + pick(length)]! ^= 1 << pick(8);
    return changed;
  } finally {
    database.close();
  }
}
