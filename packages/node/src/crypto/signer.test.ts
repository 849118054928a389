import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from '@cairn-ledger/core';
import { installNodeSha256 } from './sha256.ts';
import { createNodeSigner, createSecretKey } from './signer.ts';
import { sodiumVerifier } from './sodium-verifier.ts';

test('Ed25519 keys and signatures are those of RFC 8032 section 7.1, test 2', () => {
  const secretKey = Buffer.from('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb', 'hex');
  const signer = createNodeSigner('ed25519', secretKey);
  assert.equal(
    Buffer.from(signer.publicKey).toString('hex'),
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
  );
  assert.equal(
    Buffer.from(signer.sign(Uint8Array.of(0x72))).toString('hex'),
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  );
});

test('new secrets differ and sign for both algorithms', () => {
  for (const algorithm of ['ed25519', 'p256'] as const) {
    const [one, two] = [createSecretKey(algorithm), createSecretKey(algorithm)];
    assert.notDeepEqual(one, two);
    const signer = createNodeSigner(algorithm, one);
    const message = Uint8Array.of(1, 2, 3);
    assert.ok(sodiumVerifier.verify(algorithm, signer.publicKey, message, signer.sign(message)));
    assert.ok(sodiumVerifier.checkPublicKey(algorithm, signer.publicKey).ok);
  }
});

test('a P-256 secret of zero is refused', () => {
  assert.throws(() => createNodeSigner('p256', new Uint8Array(32)));
});

test('the hash of node:crypto takes the place of plain JavaScript', () => {
  const before = sha256(Uint8Array.of(1, 2, 3));
  installNodeSha256();
  const after = sha256(Uint8Array.of(1, 2, 3));
  assert.deepEqual(after, before);
  assert.equal(Object.getPrototypeOf(after), Uint8Array.prototype);
});
