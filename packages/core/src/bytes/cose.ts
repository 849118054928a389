/**
 * COSE_Sign1 (RFC 9052 section 4.2) in the strict profile: the message around transactions and receipts.
 *
 *     COSE_Sign1 = #6.18([ protected: bstr .cbor map / empty, unprotected: map, payload: bstr / nil, signature: bstr ])
 *
 * Stricter than the RFC: the tag must be there, every part is strict CBOR (so an empty protected header is the empty byte
 * string, as in the Sig_structure), `alg` may stand only in the protected header, and no label may stand in both.
 * Which other labels are allowed is up to whoever reads the headers.
 */
import type { Result } from '../result.ts';
import { type Cbor, type CborKey, type Encodable, readValue, writeValue } from './cbor.ts';
import { type CborError, CborFault, CborReader, readCbor } from './cbor-reader.ts';
import { CborWriter } from './cbor-writer.ts';

export const coseSign1Tag = 18;

/** Labels of COSE headers (RFC 9052 section 3.1, RFC 9597). */
export const coseLabel = { alg: 1, crit: 2, contentType: 3, kid: 4, cwtClaims: 15 } as const;

export type CoseSign1 = {
  /** Content of the protected byte string: what the signature covers. */
  readonly protectedBytes: Uint8Array;
  readonly protectedHeader: ReadonlyMap<CborKey, Cbor>;
  readonly unprotectedHeader: ReadonlyMap<CborKey, Cbor>;
  /** null where detached. */
  readonly payload: Uint8Array | null;
  readonly signature: Uint8Array;
};

/** Decodes the structure; the signature is not checked. */
export function decodeCoseSign1(bytes: Uint8Array): Result<CoseSign1, CborError> {
  return readCbor(() => {
    const reader = new CborReader(bytes);
    readCoseSign1Header(reader);
    const protectedBytes = reader.readBytes();
    const unprotectedStart = reader.offset;
    const unprotectedHeader = asMap(readValue(reader), unprotectedStart);
    const payload = reader.peekByte() === 0xf6 ? reader.readNull() : reader.readBytes();
    const signature = reader.readBytes();
    reader.finish();

    const protectedHeader = readProtectedHeader(protectedBytes);
    for (const label of unprotectedHeader.keys()) {
      if (label === coseLabel.alg) throw new CborFault('cbor.type', 'alg in the unprotected header', unprotectedStart);
      if (protectedHeader.has(label))
        throw new CborFault('cbor.duplicate-key', 'a label in both headers', unprotectedStart);
    }
    return { protectedBytes, protectedHeader, unprotectedHeader, payload, signature };
  });
}

/** Reads the tag and the array header of a COSE_Sign1: its four items follow. */
export function readCoseSign1Header(reader: CborReader): void {
  const start = reader.offset;
  if (reader.readTag() !== coseSign1Tag) throw new CborFault('cbor.tag', 'a COSE_Sign1 has tag 18', start);
  if (reader.readArrayHeader() !== 4) throw new CborFault('cbor.type', 'a COSE_Sign1 has four items', start);
}

export type CoseSign1Parts = {
  readonly protectedBytes: Uint8Array;
  readonly unprotectedHeader?: ReadonlyMap<CborKey, Encodable>;
  readonly payload: Uint8Array | null;
  readonly signature: Uint8Array;
};

export function encodeCoseSign1(parts: CoseSign1Parts): Uint8Array<ArrayBuffer> {
  scratch.clear();
  scratch.writeTag(coseSign1Tag);
  scratch.writeArrayHeader(4);
  scratch.writeBytes(parts.protectedBytes);
  writeValue(scratch, parts.unprotectedHeader ?? noLabels);
  writeValue(scratch, parts.payload);
  scratch.writeBytes(parts.signature);
  return scratch.finish();
}

/**
 * The bytes a COSE_Sign1 signature is over (RFC 9052 section 4.4). `payload` is given also where it is detached.
 *
 *     Sig_structure = [ "Signature1", protected: bstr, external_aad: bstr, payload: bstr ]
 */
export function encodeSigStructure(
  protectedBytes: Uint8Array,
  payload: Uint8Array,
  externalAad: Uint8Array = noBytes,
): Uint8Array<ArrayBuffer> {
  scratch.clear();
  scratch.writeArrayHeader(4);
  scratch.writeText('Signature1');
  scratch.writeBytes(protectedBytes);
  scratch.writeBytes(externalAad);
  scratch.writeBytes(payload);
  return scratch.finish();
}

/**
 * The same bytes, put together from a strict message itself: its protected header and its payload, each with the header
 * of its byte string, are copied as they stand.
 */
export function sliceSigStructure(
  message: Uint8Array,
  protectedStart: number,
  protectedEnd: number,
  payloadStart: number,
  payloadEnd: number,
): Uint8Array<ArrayBuffer> {
  const protectedSize = protectedEnd - protectedStart;
  const bytes = new Uint8Array(prefix.length + protectedSize + 1 + (payloadEnd - payloadStart));
  bytes.set(prefix);
  bytes.set(message.subarray(protectedStart, protectedEnd), prefix.length);
  bytes[prefix.length + protectedSize] = 0x40;
  bytes.set(message.subarray(payloadStart, payloadEnd), prefix.length + protectedSize + 1);
  return bytes;
}

const noBytes = new Uint8Array(0);
const noLabels: ReadonlyMap<CborKey, Encodable> = new Map();
const scratch = new CborWriter();
/** Array of four, and the text "Signature1". */
const prefix = Uint8Array.of(0x84, 0x6a, 0x53, 0x69, 0x67, 0x6e, 0x61, 0x74, 0x75, 0x72, 0x65, 0x31);

function readProtectedHeader(bytes: Uint8Array): ReadonlyMap<CborKey, Cbor> {
  if (bytes.length === 0) return new Map();
  const reader = new CborReader(bytes);
  const header = asMap(readValue(reader), 0);
  reader.finish();
  if (header.size === 0)
    throw new CborFault('cbor.not-shortest', 'an empty protected header is the empty byte string', 0);
  return header;
}

function asMap(value: Cbor, start: number): ReadonlyMap<CborKey, Cbor> {
  if (!(value instanceof Map)) throw new CborFault('cbor.type', 'a COSE header is a map', start);
  return value;
}
