/**
 * Signatures on the edges where Ed25519 libraries differ, made with plain arithmetic: torsion in key and commitment, points of
 * small order, encodings that are not canonical, S from the order on. For tests only.
 */
import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';

import type { VectorCase } from './vector-cases.ts';

type Point = InstanceType<typeof ed25519.Point>;

const { Point } = ed25519;
const order = Point.Fn.ORDER;
const prime = Point.Fp.ORDER;

/** The secret scalar and the nonce of all cases: any will do. */
const secret = 0x1234567890abcdef1234567890abcdefn;
const nonce = 0xfedcba0987654321fedcba0987654321n;

/** A point of order 8, and its multiples: all eight points of small order. */
const generator = Point.fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a');
const smallOrderPoints: readonly Point[] = Array.from({ length: 8 }, (_, i) => generator.multiplyUnsafe(BigInt(i)));

export function makeEd25519Cases(): VectorCase[] {
  return [
    ...makeTorsionCases(),
    ...makeSmallOrderCases(),
    ...makeNonCanonicalCases(),
    ...makeScalarCases(),
    ...makeSizeCases(),
  ];
}

/** Every library that multiplies by the cofactor accepts all of these; ours only those that hold without. */
function makeTorsionCases(): VectorCase[] {
  const cases: VectorCase[] = [];
  for (let keyTorsion = 0; keyTorsion < 8; keyTorsion++) {
    for (let commitmentTorsion = 0; commitmentTorsion < 8; commitmentTorsion++) {
      for (let i = 0; i < 4; i++) {
        const message = Uint8Array.of(keyTorsion, commitmentTorsion, i);
        const publicKey = Point.BASE.multiply(secret).add(smallOrderPoints[keyTorsion]!).toBytes();
        const commitment = Point.BASE.multiply(nonce).add(smallOrderPoints[commitmentTorsion]!).toBytes();
        const challenge = challengeOf(commitment, publicKey, message);
        const signature = join(commitment, littleEndian((nonce + challenge * secret) % order));
        const leftover = (BigInt(commitmentTorsion) + challenge * BigInt(keyTorsion)) % 8n;
        const name = `key + ${keyTorsion} T, R + ${commitmentTorsion} T, message ${i}`;
        cases.push({ name, publicKey, message, signature, isValid: leftover === 0n });
      }
    }
  }
  return cases;
}

function makeSmallOrderCases(): VectorCase[] {
  const encodings = allEncodings().filter(({ isSmall }) => isSmall);
  const honest = honestCase();
  const cases: VectorCase[] = [];
  for (const key of encodings) {
    for (const commitment of encodings) {
      const signature = join(commitment.bytes, littleEndian(0n));
      const name = `small ${key.name} with R small ${commitment.name}`;
      cases.push({ name, publicKey: key.bytes, message: honest.message, signature, isValid: false });
    }
    // With a key that is the identity, R = [S]B holds for every message.
    const anything = join(Point.BASE.multiply(7n).toBytes(), littleEndian(7n));
    cases.push({
      name: `small ${key.name}`,
      publicKey: key.bytes,
      message: honest.message,
      signature: anything,
      isValid: false,
    });
  }
  for (const commitment of encodings) {
    // R of small order on purpose: S = k a, so that [S]B - [k]A is the identity.
    const challenge = challengeOf(commitment.bytes, honest.publicKey, honest.message);
    const signature = join(commitment.bytes, littleEndian((challenge * secret) % order));
    cases.push({ ...honest, name: `R small ${commitment.name}`, signature, isValid: false });
  }
  return cases;
}

/** y from p on, and x = 0 with a sign: encodings that some decoders take for the point meant. */
function makeNonCanonicalCases(): VectorCase[] {
  const honest = honestCase();
  return allEncodings()
    .filter(({ isCanonical }) => !isCanonical)
    .flatMap(({ name, bytes }) => [
      { ...honest, name: `key ${name}`, publicKey: bytes, isValid: false },
      { ...honest, name: `R ${name}`, signature: join(bytes, honest.signature.subarray(32)), isValid: false },
    ]);
}

function makeScalarCases(): VectorCase[] {
  const honest = honestCase();
  const commitment = honest.signature.subarray(0, 32);
  const scalar = fromLittleEndian(honest.signature.subarray(32));
  const scalars = [0n, 1n, order - 1n, order, order + 1n, 2n ** 252n, 2n ** 253n, 2n ** 255n, 2n ** 256n - 1n];
  const multiples = [1n, 2n, 7n, 15n].map((factor) => scalar + factor * order).filter((value) => value < 2n ** 256n);
  return [
    { ...honest, name: 'honest', isValid: true },
    ...[...scalars, ...multiples].map((value) => ({
      ...honest,
      name: `S = ${value}`,
      signature: join(commitment, littleEndian(value)),
      isValid: false,
    })),
  ];
}

function makeSizeCases(): VectorCase[] {
  const honest = honestCase();
  const resize = (bytes: Uint8Array, size: number) => Uint8Array.from({ length: size }, (_, i) => bytes[i] ?? 0);
  return [
    ...[0, 1, 32, 63, 65, 96, 128].map((size) => ({
      ...honest,
      name: `signature of ${size}`,
      signature: resize(honest.signature, size),
      isValid: false,
    })),
    ...[0, 1, 31, 33, 64].map((size) => ({
      ...honest,
      name: `key of ${size}`,
      publicKey: resize(honest.publicKey, size),
      isValid: false,
    })),
  ];
}

function honestCase(): VectorCase {
  const message = new TextEncoder().encode('temperature 21.5');
  const publicKey = Point.BASE.multiply(secret).toBytes();
  const commitment = Point.BASE.multiply(nonce).toBytes();
  const challenge = challengeOf(commitment, publicKey, message);
  return {
    name: 'honest',
    publicKey,
    message,
    signature: join(commitment, littleEndian((nonce + challenge * secret) % order)),
    isValid: true,
  };
}

type Encoding = {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly isSmall: boolean;
  readonly isCanonical: boolean;
};

/** All encodings of the points of small order, and all with y from p on. */
function allEncodings(): Encoding[] {
  const smallYs = new Set(smallOrderPoints.map((point) => point.toAffine().y));
  const ys = [...smallYs, ...Array.from({ length: 19 }, (_, i) => prime + BigInt(i))];
  return ys.flatMap((y) =>
    [0n, 1n].map((sign) => {
      const isSmall = smallYs.has(y % prime);
      const hasNoSign = y % prime === 1n || y % prime === prime - 1n;
      return {
        name: `y = ${y < prime ? y.toString(16) : `p + ${y - prime}`}, sign ${sign}`,
        bytes: littleEndian(y + (sign << 255n)),
        isSmall,
        isCanonical: y < prime && !(hasNoSign && sign === 1n),
      };
    }),
  );
}

function challengeOf(commitment: Uint8Array, publicKey: Uint8Array, message: Uint8Array): bigint {
  return fromLittleEndian(sha512(join(commitment, publicKey, message))) % order;
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function littleEndian(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

function fromLittleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}
