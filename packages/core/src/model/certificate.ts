/**
 * A certificate: one statement, the signers as a bitmap, and a quorum of signatures in ascending order of signers
 * (protocol.md section 3). Notarization, nullification and finalization are certificates of the three kinds of vote.
 *
 *     Certificate = [ kind, statement: bstr, bitmap: bstr, [+ signature: bstr .size 64] ]
 *
 * Certificates are not canonical: any quorum of signers makes one. Never hash one into state or a choice of leader.
 */
import { type Cbor, encodeCbor } from '../bytes/cbor.ts';
import { bytesOf, decodeShape, listOf, requireShape, tupleOf } from '../bytes/shape.ts';
import type { CairnError, Result } from '../result.ts';
import { toValidatorIndex, type ValidatorIndex } from './brands.ts';
import {
  encodeVoteStatement,
  readVoteStatement,
  readVoteType,
  type SignedVote,
  type Vote,
  voteTypeToCode,
} from './vote.ts';

export const validatorsMax = 256;

export type Certificate = {
  readonly vote: Vote;
  /** Ascending, without repeats. */
  readonly signers: readonly ValidatorIndex[];
  /** One of 64 bytes for each signer, in the same order. */
  readonly signatures: readonly Uint8Array[];
};

/** Makes a certificate of votes on one statement by different signers. */
export function createCertificate(votes: readonly SignedVote[]): Certificate {
  const rows = [...votes].sort((a, b) => a.signer - b.signer);
  return { vote: rows[0]!.vote, signers: rows.map((row) => row.signer), signatures: rows.map((row) => row.signature) };
}

/** The single votes a certificate consists of. */
export function votesOfCertificate(certificate: Certificate): SignedVote[] {
  return certificate.signers.map((signer, i) => ({
    vote: certificate.vote,
    signer,
    signature: certificate.signatures[i]!,
  }));
}

export function certificateToCbor(certificate: Certificate): Cbor {
  return [
    voteTypeToCode(certificate.vote.type),
    encodeVoteStatement(certificate.vote),
    encodeBitmap(certificate.signers),
    certificate.signatures as Uint8Array[],
  ];
}

export function encodeCertificate(certificate: Certificate): Uint8Array {
  return encodeCbor(certificateToCbor(certificate));
}

/** Decodes a certificate; neither the quorum nor the signatures are checked here. */
export function decodeCertificate(bytes: Uint8Array): Result<Certificate, CairnError> {
  return decodeShape('certificate.malformed', bytes, readCertificate);
}

export function readCertificate(value: Cbor): Certificate {
  const [type, statement, bitmap, signaturesValue] = tupleOf(value, 4, 'certificate');
  const vote = readVoteStatement(readVoteType(type!), bytesOf(statement!, 'statement'));
  const signers = readBitmap(bytesOf(bitmap!, 'bitmap'));
  const signatures = listOf(signaturesValue!, validatorsMax, 'signatures', (item) => bytesOf(item, 'signature', 64));
  requireShape(signers.length === signatures.length, 'as many signatures as bits in the bitmap are needed');
  return { vote, signers, signatures };
}

/** Bit i of byte floor(i / 8), lowest first, is signer i; no trailing zero bytes. */
export function encodeBitmap(signers: readonly ValidatorIndex[]): Uint8Array {
  const last = signers.at(-1);
  const bitmap = new Uint8Array(last === undefined ? 0 : (last >> 3) + 1);
  for (const signer of signers) bitmap[signer >> 3]! |= 1 << (signer & 7);
  return bitmap;
}

export function readBitmap(bitmap: Uint8Array): ValidatorIndex[] {
  requireShape(bitmap.length <= validatorsMax / 8, 'the bitmap is longer than any validator set');
  requireShape(bitmap.length === 0 || bitmap.at(-1) !== 0, 'the bitmap has a trailing zero byte');
  const signers: ValidatorIndex[] = [];
  for (let i = 0; i < bitmap.length * 8; i++) {
    if ((bitmap[i >> 3]! & (1 << (i & 7))) !== 0) signers.push(toValidatorIndex(i));
  }
  return signers;
}
