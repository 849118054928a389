/**
 * A transaction: what a device, gateway, person or node signs (wire-format.md section 3).
 *
 *     Tx       = #6.18([ protected: bstr .cbor TxHeader, {}, payload: bstr, signature: bstr .size 64 ])
 *     TxHeader = { 1: alg, ? 3: 112 / 65001, 4: kid, 15: TxClaims, ? 258: -16, ? 259: uint / tstr, ? 260: tstr }
 *     TxClaims = { ? 1: iss, ? 2: sub, 3: aud, ? 4: exp, ? 6: iat, 7: cti }
 *     TxBody   = { ? 1: [+ SenMLRecord], ? 2: [+ [code: uint, * any]] }
 *
 * Every node decodes every transaction, so this reads the bytes in place, in one pass: header keys have one possible
 * order, and of the readings only a summary is made (see `readingsOf` for the readings themselves). Still everything is
 * checked: whatever is decoded here has readable readings, and operations that are lists beginning with a code.
 *
 * With a hash envelope (RFC 9995) only the hash of a document is signed and stored: the payload is that hash, 32 bytes,
 * and the header names the content type of the document (259) in place of its own (3), as the RFC demands.
 *
 * Relative times in readings count from `iat`, in the transaction itself; without `iat` they make it malformed
 * (bytes/senml-pack.ts). `iat` and `exp` are seconds, at most the year 9999.
 */
import { bytesToBase64url } from '../bytes/base64url.ts';
import { type Cbor, readValue } from '../bytes/cbor.ts';
import { CborFault, CborReader } from '../bytes/cbor-reader.ts';
import { readCoseSign1Header, sliceSigStructure } from '../bytes/cose.ts';
import { decodePack, type Reading } from '../bytes/senml.ts';
import { PackReader, type PackSummary, summarizePack } from '../bytes/senml-pack.ts';
import { sha256 } from '../crypto/hash.ts';
import { assert, type CairnError, fail, ok, type Result } from '../result.ts';
import type { Hash } from './brands.ts';

export const transactionBytesMax = 65_535;
export const operationsMax = 256;
/** Bytes of iss, sub, the preimage's content type and its location. */
export const headerTextBytesMax = 255;
/** Seconds: the last of the year 9999. */
export const headerSecondsMax = 253_402_300_799;

/** Content types: SenML alone (RFC 8428), or a body with operations. */
export const contentType = { senml: 112, body: 65_001 } as const;

/** COSE header labels and claims of a transaction. */
export const headerLabel = {
  alg: 1,
  contentType: 3,
  kid: 4,
  claims: 15,
  hashAlg: 258,
  preimageType: 259,
  location: 260,
} as const;
export const claim = { issuer: 1, subject: 2, audience: 3, expires: 4, issued: 6, counter: 7 } as const;
export const bodyKey = { senml: 1, operations: 2 } as const;

/** Only the hash of a document is in the transaction. */
export type HashEnvelope = {
  readonly preimageType: number | string | null;
  readonly location: string | null;
};

export type TransactionHeader = {
  /** COSE algorithm: -19 or -8 (Ed25519), -9 or -7 (P-256). Must fit the registered key. */
  readonly alg: number;
  /** null with a hash envelope. */
  readonly contentType: 112 | 65001 | null;
  /** 8 bytes. */
  readonly kid: Uint8Array;
  readonly iss?: string | undefined;
  readonly sub?: string | undefined;
  /** Base64url of the first 8 bytes of the ledger hash. */
  readonly audience: string;
  /** exp: expired iff block time in ms >= 1000 * expiresSeconds. */
  readonly expiresSeconds?: number | undefined;
  /** iat: the device's clock, advisory. */
  readonly issuedSeconds?: number | undefined;
  /** cti: of this key. */
  readonly counter: bigint;
  readonly hashEnvelope?: HashEnvelope | undefined;
};

