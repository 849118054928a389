/** Making transactions (wire-format.md section 3): the bytes to sign, and the message with its signature. */
import { type Encodable, encodeCbor, writeValue } from '../bytes/cbor.ts';
import { CborWriter } from '../bytes/cbor-writer.ts';
import { encodeCoseSign1, encodeSigStructure } from '../bytes/cose.ts';
import { sha256 } from '../crypto/hash.ts';
import { coseAlgorithmsOf } from '../crypto/keys.ts';
import type { KeyAlgorithm, Signer } from '../crypto/verifier.ts';
import { assert } from '../result.ts';
import type { Hash } from './brands.ts';
import {
  audienceOf,
  bodyKey,
  claim,
  contentType,
  type HashEnvelope,
  headerLabel,
  transactionBytesMax,
} from './transaction.ts';

export type TransactionContent = {
  readonly ledgerHash: Uint8Array;
  /** Of the signing key: never the same twice. */
  readonly counter: bigint;
  /** A pack as `encodePack` or `jsonToPack` make it: CBOR in the payload profile. */
  readonly senml?: Uint8Array | undefined;
  readonly operations?: readonly (readonly [code: number, ...arguments: Encodable[]])[] | undefined;
  /** In place of readings and operations: SHA-256 of a document. */
  readonly hashEnvelope?: (Partial<HashEnvelope> & { readonly hash: Uint8Array }) | undefined;
  readonly expiresSeconds?: number | undefined;
  /** Needed where readings have relative times. */
  readonly issuedSeconds?: number | undefined;
  readonly iss?: string | undefined;
  readonly sub?: string | undefined;
};

export type UnsignedTransaction = {
  /** The same with every signature. */
  readonly id: Hash;
  readonly signedBytes: Uint8Array;
  readonly protectedBytes: Uint8Array;
  readonly payload: Uint8Array;
};

/** What a key of that algorithm and kid has to sign: for signers that are asynchronous or elsewhere. */
export function prepareTransaction(
  content: TransactionContent,
  algorithm: KeyAlgorithm,
  kid: Uint8Array,
): UnsignedTransaction {
  assert(kid.length === 8, 'a kid has 8 bytes');
  assert(content.counter >= 0n && content.counter < 1n << 64n, 'a counter has 64 bits');
  const payload = payloadOf(content);
  const protectedBytes = encodeHeader(content, coseAlgorithmsOf(algorithm)[0], kid);
  const signedBytes = encodeSigStructure(protectedBytes, payload);
  return { id: sha256(signedBytes), signedBytes, protectedBytes, payload };
}

/** The message with its signature, of 64 bytes. */
export function completeTransaction(unsigned: UnsignedTransaction, signature: Uint8Array): Uint8Array<ArrayBuffer> {
  assert(signature.length === 64, 'a signature has 64 bytes');
  const { protectedBytes, payload } = unsigned;
  const bytes = encodeCoseSign1({ protectedBytes, payload, signature });
  assert(bytes.length <= transactionBytesMax, 'a transaction to sign has at most 65,535 bytes');
  return bytes;
}

export function signTransaction(content: TransactionContent, signer: Signer): Uint8Array<ArrayBuffer> {
  const unsigned = prepareTransaction(content, signer.algorithm, signer.kid);
  return completeTransaction(unsigned, signer.sign(unsigned.signedBytes));
}

function contentTypeOf({ operations, hashEnvelope }: TransactionContent): number | null {
  if (hashEnvelope !== undefined) return null;
  return operations === undefined || operations.length === 0 ? contentType.senml : contentType.body;
}

function encodeHeader(content: TransactionContent, alg: number, kid: Uint8Array): Uint8Array {
  const type = contentTypeOf(content);
  const header = new Map<number, Encodable>([[headerLabel.alg, alg]]);
  if (type !== null) header.set(headerLabel.contentType, type);
  header.set(headerLabel.kid, kid);
  header.set(headerLabel.claims, claimsOf(content));
  if (content.hashEnvelope !== undefined) {
    const { preimageType, location } = content.hashEnvelope;
    header.set(headerLabel.hashAlg, -16);
    if (preimageType !== undefined && preimageType !== null) header.set(headerLabel.preimageType, preimageType);
    if (location !== undefined && location !== null) header.set(headerLabel.location, location);
  }
  return encodeCbor(header);
}

function claimsOf(content: TransactionContent): Map<number, Encodable> {
  const claims = new Map<number, Encodable>();
  if (content.iss !== undefined) claims.set(claim.issuer, content.iss);
  if (content.sub !== undefined) claims.set(claim.subject, content.sub);
  claims.set(claim.audience, audienceOf(content.ledgerHash));
  if (content.expiresSeconds !== undefined) claims.set(claim.expires, content.expiresSeconds);
  if (content.issuedSeconds !== undefined) claims.set(claim.issued, content.issuedSeconds);
  return claims.set(claim.counter, counterToBytes(content.counter));
}

function payloadOf(content: TransactionContent): Uint8Array {
  const { senml, operations = [], hashEnvelope } = content;
  if (hashEnvelope !== undefined) {
    assert(
      senml === undefined && operations.length === 0,
      'a hash envelope stands in place of readings and operations',
    );
    assert(hashEnvelope.hash.length === 32, 'a hash envelope holds a hash of 32 bytes');
    return hashEnvelope.hash;
  }
  assert(senml !== undefined || operations.length > 0, 'a transaction has readings, operations or both');
  if (operations.length === 0) return senml!;
  const writer = new CborWriter();
  writer.writeMapHeader(senml === undefined ? 1 : 2);
  if (senml !== undefined) {
    writer.writeUint(bodyKey.senml);
    writer.writeRaw(senml);
  }
  writer.writeUint(bodyKey.operations);
  writeValue(writer, operations, 1);
  return writer.finish();
}

function counterToBytes(counter: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, counter);
  return bytes;
}
