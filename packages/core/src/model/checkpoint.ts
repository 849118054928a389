/**
 * A checkpoint: the outcome of executing the chain up to a height, signed by every validator in the form of a COSE Receipt
 * signature (RFC 9942; wire-format.md section 4).
 *
 *     ReceiptHeader = { 1 => -19, 4 => kid, 15 => { 1 => issuer, 2 => validator id, 6 => block time in s }, 395 => 1,
 *                       -65537 => [ ledgerHash, epoch, height, round, historySize, stateRoot, validatorSet ] }
 *     signed        = [ "Signature1", protected: bstr .cbor ReceiptHeader, h'', historyRoot ]
 *
 * RFC 9942 signs the root of the tree alone; the rest of the statement stands in the protected header, which is signed with it.
 * Two statements are compared by `checkpointDigest`, never by signatures or headers: kid, subject and time vary.
 */
import { bytesToBase64url } from '../bytes/base64url.ts';
import { type Cbor, type Encodable, encodeCbor } from '../bytes/cbor.ts';
import { equalBytes } from '../bytes/hex.ts';
import { bytesOf, decodeShape, requireShape, textOf, tupleOf, uintOf } from '../bytes/shape.ts';
import { sha256 } from '../crypto/hash.ts';
import type { CairnError, Result } from '../result.ts';
import { type Epoch, type Hash, type Height, toEpoch, toHash, toHeight } from './brands.ts';

export type CheckpointStatement = {
  readonly ledgerHash: Hash;
  readonly epoch: Epoch;
  readonly height: Height;
  /** 0, or the number of the operator's recorded command after which the height was executed again. */
  readonly round: number;
  /** Leaves of the history tree. */
  readonly historySize: number;
  readonly historyRoot: Hash;
  readonly stateRoot: Hash;
  /** Digest of the set that signs the next height. */
  readonly validatorSet: Hash;
};

/** Everything a checkpoint signature covers except the history root, which is the detached payload. */
export type CheckpointHeader = {
  readonly statement: Omit<CheckpointStatement, 'historyRoot'>;
  /** 8 bytes: the checkpoint key of the signer. */
  readonly kid: Uint8Array;
  /** Id of the validator that signs. */
  readonly signer: string;
  /** Block time in whole seconds. */
  readonly issuedSeconds: number;
};

const algorithmLabel = 1;
const kidLabel = 4;
const claimsLabel = 15;
/** RFC 9942: which verifiable data structure; 1 is RFC 9162 with SHA-256. */
const structureLabel = 395;
const statementLabel = -65537;

/** The last round that an operator's command may begin: a block names a result by its digest, so that its round is found by trying. */
export const roundMax = 255;

/** The last moment that ECMAScript dates reach, so that every time can be shown. */
export const issuedSecondsMax = 8_640_000_000_000;

/** COSE algorithm of checkpoint signatures: Ed25519 (RFC 9864). */
const checkpointAlgorithm = -19;

/** The issuer of a ledger's receipts: a name for people and for other COSE tools; the statement holds the full hash. */
export function issuerOf(ledgerHash: Hash): string {
  return `cairn:${bytesToBase64url(ledgerHash.subarray(0, 8))}`;
}

/** The protected header of one validator's checkpoint signature. */
export function protectedHeaderOf(header: CheckpointHeader): Uint8Array {
  const { statement, kid, signer, issuedSeconds } = header;
  return encodeCbor(
    new Map<number, Encodable>([
      [algorithmLabel, checkpointAlgorithm],
      [kidLabel, kid],
      [
        claimsLabel,
        new Map<number, Encodable>([
          [1, issuerOf(statement.ledgerHash)],
          [2, signer],
          [6, issuedSeconds],
        ]),
      ],
      [structureLabel, 1],
      [
        statementLabel,
        [
          statement.ledgerHash,
          statement.epoch,
          statement.height,
          statement.round,
          statement.historySize,
          statement.stateRoot,
          statement.validatorSet,
        ],
      ],
    ]),
  );
}

/** The bytes a validator signs: RFC 9052 Sig_structure with the history root as detached payload. */
export function checkpointSignedBytes(protectedHeader: Uint8Array, historyRoot: Hash): Uint8Array {
  return encodeCbor(['Signature1', protectedHeader, new Uint8Array(0), historyRoot]);
}