/** An operation as signed: its code, then its arguments. */
export type RawOperation = readonly [code: number, ...arguments: Cbor[]];

export type TransactionBody = {
  /** The pack as signed, CBOR in the payload profile; absent without readings. */
  readonly senml?: Uint8Array | undefined;
  readonly operations: readonly RawOperation[];
};

export type Transaction = {
  /** SHA-256 of the signed bytes: the same for every signature over the same content. */
  readonly id: Hash;
  readonly bytes: Uint8Array;
  readonly header: TransactionHeader;
  readonly payload: Uint8Array;
  readonly body: TransactionBody;
  /** Of the readings in `body.senml`. */
  readonly summary: PackSummary | null;
  readonly signature: Uint8Array;
  /** The Sig_structure: what the signature covers. */
  readonly signedBytes: Uint8Array;
};

/**
 * Decodes a transaction strictly, without checking its signature. The parts are views of `bytes`, which must not change
 * afterwards. About 3 us with one reading, 7 us with twenty.
 */
export function decodeTransaction(bytes: Uint8Array): Result<Transaction, CairnError> {
  if (bytes.length > transactionBytesMax) {
    return fail({
      code: 'tx.too-large',
      message: `a transaction has at most ${transactionBytesMax} bytes, this one has ${bytes.length}: split it`,
    });
  }
  try {
    return ok(readTransaction(bytes));
  } catch (fault) {
    if (fault instanceof CborFault) return fail({ code: 'tx.malformed', message: fault.error.message });
    throw fault;
  }
}

/** What the history tree holds of an accepted transaction: SHA-256 of its bytes, signature included. */
export function transactionEntry(transaction: Transaction): Hash {
  return sha256(transaction.bytes);
}

/**
 * The readings of a transaction, resolved.
 *
 * @param device the name of the signing device, which names without a base name lie under; without it names stay as signed
 */
export function readingsOf(transaction: Transaction, device?: string): Reading[] {
  const { body, header } = transaction;
  if (body.senml === undefined) return [];
  const decoded = decodePack(body.senml, {
    ...(device !== undefined && { device }),
    ...(header.issuedSeconds !== undefined && { nowMs: header.issuedSeconds * 1000 }),
  });
  assert(decoded.ok, 'the readings of a decoded transaction can be read');
  return decoded.value;
}

/** The audience of a ledger's transactions: base64url of the first 8 bytes of its hash. */
export function audienceOf(ledgerHash: Uint8Array): string {
  return bytesToBase64url(ledgerHash.subarray(0, 8));
}

function readTransaction(bytes: Uint8Array): Transaction {
  const reader = new CborReader(bytes);
  readCoseSign1Header(reader);

  const protectedStart = reader.offset;
  const protectedSize = reader.readBytesHeader();
  const protectedEnd = reader.offset + protectedSize;
  const header = readHeader(new CborReader(bytes, reader.offset, protectedEnd));

  reader.offset = protectedEnd;
  if (reader.readMapHeader() !== 0) refuse(protectedEnd, 'the unprotected header is empty');

  const payloadStart = reader.offset;
  const payload = reader.readBytes();
  const payloadEnd = reader.offset;
  const { body, summary } = readPayload(bytes, payloadEnd - payload.length, payloadEnd, header);

  const signature = readSized(reader, 64, 'a signature has 64 bytes');
  reader.finish();

  const signedBytes = sliceSigStructure(bytes, protectedStart, protectedEnd, payloadStart, payloadEnd);
  return { id: sha256(signedBytes), bytes, header, payload, body, summary, signature, signedBytes };
}

