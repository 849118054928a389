/**
 * A key as registered: whose it is, and what it is for.
 *
 *     Role      = 0 device / 1 gateway / 2 person / 3 node
 *     Algorithm = -19 Ed25519 / -9 ECDSA P-256 with SHA-256                ; COSE numbers
 *     RegisteredKey = [ role, algorithm, publicKey, member, device / null ]
 *
 * A device key names its device. A gateway key may name one: then the gateway has readings and an account of its own.
 * Person and node keys belong to the member as a whole.
 */
import type { Cbor, Encodable } from '../bytes/cbor.ts';
import { bytesOf, requireShape, textOf, tupleOf, uintOf } from '../bytes/shape.ts';
import { coseAlgorithmsOf } from '../crypto/keys.ts';
import { type KeyAlgorithm, publicKeySizeBytes } from '../crypto/verifier.ts';
import { isName } from './names.ts';

export type KeyRole = 'device' | 'gateway' | 'person' | 'node';

export type RegisteredKey = {
  readonly role: KeyRole;
  readonly algorithm: KeyAlgorithm;
  readonly publicKey: Uint8Array;
  readonly member: string;
  /** Second part of `member/device`; null for a key of the member as a whole. */
  readonly device: string | null;
};

/** Keys in force, or to be, of a member as a whole, and of one device. */
export const memberKidsMax = 64;
export const deviceKidsMax = 16;

const roles: readonly KeyRole[] = ['device', 'gateway', 'person', 'node'];
const algorithms: readonly KeyAlgorithm[] = ['ed25519', 'p256'];

/** True when a key of this role may belong to this owner. */
export function isOwnerOfRole(role: KeyRole, device: string | null): boolean {
  return role === 'gateway' || (role === 'device') === (device !== null);
}

export function roleToCode(role: KeyRole): number {
  return roles.indexOf(role);
}

export function algorithmToCode(algorithm: KeyAlgorithm): number {
  return coseAlgorithmsOf(algorithm)[0];
}

export function registeredKeyToCbor(key: RegisteredKey): Encodable[] {
  return [roleToCode(key.role), algorithmToCode(key.algorithm), key.publicKey, key.member, key.device];
}

/** The readers below are for use inside `readShape` or `decodeShape`. */
export function readRegisteredKey(value: Cbor): RegisteredKey {
  const [role, algorithmCode, publicKey, member, device] = tupleOf(value, 5, 'key');
  const algorithm = readAlgorithm(algorithmCode!);
  return {
    role: readRole(role!),
    algorithm,
    publicKey: readPublicKey(algorithm, publicKey!),
    member: readName(member!, 'member'),
    device: readOptionalName(device!, 'device'),
  };
}

export function readRole(value: Cbor): KeyRole {
  return roles[uintOf(value, 'role', roles.length - 1)]!;
}

export function readAlgorithm(value: Cbor): KeyAlgorithm {
  const algorithm = algorithms.find((candidate) => algorithmToCode(candidate) === value);
  requireShape(algorithm !== undefined, 'the algorithm of a key must be -19 or -9');
  return algorithm;
}

/** Checks the size only; `Verifier.checkPublicKey` checks the point. */
export function readPublicKey(algorithm: KeyAlgorithm, value: Cbor): Uint8Array {
  return bytesOf(value, 'public key', publicKeySizeBytes(algorithm));
}

export function readName(value: Cbor, what: string): string {
  const text = textOf(value, what, 32);
  requireShape(isName(text), `${what} must be 1 to 32 of a-z, 0-9 and -`);
  return text;
}

export function readOptionalName(value: Cbor, what: string): string | null {
  return value === null ? null : readName(value, what);
}
