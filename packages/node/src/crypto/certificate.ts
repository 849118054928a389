/**
 * The certificate a node shows on its links: self-signed, made from its Ed25519 link key at start, never stored.
 *
 * TLS wants an X.509 certificate; Cairn only wants the key in it. The other side compares that key with the one pinned
 * on the ledger (architecture.md, "Transport") and ignores everything else, so the certificate says as little as
 * RFC 5280 and RFC 8410 allow: no extensions, the same name for issuer and subject, and the notAfter that RFC 5280
 * section 4.1.2.5 keeps for "no well-defined expiration date". Nothing expires, nobody signs for anybody else.
 * The TLS 1.3 handshake itself proves that the peer holds the private key (CertificateVerify, RFC 8446 section 4.4.3).
 */
import { createHash, createPrivateKey, createPublicKey, sign, type X509Certificate } from 'node:crypto';
import { assert } from '@cairn-ledger/core';

/** What a node needs to prove who it is on a link. */
export type LinkIdentity = {
  /** 32 bytes; the value pinned on the ledger as the validator's link key. */
  readonly publicKey: Uint8Array;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
};

const SECRET_KEY_BYTES = 32;
const PUBLIC_KEY_BYTES = 32;

/** SubjectPublicKeyInfo of an Ed25519 key up to the key itself (RFC 8410 section 4). */
const SPKI_PREFIX = Uint8Array.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00);
/** PrivateKeyInfo of an Ed25519 key up to the secret itself (RFC 8410 section 7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/**
 * Makes the identity of a link from its secret key.
 *
 * @param secretKey the 32-byte Ed25519 seed; not kept in this form
 */
export function createLinkIdentity(secretKey: Uint8Array): LinkIdentity {
  assert(secretKey.length === SECRET_KEY_BYTES, 'an Ed25519 secret key has 32 bytes');
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, secretKey]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const toBeSigned = encodeTbsCertificate(spki);
  const certificate = sequence(toBeSigned, ED25519_ALGORITHM, bitString(sign(null, toBeSigned, privateKey)));
  return {
    publicKey: new Uint8Array(spki.subarray(SPKI_PREFIX.length)),
    certificatePem: toPem('CERTIFICATE', certificate),
    privateKeyPem: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  };
}

/** The 32-byte Ed25519 key of a certificate; null when it holds any other kind of key. Never throws. */
export function ed25519KeyOf(certificate: X509Certificate): Uint8Array | null {
  let spki: Uint8Array;
  try {
    spki = certificate.publicKey.export({ format: 'der', type: 'spki' });
  } catch {
    return null;
  }
  if (spki.length !== SPKI_PREFIX.length + PUBLIC_KEY_BYTES) return null;
  if (!SPKI_PREFIX.every((byte, index) => spki[index] === byte)) return null;
  return new Uint8Array(spki.subarray(SPKI_PREFIX.length));
}

// DER (ITU-T X.690), as much of it as one certificate needs.

const TAG = {
  integer: 0x02,
  bitString: 0x03,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  version: 0xa0,
} as const;

/** id-Ed25519, 1.3.101.112; its parameters are absent (RFC 8410 section 3). */
const ED25519_ALGORITHM = sequence(element(TAG.objectIdentifier, Uint8Array.of(0x2b, 0x65, 0x70)));
/** id-at-commonName, 2.5.4.3. */
const COMMON_NAME = element(TAG.objectIdentifier, Uint8Array.of(0x55, 0x04, 0x03));

function encodeTbsCertificate(spki: Uint8Array): Uint8Array {
  const name = sequence(element(TAG.set, sequence(COMMON_NAME, element(TAG.utf8String, ascii('cairn link')))));
  const validity = sequence(
    element(TAG.utcTime, ascii('200101000000Z')),
    element(TAG.generalizedTime, ascii('99991231235959Z')),
  );
  const version3 = element(TAG.version, element(TAG.integer, Uint8Array.of(2)));
  return sequence(version3, serialNumberOf(spki), ED25519_ALGORITHM, name, validity, name, spki);
}

/** A positive, non-zero integer of 16 bytes that depends on the key only, so that the same key gives the same bytes. */
function serialNumberOf(spki: Uint8Array): Uint8Array {
  const serial = createHash('sha256').update(spki).digest().subarray(0, 16);
  serial[0] = (serial[0]! & 0x3f) | 0x40;
  return element(TAG.integer, serial);
}

function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return element(TAG.sequence, ...parts);
}

/** A bit string of whole bytes: none of its bits is unused. */
function bitString(bytes: Uint8Array): Uint8Array {
  return element(TAG.bitString, Uint8Array.of(0), bytes);
}

function element(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((total, part) => total + part.length, 0);
  return Buffer.concat([Uint8Array.of(tag, ...lengthBytes(length)), ...parts]);
}

function lengthBytes(length: number): readonly number[] {
  if (length < 0x80) return [length];
  if (length < 0x100) return [0x81, length];
  assert(length < 0x10000, 'a link certificate is shorter than 64 KiB');
  return [0x82, length >> 8, length & 0xff];
}

function ascii(text: string): Uint8Array {
  return Buffer.from(text, 'ascii');
}

function toPem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
