/** What commands print: lines for people on a terminal, one JSON object per line for programs. */
import process from 'node:process';
import { styleText } from 'node:util';
import { toHex } from '@cairn-ledger/core';

export function say(line = ''): void {
  process.stdout.write(`${line}\n`);
}

/** One JSON object on a line of its own. Byte strings become hexadecimal, bigints decimal text. */
export function sayJson(value: unknown): void {
  process.stdout.write(`${jsonText(value)}\n`);
}

export function jsonText(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => {
    if (typeof item === 'bigint') return item.toString();
    return item instanceof Uint8Array ? toHex(item) : item;
  });
}

/** Notes beside the result, on standard error, so that standard output stays the result. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Text of others, as names on the ledger are: a terminal obeys control characters, so they are shown as question marks. */
export function plainText(text: string): string {
  return text.replace(/\p{C}/gu, '?');
}

type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow';

/** Colour where standard output is a terminal that wants it. */
export function style(kind: Style, text: string): string {
  return styleText(kind, text, { stream: process.stdout });
}

/** Columns padded to their widest cell; numbers to the right. */
export function tableLines(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const numeric = head.map(
    (_, column) => rows.length > 0 && rows.every((row) => /^-?[\d., ]*%?$/.test(row[column] ?? '')),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (numeric[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd();
  return [line(head), ...rows.map(line)];
}

/** Whole numbers in groups of three, for people. */
export function grouped(value: number | bigint): string {
  return value.toString().replace(/\B(?=(\d{3})+$)/g, ' ');
}