/** Reads a protected header strictly: exactly these labels, and the issuer that belongs to the ledger hash. */
export function decodeProtectedHeader(bytes: Uint8Array): Result<CheckpointHeader, CairnError> {
  return decodeShape('receipt.malformed', bytes, (value) => {
    const header = mapOf(
      value,
      [algorithmLabel, kidLabel, claimsLabel, structureLabel, statementLabel],
      'receipt header',
    );
    requireShape(header(algorithmLabel) === checkpointAlgorithm, 'a receipt is signed with Ed25519 (algorithm -19)');
    requireShape(header(structureLabel) === 1, 'a receipt is over an RFC 9162 tree with SHA-256 (structure 1)');
    const claims = mapOf(header(claimsLabel), [1, 2, 6], 'receipt claims');
    const statement = readStatementWithoutRoot(header(statementLabel));
    requireShape(
      claims(1) === issuerOf(statement.ledgerHash),
      'the issuer of a receipt is the ledger of its statement',
    );
    return {
      statement,
      kid: bytesOf(header(kidLabel), 'kid', 8),
      signer: textOf(claims(2), 'subject', 32),
      issuedSeconds: uintOf(claims(6), 'time', issuedSecondsMax),
    };
  });
}

/** The same statement is asked about several times while signatures of it come in. */
const digests = new WeakMap<CheckpointStatement, Hash>();

/** Digest of a statement: what two validators mean when they signed "the same". */
export function checkpointDigest(statement: CheckpointStatement): Hash {
  let digest = digests.get(statement);
  if (digest === undefined) {
    digest = sha256(encodeCheckpointStatement(statement));
    digests.set(statement, digest);
  }
  return digest;
}

/** The same result in the later round that has this digest; null where none has: no more than some hundred are tried. */
export function laterRoundOf(statement: CheckpointStatement, digest: Uint8Array): CheckpointStatement | null {
  for (let round = statement.round + 1; round <= roundMax; round++) {
    const later = { ...statement, round };
    if (equalBytes(checkpointDigest(later), digest)) return later;
  }
  return null;
}

export function encodeCheckpointStatement(statement: CheckpointStatement): Uint8Array {
  return encodeCbor(checkpointStatementToCbor(statement));
}

/** In the order of protocol.md section 4. */
export function checkpointStatementToCbor(statement: CheckpointStatement): Cbor {
  return [
    statement.ledgerHash,
    statement.epoch,
    statement.height,
    statement.round,
    statement.historySize,
    statement.historyRoot,
    statement.stateRoot,
    statement.validatorSet,
  ];
}

export function decodeCheckpointStatement(bytes: Uint8Array): Result<CheckpointStatement, CairnError> {
  return decodeShape('checkpoint.malformed', bytes, readCheckpointStatement);
}

/** For use inside `readShape` or `decodeShape`. */
export function readCheckpointStatement(value: Cbor): CheckpointStatement {
  const fields = tupleOf(value, 8, 'checkpoint statement');
  const historyRoot = toHash(bytesOf(fields[5]!, 'history root', 32));
  return { ...readStatementWithoutRoot([...fields.slice(0, 5), ...fields.slice(6)]), historyRoot };
}

function readStatementWithoutRoot(value: Cbor): Omit<CheckpointStatement, 'historyRoot'> {
  const fields = tupleOf(value, 7, 'checkpoint statement');
  return {
    ledgerHash: toHash(bytesOf(fields[0]!, 'ledger hash', 32)),
    epoch: toEpoch(uintOf(fields[1]!, 'epoch')),
    height: toHeight(uintOf(fields[2]!, 'height')),
    round: uintOf(fields[3]!, 'round'),
    historySize: uintOf(fields[4]!, 'history size'),
    stateRoot: toHash(bytesOf(fields[5]!, 'state root', 32)),
    validatorSet: toHash(bytesOf(fields[6]!, 'validator set', 32)),
  };
}

/** A map with exactly these labels; returns its reader. */
function mapOf(value: Cbor, labels: readonly number[], what: string): (label: number) => Cbor {
  requireShape(value instanceof Map, `${what} must be a map`);
  requireShape(
    value.size === labels.length && labels.every((label) => value.has(label)),
    `${what} must have the labels ${labels.join(', ')}`,
  );
  return (label) => value.get(label)!;
}
