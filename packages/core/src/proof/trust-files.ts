/**
 * What is kept beside a receipt, or in its stead (wire-format.md section 4):
 *
 *     EpochsFile = [ "cairn-epochs", 1, ledgerHash, [* bstr .cbor EpochProof] ]        ; epochs ascend without gaps
 *     AnchorFile = [ "cairn-anchor", 1, ledgerHash, epoch, setDigest, certifiedSeconds, [+ [id, checkpointKey]] ]
 *
 * The proofs of an epochs file prove themselves from an anchor on, so it may come from anybody. An anchor file is trusted as
 * it stands: it is worth as much as the place it was kept in.
 */
import { type Cbor, encodeCbor } from '../bytes/cbor.ts';
import { compareBytes } from '../bytes/hex.ts';
import { bytesOf, decodeShape, listOf, requireShape, textOf, tupleOf, uintOf } from '../bytes/shape.ts';
import { type Hash, toEpoch, toHash } from '../model/brands.ts';
import { issuedSecondsMax } from '../model/checkpoint.ts';
import { type EpochProof, encodeEpochProof, readEpochProof } from '../model/epoch-proof.ts';
import { isName } from '../model/names.ts';
import { validatorSetMax } from '../model/validator-set.ts';
import { type CairnError, fail, type Result } from '../result.ts';
import { epochOf } from './epochs.ts';
import { type AnchorValidator, createTrustAnchor, type TrustAnchor } from './trust-anchor.ts';

const epochsName = 'cairn-epochs';
const anchorName = 'cairn-anchor';
const version = 1;

/** More membership changes than a network makes in a thousand years of one a week. */
export const epochsFileProofsMax = 60_000;
export const epochsFileBytesMax = 1 << 26;
export const anchorFileBytesMax = 1 << 16;

export type EpochsFile = { readonly ledgerHash: Hash; readonly proofs: readonly EpochProof[] };

export function encodeEpochsFile({ ledgerHash, proofs }: EpochsFile): Uint8Array {
  return encodeCbor([epochsName, version, ledgerHash, proofs.map(encodeEpochProof)]);
}

/** Error: `anchor.malformed`. */
export function decodeEpochsFile(bytes: Uint8Array): Result<EpochsFile, CairnError> {
  return decodeFile(bytes, epochsFileBytesMax, 'file of epoch proofs', (value) => {
    const [ledgerHash, proofs] = contentOf(value, epochsName, 2);
    const read = listOf(proofs!, epochsFileProofsMax, 'proofs', readProof);
    read.forEach((proof, i) => {
      const isNext = i === 0 || epochOf(proof) === epochOf(read[i - 1]!) + 1;
      requireShape(isNext, 'its epochs must ascend without gaps');
    });
    return { ledgerHash: toHash(bytesOf(ledgerHash!, 'ledger hash', 32)), proofs: read };
  });
}

export function encodeAnchorFile(anchor: TrustAnchor): Uint8Array {
  const { ledgerHash, epoch, setDigest, certifiedSeconds, validators } = anchor;
  const rows = validators.map(({ id, checkpointKey }): Cbor => [id, checkpointKey]);
  return encodeCbor([anchorName, version, ledgerHash, epoch, setDigest, certifiedSeconds, rows]);
}

/** Error: `anchor.malformed`. */
export function decodeAnchorFile(bytes: Uint8Array): Result<TrustAnchor, CairnError> {
  return decodeFile(bytes, anchorFileBytesMax, 'trust anchor', (value) => {
    const [ledgerHash, epochValue, setDigest, certifiedSeconds, rows] = contentOf(value, anchorName, 5);
    const epoch = uintOf(epochValue!, 'epoch');
    requireShape(epoch >= 1, 'epochs count from 1');
    return createTrustAnchor({
      ledgerHash: toHash(bytesOf(ledgerHash!, 'ledger hash', 32)),
      epoch: toEpoch(epoch),
      setDigest: toHash(bytesOf(setDigest!, 'digest of the set', 32)),
      certifiedSeconds: uintOf(certifiedSeconds!, 'time', issuedSecondsMax),
      validators: readValidators(rows!),
    });
  });
}

function readProof(value: Cbor): EpochProof {
  const proof = decodeShape('anchor.malformed', bytesOf(value, 'epoch proof'), readEpochProof);
  requireShape(proof.ok, proof.ok ? '' : proof.error.message);
  return proof.value;
}

const encoder = new TextEncoder();

function readValidators(value: Cbor): AnchorValidator[] {
  const validators = listOf(value, validatorSetMax, 'validators', (row): AnchorValidator => {
    const [id, checkpointKey] = tupleOf(row, 2, 'validator');
    const name = textOf(id!, 'validator id', 32);
    requireShape(isName(name), 'validator id must be 1 to 32 of a-z, 0-9 and -');
    return { id: name, checkpointKey: bytesOf(checkpointKey!, 'checkpoint key', 32) };
  });
  requireShape(validators.length >= 1, 'a validator set has members');
  validators.forEach(({ id }, i) => {
    const isAscending = i === 0 || compareBytes(encoder.encode(validators[i - 1]!.id), encoder.encode(id)) < 0;
    requireShape(isAscending, 'validators must ascend by id, none twice');
  });
  const keys = new Set(validators.map(({ checkpointKey }) => checkpointKey.join()));
  requireShape(keys.size === validators.length, 'two validators have the same checkpoint key');
  return validators;
}

/** What follows name and version in a file of `name`. */
function contentOf(value: Cbor, name: string, fieldsCount: number): Cbor[] {
  requireShape(Array.isArray(value) && value[0] === name, `it does not begin with "${name}"`);
  requireShape(value[1] === version, `this release reads version ${version} of it`);
  return tupleOf(value, 2 + fieldsCount, name).slice(2);
}

function decodeFile<T>(
  bytes: Uint8Array,
  bytesMax: number,
  what: string,
  read: (value: Cbor) => T,
): Result<T, CairnError> {
  const file: Result<T, CairnError> =
    bytes.length > bytesMax
      ? fail({ code: 'anchor.malformed', message: `it has more than ${bytesMax} bytes` })
      : decodeShape('anchor.malformed', bytes, read);
  if (file.ok) return file;
  return fail({ ...file.error, message: `This is not a ${what} of Cairn: ${file.error.message}.` });
}
