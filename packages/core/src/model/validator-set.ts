/**
 * A validator set: who votes in an epoch, with which keys, and where to reach them.
 *
 *     ValidatorSet = [ + Validator ]                                  ; ascending by id, bytewise
 *     Validator    = [ id, member, linkKey, votingKey, checkpointKey, [* address], host / null, operator / null,
 *                      life: bstr .size 16 / null ]
 *
 * The digest of the set is part of every checkpoint, so a reader knows which keys the next ones are signed with.
 */
import { type Cbor, encodeCbor } from '../bytes/cbor.ts';
import { compareBytes } from '../bytes/hex.ts';
import { bytesOf, listOf, requireShape, textOf, tupleOf } from '../bytes/shape.ts';
import { sha256 } from '../crypto/hash.ts';
import { assert } from '../result.ts';
import type { Hash } from './brands.ts';
import { isName } from './names.ts';

export const validatorSetMax = 256;
export const addressesMax = 8;
export const lifeSizeBytes = 16;
const textMax = 255;

export type Validator = {
  readonly id: string;
  /** The member it votes for. */
  readonly member: string;
  /** Ed25519, 32 bytes: identifies its links. */
  readonly linkKey: Uint8Array;
  /** Ed25519, 32 bytes: signs votes and batches. */
  readonly votingKey: Uint8Array;
  /** Ed25519, 32 bytes: signs checkpoints. */
  readonly checkpointKey: Uint8Array;
  /** "host:port", in order of preference. */
  readonly addresses: readonly string[];
  /** Where it runs, as its member says: shows how much falls with one machine. */
  readonly host?: string;
  /** Who runs it, if not the member itself. */
  readonly operator?: string;
  /**
   * 16 bytes: the life number of the safety record it signs with (protocol.md section 6); null for the first record of a
   * validator of the genesis.
   */
  readonly life: Uint8Array | null;
};

/** Q = n - f, with f = floor((n - 1) / 3) (protocol.md section 1). */
export function quorum(validatorsCount: number): number {
  assert(Number.isSafeInteger(validatorsCount) && validatorsCount >= 1, 'a validator set has members');
  return validatorsCount - Math.floor((validatorsCount - 1) / 3);
}

const encoder = new TextEncoder();

export function sortValidators(validators: readonly Validator[]): Validator[] {
  return [...validators].sort((a, b) => compareBytes(encoder.encode(a.id), encoder.encode(b.id)));
}

/** SHA-256 over the set in its order by id; the order given does not matter. */
export function validatorSetDigest(validators: readonly Validator[]): Hash {
  return sha256(encodeCbor(sortValidators(validators).map(validatorToCbor)));
}

export function validatorToCbor(validator: Validator): Cbor {
  return [
    validator.id,
    validator.member,
    validator.linkKey,
    validator.votingKey,
    validator.checkpointKey,
    [...validator.addresses],
    validator.host ?? null,
    validator.operator ?? null,
    validator.life,
  ];
}

/** Reads a set: ascending ids, no key twice in one role. For use inside `readShape` or `decodeShape`. */
export function readValidatorSet(value: Cbor): Validator[] {
  const validators = listOf(value, validatorSetMax, 'validator set', readValidator);
  requireShape(validators.length >= 1, 'a validator set has members');
  validators.forEach((validator, i) => {
    const before = validators[i - 1];
    const isAscending =
      before === undefined || compareBytes(encoder.encode(before.id), encoder.encode(validator.id)) < 0;
    requireShape(isAscending, 'validators must ascend by id, none twice');
  });
  for (const role of ['linkKey', 'votingKey', 'checkpointKey'] as const) {
    const keys = new Set(validators.map((validator) => validator[role].join()));
    requireShape(keys.size === validators.length, `two validators have the same ${role}`);
  }
  return validators;
}

export function readValidator(value: Cbor): Validator {
  const [id, member, linkKey, votingKey, checkpointKey, addresses, host, operator, life] = tupleOf(
    value,
    9,
    'validator',
  );
  return {
    id: nameOf(id!, 'validator id'),
    member: nameOf(member!, 'member of a validator'),
    linkKey: bytesOf(linkKey!, 'link key', 32),
    votingKey: bytesOf(votingKey!, 'voting key', 32),
    checkpointKey: bytesOf(checkpointKey!, 'checkpoint key', 32),
    addresses: listOf(addresses!, addressesMax, 'addresses', (item) => textOf(item, 'address', textMax)),
    ...(host !== null && { host: textOf(host!, 'host', textMax) }),
    ...(operator !== null && { operator: textOf(operator!, 'operator', textMax) }),
    life: life === null ? null : bytesOf(life!, 'life number', lifeSizeBytes),
  };
}

function nameOf(value: Cbor, what: string): string {
  const text = textOf(value, what, 32);
  requireShape(isName(text), `${what} must be 1 to 32 of a-z, 0-9 and -`);
  return text;
}
