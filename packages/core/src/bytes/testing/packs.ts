/** Packs for tests, and what becomes of them. For tests only. */
import assert from 'node:assert/strict';
import { type CborKey, type Encodable, encodeCbor, Tagged } from '../cbor.ts';
import { textToDecimal } from '../decimal.ts';
import { fromHex } from '../hex.ts';
import { decodePack, type Reading } from '../senml.ts';

export type Fields = [CborKey, Encodable][];

/** A pack of records, each given as fields; times are added where a test is not about them. */
export function pack(...records: Fields[]): Uint8Array {
  return encodeCbor(records.map((fields) => new Map(fields)));
}

export const at: Fields[number] = [6, 1_700_000_000];
export const bytes = (hex: string): Uint8Array => fromHex(hex.replaceAll(' ', ''))!;
export const decimal = (text: string): Encodable => {
  const { mantissa, exponent } = textToDecimal(text)!;
  return new Tagged<Encodable>(4, [exponent, mantissa]);
};

export function readings(input: Uint8Array, options: Parameters<typeof decodePack>[1] = {}): Reading[] {
  const decoded = decodePack(input, options);
  assert.ok(decoded.ok, decoded.ok ? '' : decoded.error.message);
  return decoded.value;
}

export function refusal(input: Uint8Array, nowMs?: number): string {
  const decoded = decodePack(input, nowMs === undefined ? {} : { nowMs });
  return decoded.ok ? 'accepted' : decoded.error.message;
}
