import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nobleSigner, nobleVerifier } from '@cairn-ledger/core';
import { createRememberingVerifier } from './remembering-verifier.ts';

const signer = nobleSigner('ed25519', new Uint8Array(32).fill(1));

test('what has held is not verified again, and nothing else is taken for it', () => {
  let count = 0;
  const verifier = createRememberingVerifier({
    ...nobleVerifier,
    verify(...question) {
      count++;
      return nobleVerifier.verify(...question);
    },
  });
  const message = Uint8Array.of(1, 2, 3);
  const signature = signer.sign(message);
  for (let i = 0; i < 3; i++) assert.ok(verifier.verify('ed25519', signer.publicKey, message, signature));
  assert.equal(count, 1);
  const flipped = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
  for (let i = 0; i < 2; i++) {
    assert.equal(verifier.verify('ed25519', flipped(signer.publicKey), message, signature), false);
    assert.equal(verifier.verify('ed25519', signer.publicKey, flipped(message), signature), false);
    assert.equal(verifier.verify('ed25519', signer.publicKey, message, flipped(signature)), false);
    assert.equal(verifier.verify('p256', signer.publicKey, message, signature), false);
    // The same bytes, cut at another place.
    const cut = Uint8Array.of(...message, ...signature.subarray(0, 1));
    assert.equal(verifier.verify('ed25519', signer.publicKey, cut, signature.subarray(1)), false);
  }
  assert.equal(count, 11, 'what does not hold is looked at each time');
});

test('more than it has room for is verified again', () => {
  let count = 0;
  const verifier = createRememberingVerifier({ ...nobleVerifier, verify: () => ++count > 0 });
  const ask = (i: number) => verifier.verify('ed25519', signer.publicKey, Uint8Array.of(i & 255, i >> 8), signer.kid);
  for (let i = 0; i < 5_000; i++) ask(i);
  ask(4_999);
  assert.equal(count, 5_000);
  ask(0);
  assert.equal(count, 5_001);
});
