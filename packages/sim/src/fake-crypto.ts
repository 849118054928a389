/**
 * Signatures for the simulator only: a "signature" is a hash over the public key and the message, so anybody could forge
 * one. The worlds here forge nothing; they need what a signature binds, at a hundredth of its cost.
 */
import { keyId, ok, type Signer, sha256, type Verifier } from '@cairn-ledger/core';

export const fakeVerifier: Verifier = {
  id: 'fake',
  verify: (_algorithm, publicKey, message, signature) => {
    const expected = fakeSignature(publicKey, message);
    return signature.length === 64 && expected.every((byte, i) => byte === signature[i]);
  },
  checkPublicKey: () => ok(undefined),
};

export function createFakeSigner(name: string): Signer {
  const publicKey = sha256(new TextEncoder().encode(name));
  return {
    algorithm: 'ed25519',
    publicKey,
    kid: keyId('ed25519', publicKey),
    sign: (message) => fakeSignature(publicKey, message),
  };
}

function fakeSignature(publicKey: Uint8Array, message: Uint8Array): Uint8Array {
  const input = new Uint8Array(publicKey.length + message.length);
  input.set(publicKey);
  input.set(message, publicKey.length);
  const digest = sha256(input);
  const signature = new Uint8Array(64);
  signature.set(digest);
  signature.set(digest, 32);
  return signature;
}
