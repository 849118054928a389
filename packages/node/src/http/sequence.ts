/**
 * Cuts a CBOR sequence (RFC 8742) of transactions into its items, without decoding them: views into the body, in order.
 * Only finds where an item ends; whether it is a transaction is decided where transactions are decoded.
 */
import { type CairnError, fail, ok, type Result } from '@cairn-ledger/core';

/** Deeper than any transaction's envelope. Payloads are byte strings, so they are skipped whole. */
const DEPTH_MAX = 16;

/** @param countMax more items than this are refused with `http.too-many-transactions` */
export function splitSequence(body: Uint8Array, countMax: number): Result<Uint8Array[], CairnError> {
  const items: Uint8Array[] = [];
  let start = 0;
  while (start < body.length) {
    if (items.length === countMax) {
      return fail({ code: 'http.too-many-transactions', message: `more than ${countMax} transactions in one request` });
    }
    const end = endOfItem(body, start, 0);
    if (end < 0) {
      const message = `item ${items.length}, at byte ${start}, is cut off or is not definite-length CBOR`;
      return fail({ code: 'http.bad-sequence', message });
    }
    items.push(body.subarray(start, end));
    start = end;
  }
  if (items.length === 0) return fail({ code: 'http.bad-sequence', message: 'the body is empty' });
  return ok(items);
}

/** Offset after the item that begins at `offset`; -1 when it is cut off, too deep, or not of definite length. */
function endOfItem(bytes: Uint8Array, offset: number, depth: number): number {
  if (offset >= bytes.length || depth > DEPTH_MAX) return -1;
  const initial = bytes[offset]!;
  const major = initial >> 5;
  const info = initial & 31;
  let argument = info;
  let next = offset + 1;
  if (info >= 24) {
    if (info > 27) return -1;
    const sizeBytes = 1 << (info - 24);
    if (next + sizeBytes > bytes.length) return -1;
    argument = 0;
    for (let i = 0; i < sizeBytes; i++) argument = argument * 256 + bytes[next + i]!;
    next += sizeBytes;
  }
  switch (major) {
    case 2:
    case 3:
      return argument <= bytes.length - next ? next + argument : -1;
    case 4:
    case 5: {
      const count = major === 4 ? argument : 2 * argument;
      for (let i = 0; i < count; i++) {
        next = endOfItem(bytes, next, depth + 1);
        if (next < 0) return -1;
      }
      return next;
    }
    case 6:
      return endOfItem(bytes, next, depth + 1);
    default:
      return next;
  }
}
