/**
 * A restart document (protocol.md section 6, "Restart"): the members' decision, taken outside the ledger, that an epoch which cannot
 * go on ends with one more block, and by whom the next one is agreed on. That block lists nothing; it names the next set, as
 * any boundary block does, and the members finalize it in place of the validators.
 *
 *     Restart       = [ "cairn-restart", 1, ledgerHash, header: bstr .cbor Header, result: bstr .size 32, ValidatorSet ]
 *     SignedRestart = [ bstr .cbor Restart, [* [ kid: bstr .size 8, signature: bstr .size 64 ] ] ]      ; kids ascend, none twice
 *
 * `result` is the digest of the checkpoint statement of the parent. What is signed is `Restart`, sealed as everything that validators
 * sign is (crypto/sealed.ts, kind "restart"). Decoding checks the form only; whether the members have signed it their ledger tells (`ledger/restart.ts`).
 */
import { type Cbor, encodeCbor } from '../bytes/cbor.ts';
import { compareBytes, equalBytes } from '../bytes/hex.ts';
import { bytesOf, decodeShape, listOf, requireShape, textOf, tupleOf, uintOf } from '../bytes/shape.ts';
import { sha256 } from '../crypto/hash.ts';
import { keyIdSizeBytes } from '../crypto/keys.ts';
import { signedBytes } from '../crypto/sealed.ts';
import { signatureSizeBytes } from '../crypto/verifier.ts';
import { type CairnError, fail, type Result } from '../result.ts';
import { type Block, blockFromParts, createBlock } from './block.ts';
import { type Hash, toHash } from './brands.ts';
import {
  readValidatorSet,
  sortValidators,
  type Validator,
  validatorSetDigest,
  validatorToCbor,
} from './validator-set.ts';

/** More than the largest set with the longest texts takes. */
export const restartBytesMax = 1 << 22;
/** Members of a ledger, and keys of a member: nobody needs more signatures. */
export const restartSignaturesMax = 4_096;
/**
 * The round of the statement of a restart block, the last one there is. Validators that have lost their records may have signed round 0 of its height, of a
 * block that nobody holds any more.
 */
export const restartRound = 65_535;

const name = 'cairn-restart';
const version = 1;
const emptyBody = encodeCbor([[], []]);

export type Restart = {
  readonly ledgerHash: Hash;
  /** The block that the members end the epoch with. */
  readonly block: Block;
  /** Digest of the checkpoint statement of its parent. */
  readonly result: Hash;
  /** The set of the next epoch, ascending by id. */
  readonly validators: readonly Validator[];
};

export type RestartSignature = {
  /** Of a person's key. */
  readonly kid: Uint8Array;
  readonly signature: Uint8Array;
};

export type SignedRestart = {
  readonly restart: Restart;
  /** Encoded. */
  readonly bytes: Uint8Array;
  /** Ascending by kid. */
  readonly signatures: readonly RestartSignature[];
};

/** The last block of an epoch that stands still, as the next one needs it. */
export type RestartPoint = {
  readonly ledgerHash: Hash;
  readonly epoch: Block['header']['epoch'];
  readonly rules: number;
  /** Height, digest and time in milliseconds of the parent. */
  readonly height: Block['header']['height'];
  readonly parent: Hash;
  readonly timeMs: number;
  /** Digest of the parent's checkpoint statement, and of that L heights below the restart block. */
  readonly result: Hash;
  readonly checkpoint: Hash;
};

/** The document that ends an epoch right above `point`, for `validators`; signed by nobody. */
export function createRestart(point: RestartPoint, validators: readonly Validator[]): SignedRestart {
  const { ledgerHash, epoch, rules, height, parent, timeMs, checkpoint, result } = point;
  const nextSet = validatorSetDigest(validators);
  const above = (height + 1) as Block['header']['height'];
  const fields = { epoch, height: above, rules, parent, timeMs: timeMs + 1, checkpoint, nextSet };
  const restart = { ledgerHash, block: createBlock(fields, [], []), result, validators: sortValidators(validators) };
  return { restart, bytes: encodeRestart(restart), signatures: [] };
}

function encodeRestart({ ledgerHash, block, result, validators }: Restart): Uint8Array {
  return encodeCbor([name, version, ledgerHash, block.headerBytes, result, validators.map(validatorToCbor)]);
}

export function encodeSignedRestart({ bytes, signatures }: SignedRestart): Uint8Array {
  return encodeCbor([bytes, signatures.map(({ kid, signature }): Cbor => [kid, signature])]);
}

/** With one more signature, in place of an earlier one by the same key. */
export function withRestartSignature(signed: SignedRestart, added: RestartSignature): SignedRestart {
  const others = signed.signatures.filter(({ kid }) => !equalBytes(kid, added.kid));
  return { ...signed, signatures: [...others, added].sort((a, b) => compareBytes(a.kid, b.kid)) };
}

/** What a person signs. */
export function restartSignedBytes({ restart, bytes }: SignedRestart): Uint8Array {
  return signedBytes('restart', restart.ledgerHash, bytes);
}

/** Names a decision, whoever has signed it. */
export function restartDigest({ bytes }: SignedRestart): Hash {
  return sha256(bytes);
}

/** Error: `restart.malformed`. */
export function decodeSignedRestart(source: Uint8Array): Result<SignedRestart, CairnError> {
  if (source.length > restartBytesMax)
    return fail({ code: 'restart.malformed', message: `it has more than ${restartBytesMax} bytes` });
  return decodeShape('restart.malformed', source, (value) => {
    const [bytesValue, signatureValues] = tupleOf(value, 2, 'signed restart document');
    const bytes = bytesOf(bytesValue!, 'restart document');
    const restart = decodeShape('restart.malformed', bytes, readRestart);
    requireShape(restart.ok, restart.ok ? '' : restart.error.message);
    const signatures = listOf(signatureValues!, restartSignaturesMax, 'signatures', readSignature);
    signatures.forEach(({ kid }, i) => {
      const isAscending = i === 0 || compareBytes(signatures[i - 1]!.kid, kid) < 0;
      requireShape(isAscending, 'signatures must ascend by key, none twice');
    });
    return { restart: restart.value, bytes, signatures };
  });
}

function readRestart(value: Cbor): Restart {
  const [nameValue, versionValue, ledgerHash, header, result, validatorValues] = tupleOf(value, 6, 'restart document');
  requireShape(textOf(nameValue!, 'name', name.length) === name, `it must begin with "${name}"`);
  requireShape(uintOf(versionValue!, 'version') === version, `its version must be ${version}`);
  const block = blockFromParts(bytesOf(header!, 'header'), emptyBody);
  requireShape(block.ok, 'its block must be one that lists nothing');
  const validators = readValidatorSet(validatorValues!);
  const { nextSet, height, epoch } = block.value.header;
  requireShape(height >= 1 && epoch >= 1, 'the genesis ends no epoch');
  const isOfSet = nextSet !== null && equalBytes(nextSet, validatorSetDigest(validators));
  requireShape(isOfSet, 'its block must name the set beside it');
  return {
    ledgerHash: toHash(bytesOf(ledgerHash!, 'ledger hash', 32)),
    block: block.value,
    result: toHash(bytesOf(result!, 'result', 32)),
    validators,
  };
}

function readSignature(value: Cbor): RestartSignature {
  const [kid, signature] = tupleOf(value, 2, 'signature');
  return {
    kid: bytesOf(kid!, 'kid', keyIdSizeBytes),
    signature: bytesOf(signature!, 'signature', signatureSizeBytes),
  };
}
