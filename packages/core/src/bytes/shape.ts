/**
 * Reads decoded CBOR as the shape a message must have. The readers throw `ShapeError`, which only `decodeShape` lets
 * out, as a typed error: so a decoder reads top-down, and no malformed input escapes as an exception.
 */
import { type CairnError, fail, ok, type Result } from '../result.ts';
import { type Cbor, decodeCbor } from './cbor.ts';

class ShapeError extends Error {}

function refuse(what: string): never {
  throw new ShapeError(what);
}

/**
 * Decodes strict CBOR and reads it with `read`; every failure becomes one error with `code`.
 *
 * @param itemsMax for formats whose lists are longer than what a message may hold (`cborItemsMax`)
 */
export function decodeShape<T>(
  code: string,
  bytes: Uint8Array,
  read: (value: Cbor) => T,
  itemsMax?: number,
): Result<T, CairnError> {
  const decoded = decodeCbor(bytes, itemsMax === undefined ? {} : { itemsMax });
  if (!decoded.ok) return fail({ code, message: decoded.error.message });
  return readShape(code, decoded.value, read);
}

/** Reads an already decoded value with `read`; every failure becomes one error with `code`. */
export function readShape<T>(code: string, value: Cbor, read: (value: Cbor) => T): Result<T, CairnError> {
  try {
    return ok(read(value));
  } catch (error) {
    if (error instanceof ShapeError) return fail({ code, message: error.message });
    throw error;
  }
}

/** An array of exactly `count` items. */
export function tupleOf(value: Cbor, count: number, what: string): Cbor[] {
  if (!Array.isArray(value) || value.length !== count) refuse(`${what} must be an array of ${count} items`);
  return value;
}

/** An array of at most `countMax` items, each read with `read`. */
export function listOf<T>(value: Cbor, countMax: number, what: string, read: (item: Cbor) => T): T[] {
  if (!Array.isArray(value)) refuse(`${what} must be an array`);
  if (value.length > countMax) refuse(`${what} has ${value.length} items, at most ${countMax} are allowed`);
  return value.map(read);
}

/** A non-negative safe integer, at most `max`. */
export function uintOf(value: Cbor, what: string, max: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number' || value < 0 || value > max) refuse(`${what} must be an integer from 0 to ${max}`);
  return value;
}

/** A byte string, of exactly `sizeBytes` where given. */
export function bytesOf(value: Cbor, what: string, sizeBytes?: number): Uint8Array {
  if (!(value instanceof Uint8Array)) refuse(`${what} must be a byte string`);
  if (sizeBytes !== undefined && value.length !== sizeBytes) refuse(`${what} must have ${sizeBytes} bytes`);
  return value;
}

export function textOf(value: Cbor, what: string, lengthMax: number): string {
  if (typeof value !== 'string' || value.length > lengthMax)
    refuse(`${what} must be a text of at most ${lengthMax} characters`);
  return value;
}

/** Refuses with a message of the caller's own, for rules that no reader above covers. */
export function requireShape(condition: boolean, what: string): asserts condition {
  if (!condition) refuse(what);
}
