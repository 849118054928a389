/**
 * Readings as text. A number goes out with exactly the decimals it came in with, so that part of the JSON is written by
 * hand: JavaScript numbers would round. JSON and CSV (RFC 4180) tell the same. Texts of devices stand in the CSV unchanged
 * too; who opens it in a spreadsheet should import those columns as text.
 */
import { unreachable } from '@cairn-ledger/core';
import type { Page, ReadingValue, ReadingView } from './edge-port.ts';
import { base64urlOf, hexOf, isoOf } from './views.ts';

const JSON_NUMBER = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$/;

/** @param heldFrom of the node that answers: what stands in lower blocks is not in the list */
export function readingsJson(page: Page<ReadingView>, heldFrom: number): string {
  const rows: string[] = [];
  for (const reading of page.items) rows.push(readingJson(reading));
  return `{"readings":[${rows.join(',')}],"next":${JSON.stringify(page.next)},"heldFrom":${heldFrom}}`;
}

function readingJson(reading: ReadingView): string {
  const data = reading.value.type === 'data' ? `,"data":"${base64urlOf(reading.value.bytes)}"` : '';
  const sum = reading.sumText === null ? '' : `,"sum":${numberJson(reading.sumText)}`;
  return (
    `{"device":${JSON.stringify(reading.device)},"name":${JSON.stringify(reading.name)},"unit":${JSON.stringify(reading.unit)}` +
    `,"time":"${isoOf(reading.timeMs)}","seconds":${JSON.stringify(reading.timeText)},"value":${valueJson(reading.value)}${data}${sum}` +
    `,"provenance":"${reading.provenance}","transaction":"${hexOf(reading.transaction)}","height":${reading.height}}`
  );
}

function valueJson(value: ReadingValue): string {
  switch (value.type) {
    case 'number':
      return numberJson(value.text);
    case 'string':
      return JSON.stringify(value.text);
    case 'boolean':
      return String(value.value);
    case 'data':
    case 'none':
      return 'null';
    default:
      return unreachable(value);
  }
}

/** The text itself; as a JSON string where JSON has no such number, so that the document stays readable. */
function numberJson(text: string): string {
  return JSON_NUMBER.test(text) ? text : JSON.stringify(text);
}

const columns = ['time', 'seconds', 'device', 'name', 'unit', 'value', 'sum', 'provenance', 'transaction', 'height'];

export function readingsCsv(page: Page<ReadingView>): string {
  const lines = [columns.join(',')];
  for (const reading of page.items) {
    lines.push(
      [
        isoOf(reading.timeMs),
        reading.timeText,
        field(reading.device),
        field(reading.name),
        field(reading.unit ?? ''),
        field(valueText(reading.value)),
        reading.sumText ?? '',
        reading.provenance,
        hexOf(reading.transaction),
        String(reading.height),
      ].join(','),
    );
  }
  return `${lines.join('\r\n')}\r\n`;
}

function valueText(value: ReadingValue): string {
  switch (value.type) {
    case 'number':
    case 'string':
      return value.text;
    case 'boolean':
      return String(value.value);
    case 'data':
      return base64urlOf(value.bytes);
    case 'none':
      return '';
    default:
      return unreachable(value);
  }
}

function field(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const INSTANT = /^\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2}))?$/;

/** Milliseconds since 1970 of an RFC 3339 time, a date (midnight UTC), or a whole number of milliseconds; null for none. */
export function parseInstant(text: string): number | null {
  const ms = /^-?\d{1,16}$/.test(text) ? Number(text) : INSTANT.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isSafeInteger(ms) ? ms : null;
}
