/** The public door of core. */

// bytes
export type { Cbor, CborError, CborKey, CborOptions, Encodable } from './bytes/cbor.ts';
export { CborReader, CborWriter, decodeCbor, encodeCbor, Tagged } from './bytes/cbor.ts';
export type { CairnError, Failure, Ok, Result } from './result.ts';
export { AssertionFailed, assert, fail, ok, unreachable } from './result.ts';
