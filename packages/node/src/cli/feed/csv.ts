/**
 * CSV as in RFC 4180, read record by record with the bytes each one took, so that a feed can go on in the middle of a
 * file. Lines may end in LF or CRLF; fields may be quoted and then hold commas, line ends and doubled quotes.
 */

export type Delimiter = ',' | ';' | '\t';

const LF = 0x0a;
const QUOTE = 0x22;
/** A record longer than this is a quote that was never closed, or no CSV at all. */
export const recordBytesMax = 1 << 20;

/**
 * Cuts a stream of bytes into records, at line ends outside quotes (for JSON lines: at every line end).
 *
 * Yields each record with its line end. Throws `RangeError` when one passes `recordBytesMax`.
 */
export async function* cutRecords(chunks: AsyncIterable<Buffer>, quotes: boolean): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  let scanned = 0;
  let quoted = false;
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    let at = scanned;
    for (; at < rest.length; at++) {
      const byte = rest[at];
      if (byte === QUOTE && quotes) quoted = !quoted;
      if (byte !== LF || quoted) continue;
      yield rest.subarray(start, at + 1);
      start = at + 1;
    }
    rest = rest.subarray(start);
    scanned = rest.length;
    if (rest.length > recordBytesMax) throw new RangeError(`a record is longer than ${recordBytesMax} bytes`);
  }
  if (rest.length > 0) yield rest;
}

/** The fields of one record, unquoted. A byte-order mark and the line end are dropped. */
export function csvFields(record: string, delimiter: Delimiter = ','): string[] {
  const text = record.replace(/^\uFEFF/, '').replace(/\r?\n$/, '');
  if (!text.includes('"')) return text.split(delimiter);
  const fields: string[] = [];
  let field = '';
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (quoted && char === '"' && text[i + 1] === '"') {
      field += '"';
      i++;
    } else if (char === '"') {
      quoted = !quoted;
    } else if (char === delimiter && !quoted) {
      fields.push(field);
      field = '';
    } else {
      field += char;
    }
  }
  fields.push(field);
  return fields;
}