/** Reads the protected header. The labels it may have are in bytewise order here, so each is next or absent. */
function readHeader(reader: CborReader): TransactionHeader {
  const start = reader.offset;
  const fields = new FieldReader(reader);
  fields.require(headerLabel.alg, 'alg');
  const alg = readAlg(reader);
  const type = fields.take(headerLabel.contentType) ? readContentType(reader) : null;
  fields.require(headerLabel.kid, 'kid');
  const kid = readSized(reader, 8, 'kid has 8 bytes');
  fields.require(headerLabel.claims, 'claims');
  const claims = readClaims(reader);
  const hashEnvelope = fields.take(headerLabel.hashAlg) ? readHashEnvelope(reader, fields) : undefined;
  fields.finish();
  reader.finish();
  if ((type === null) !== (hashEnvelope !== undefined)) {
    refuse(start, 'a header has a content type (3), or that of a hash envelope (259) with its hash algorithm (258)');
  }
  const { iss, sub, audience, expiresSeconds, issuedSeconds, counter } = claims;
  return { alg, contentType: type, kid, iss, sub, audience, expiresSeconds, issuedSeconds, counter, hashEnvelope };
}

type Claims = Pick<TransactionHeader, 'iss' | 'sub' | 'audience' | 'expiresSeconds' | 'issuedSeconds' | 'counter'>;

function readClaims(reader: CborReader): Claims {
  const fields = new FieldReader(reader);
  const iss = fields.take(claim.issuer) ? readLimitedText(reader) : undefined;
  const sub = fields.take(claim.subject) ? readLimitedText(reader) : undefined;
  fields.require(claim.audience, 'aud');
  const audienceAt = reader.offset;
  const audience = reader.readText();
  if (audience.length !== 11) refuse(audienceAt, 'aud has 11 characters');
  const expiresSeconds = fields.take(claim.expires) ? readSeconds(reader) : undefined;
  const issuedSeconds = fields.take(claim.issued) ? readSeconds(reader) : undefined;
  fields.require(claim.counter, 'cti');
  const counter = bytesToCounter(readSized(reader, 8, 'cti has 8 bytes'));
  fields.finish();
  return { iss, sub, audience, expiresSeconds, issuedSeconds, counter };
}

/** Label 258 is read; its value follows. */
function readHashEnvelope(reader: CborReader, fields: FieldReader): HashEnvelope {
  const at = reader.offset;
  if (reader.readInteger() !== -16) refuse(at, 'the hash of a hash envelope is SHA-256 (-16)');
  let preimageType: number | string | null = null;
  if (fields.take(headerLabel.preimageType)) {
    preimageType = reader.peekMajor() === 0 ? reader.readUint() : readLimitedText(reader);
  }
  const location = fields.take(headerLabel.location) ? readLimitedText(reader) : null;
  return { preimageType, location };
}

function readPayload(
  bytes: Uint8Array,
  start: number,
  end: number,
  header: TransactionHeader,
): { body: TransactionBody; summary: PackSummary | null } {
  const nowMs = header.issuedSeconds === undefined ? null : header.issuedSeconds * 1000;
  if (header.contentType === null) {
    if (end - start !== 32) refuse(start, 'the payload of a hash envelope is a hash of 32 bytes');
    return { body: noBody, summary: null };
  }
  if (header.contentType === contentType.senml) {
    const pack = new PackReader(bytes, start, end, nowMs);
    const summary = summarizePack(pack);
    pack.reader.finish();
    return { body: { senml: viewOf(bytes, start, end), operations: noOperations }, summary };
  }
  return readBody(bytes, start, end, nowMs);
}

function readBody(
  bytes: Uint8Array,
  start: number,
  end: number,
  nowMs: number | null,
): { body: TransactionBody; summary: PackSummary | null } {
  const reader = new CborReader(bytes, start, end);
  const fields = new FieldReader(reader);
  let senml: Uint8Array | undefined;
  let summary: PackSummary | null = null;
  if (fields.take(bodyKey.senml)) {
    const pack = new PackReader(bytes, reader.offset, end, nowMs);
    summary = summarizePack(pack);
    senml = viewOf(bytes, reader.offset, pack.reader.offset);
    reader.offset = pack.reader.offset;
  }
  const operations = fields.take(bodyKey.operations) ? readOperations(reader) : noOperations;
  fields.finish();
  reader.finish();
  if (senml === undefined && operations.length === 0) refuse(start, 'a body has readings, operations or both');
  return { body: { senml, operations }, summary };
}

