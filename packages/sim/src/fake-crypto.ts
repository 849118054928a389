/**
 * Signatures for the simulator only: a keyed hash over the message. Who holds the signer can sign, nobody else: the secret
 * is known to the signer and to the verifier here, and to no code of a replica or an adversary. The hash is not a
 * cryptographic one, since nothing in a world tries to break it, and so a signature costs a hundredth of a real one's hash.
 *
 * Signatures are deterministic, as Ed25519's are: the same world is the same to the byte.
 */
import { keyId, ok, type Signer, sha256, toHex, type Verifier } from '@cairn-ledger/core';

type Secret = { readonly a: number; readonly b: number };

const signatureBytes = 64;
/** Of a signature, so many bytes carry the tag; the others are zero. */
const tagBytes = 8;

/** Secrets by public key: by the very array, which is what verifiers are mostly asked with, and by its bytes. */
const secretsByArray = new WeakMap<Uint8Array, Secret>();
const secretsByText = new Map<string, Secret>();

export const fakeVerifier: Verifier = {
  id: 'fake',
  verify: (_algorithm, publicKey, message, signature) => {
    const secret = secretOf(publicKey);
    if (secret === undefined || signature.length !== signatureBytes) return false;
    const expected = tagOf(secret, message);
    for (let i = 0; i < tagBytes; i++) if (signature[i] !== expected[i]) return false;
    for (let i = tagBytes; i < signatureBytes; i++) if (signature[i] !== 0) return false;
    return true;
  },
  checkPublicKey: () => ok(undefined),
};

/** The signer of a name: the same name gives the same keys. */
export function createFakeSigner(name: string): Signer {
  const publicKey = sha256(encoder.encode(`public key of ${name}`));
  const seed = sha256(encoder.encode(`secret of ${name}`));
  const view = new DataView(seed.buffer, seed.byteOffset, seed.byteLength);
  const secret = { a: view.getUint32(0), b: view.getUint32(4) };
  secretsByArray.set(publicKey, secret);
  secretsByText.set(toHex(publicKey), secret);
  return {
    algorithm: 'ed25519',
    publicKey,
    kid: keyId('ed25519', publicKey),
    sign: (message) => tagOf(secret, message),
  };
}

const encoder = new TextEncoder();

function secretOf(publicKey: Uint8Array): Secret | undefined {
  const known = secretsByArray.get(publicKey) ?? secretsByText.get(toHex(publicKey));
  if (known !== undefined) secretsByArray.set(publicKey, known);
  return known;
}

/** Two multiply-and-rotate hashes over the message, each with a half of the secret, mixed at the end (as MurmurHash3 does). */
function tagOf(secret: Secret, message: Uint8Array): Uint8Array {
  let { a, b } = secret;
  for (let i = 0; i < message.length; i++) {
    const byte = message[i]!;
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(((b << 5) | (b >>> 27)) ^ byte, 0x9e3779b1);
  }
  a = mix(a ^ message.length);
  b = mix(b ^ a);
  a = mix(a ^ secret.b);
  const signature = new Uint8Array(signatureBytes);
  for (let i = 0; i < 4; i++) {
    signature[i] = a >>> (8 * i);
    signature[4 + i] = b >>> (8 * i);
  }
  return signature;
}

function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
