/**
 * The one rule for Ed25519 ("strict, cofactorless"; wire-format.md section 2), as far as it can be decided on the bytes.
 *
 * Libraries differ on encodings that honest signers never produce, and nodes that differ on a signature fork. So every
 * Verifier asks this rule first and its library only afterwards: the signature has 64 bytes and the key 32; S < L; A and R
 * are canonical (y < p) and none of the small-order points. What is left, the cofactorless equation, is the same everywhere.
 *
 * Bytes are compared, no numbers made: this runs before each verification and must cost next to nothing.
 */
import { type CairnError, fail, ok, type Result } from '../result.ts';

/** L = 2^252 + 27742317777372353535851937790883648493, the order of the base point; little-endian (RFC 8032). */
const orderBytes = Uint8Array.of(
  ...[0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14],
  ...[0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10],
);

/**
 * The y coordinates (little-endian, sign bit clear) of the eight points of small order: order 4, 1, 8, 8 and 2. With
 * either sign bit they are refused, which covers the encodings of x = 0 with a sign as well.
 */
const smallOrderYs: readonly Uint8Array[] = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map((hex) => Uint8Array.from({ length: 32 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)));

/** Whether the rule allows this signature and key to be verified at all. */
export function passesEd25519Rule(publicKey: Uint8Array, signature: Uint8Array): boolean {
  return (
    publicKey.length === 32 &&
    signature.length === 64 &&
    isBelowOrder(signature, 32) &&
    isCanonical(signature) &&
    !isSmallOrder(signature) &&
    isCanonical(publicKey) &&
    !isSmallOrder(publicKey)
  );
}

/** What the rule says about a key alone; that it is on the curve and free of torsion is for the Verifier to check. */
export function checkEd25519KeyBytes(publicKey: Uint8Array): Result<void, CairnError> {
  if (publicKey.length !== 32) {
    return fail({ code: 'key.malformed', message: `an Ed25519 key has 32 bytes, this one has ${publicKey.length}` });
  }
  if (!isCanonical(publicKey)) {
    return fail({ code: 'key.malformed', message: 'the Ed25519 key is not canonically encoded (y >= p)' });
  }
  if (isSmallOrder(publicKey)) return fail(weakKey);
  return ok(undefined);
}

/** A key whose signatures would say nothing about who made them. */
export const weakKey: CairnError = {
  code: 'key.weak',
  message: 'the Ed25519 key has a component of small order; no honest key generator makes one. Make a new key.',
};

export const offCurveKey: CairnError = {
  code: 'key.malformed',
  message: 'the key is not a point on its curve. Check how it was copied.',
};

/** Whether the 32 bytes from `offset` are, as a little-endian number, below L. */
function isBelowOrder(bytes: Uint8Array, offset: number): boolean {
  for (let i = 31; i >= 0; i--) {
    const byte = bytes[offset + i]!;
    const limit = orderBytes[i]!;
    if (byte !== limit) return byte < limit;
  }
  return false;
}

/** Whether y, the first 32 bytes without the highest bit, is below p = 2^255 - 19. */
function isCanonical(point: Uint8Array): boolean {
  if ((point[31]! & 0x7f) !== 0x7f || point[0]! < 0xed) return true;
  for (let i = 1; i < 31; i++) if (point[i] !== 0xff) return true;
  return false;
}

function isSmallOrder(point: Uint8Array): boolean {
  for (const y of smallOrderYs) {
    if (point[0] === y[0] && (point[31]! & 0x7f) === y[31] && isEqualInside(point, y)) return true;
  }
  return false;
}

function isEqualInside(point: Uint8Array, y: Uint8Array): boolean {
  for (let i = 1; i < 31; i++) if (point[i] !== y[i]) return false;
  return true;
}