function readOperations(reader: CborReader): RawOperation[] {
  const start = reader.offset;
  const count = reader.readArrayHeader();
  if (count === 0 || count > operationsMax) refuse(start, `a list of operations has 1 to ${operationsMax}`);
  const operations: RawOperation[] = [];
  for (let i = 0; i < count; i++) {
    const at = reader.offset;
    const operation = readValue(reader, [], 2);
    const isOperation = Array.isArray(operation) && typeof operation[0] === 'number' && operation[0] >= 0;
    if (!isOperation) refuse(at, 'an operation is a list that begins with its code');
    operations.push(operation as unknown as RawOperation);
  }
  return operations;
}

/** Reads a map whose keys are known unsigned integers: in bytewise order, each is the next one or absent. */
class FieldReader {
  private readonly reader: CborReader;
  private left: number;
  /** The key whose value was not yet asked for, or -1. */
  private pending = -1;

  constructor(reader: CborReader) {
    this.reader = reader;
    this.left = reader.readMapHeader();
  }

  /** True where `key` comes next: its value follows. */
  take(key: number): boolean {
    if (this.pending < 0) {
      if (this.left === 0) return false;
      this.left--;
      this.pending = this.reader.readUint();
    }
    if (this.pending !== key) return false;
    this.pending = -1;
    return true;
  }

  require(key: number, name: string): void {
    if (!this.take(key))
      refuse(this.reader.offset, `${name} (${key}) is missing, or a key before it should not be there`);
  }

  /** Refuses keys that nobody asked for: unknown, twice or out of order. */
  finish(): void {
    if (this.pending < 0 && this.left > 0) this.pending = this.reader.readUint();
    if (this.pending >= 0) refuse(this.reader.offset, `key ${this.pending} is unknown, or twice, or not in order`);
  }
}

const noOperations: readonly RawOperation[] = [];
const noBody: TransactionBody = { senml: undefined, operations: noOperations };

function readAlg(reader: CborReader): number {
  const at = reader.offset;
  const alg = reader.readInteger();
  if (alg !== -19 && alg !== -9 && alg !== -8 && alg !== -7) refuse(at, 'alg is -19 or -8 (Ed25519), -9 or -7 (P-256)');
  return alg;
}

function readContentType(reader: CborReader): 112 | 65001 {
  const at = reader.offset;
  const type = reader.readUint();
  if (type !== contentType.senml && type !== contentType.body) refuse(at, 'the content type is 112 or 65001');
  return type;
}

function readSeconds(reader: CborReader): number {
  const at = reader.offset;
  const seconds = reader.readUint();
  if (seconds > headerSecondsMax) refuse(at, 'a time in a header lies before the year 10000');
  return seconds;
}

function readLimitedText(reader: CborReader): string {
  const at = reader.offset;
  const text = reader.readText();
  if (reader.offset - at > headerTextBytesMax) refuse(at, `a text in a header has at most ${headerTextBytesMax} bytes`);
  return text;
}

function readSized(reader: CborReader, size: number, claimText: string): Uint8Array {
  const at = reader.offset;
  const bytes = reader.readBytes();
  if (bytes.length !== size) refuse(at, claimText);
  return bytes;
}

function bytesToCounter(bytes: Uint8Array): bigint {
  const high = ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0;
  const low = ((bytes[4]! << 24) | (bytes[5]! << 16) | (bytes[6]! << 8) | bytes[7]!) >>> 0;
  return high === 0 ? BigInt(low) : (BigInt(high) << 32n) | BigInt(low);
}

function viewOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
}

function refuse(at: number, message: string): never {
  throw new CborFault('cbor.type', message, at);
}
