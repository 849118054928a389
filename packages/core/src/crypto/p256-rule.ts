/**
 * The rule for ECDSA P-256 with SHA-256 (wire-format.md section 2), as far as it can be decided on the bytes: the key is an
 * uncompressed point of 65 bytes, the signature r || s of 64, both from 1 to n - 1. High s is accepted, since secure elements
 * produce it; so nothing may depend on signature bytes.
 */

/** n, the order of the base point (FIPS 186-5, SEC 2); big-endian. */
const orderBytes = Uint8Array.of(
  ...[0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  ...[0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51],
);

/** Whether the rule allows this signature and key to be verified at all. */
export function passesP256Rule(publicKey: Uint8Array, signature: Uint8Array): boolean {
  return isUncompressedPoint(publicKey) && signature.length === 64 && isScalar(signature, 0) && isScalar(signature, 32);
}

/** Whether the bytes have the form of an uncompressed point; that it is on the curve is for the Verifier to check. */
export function isUncompressedPoint(publicKey: Uint8Array): boolean {
  return publicKey.length === 65 && publicKey[0] === 0x04;
}

/** Whether the 32 bytes from `offset` are a big-endian number from 1 to n - 1. */
function isScalar(bytes: Uint8Array, offset: number): boolean {
  for (let i = 0; i < 32; i++) {
    const byte = bytes[offset + i]!;
    const limit = orderBytes[i]!;
    if (byte !== limit) return byte < limit && !isZero(bytes, offset);
  }
  return false;
}

function isZero(bytes: Uint8Array, offset: number): boolean {
  for (let i = 0; i < 32; i++) if (bytes[offset + i] !== 0) return false;
  return true;
}
