import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFakeSigner, fakeVerifier } from './fake-crypto.ts';

const message = new TextEncoder().encode('a message');
const verify = (publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array) =>
  fakeVerifier.verify('ed25519', publicKey, bytes, signature);

test("a simulated signature holds for its signer's key and its message, and for nothing else", () => {
  const signer = createFakeSigner('a');
  const signature = signer.sign(message);
  assert.equal(verify(signer.publicKey, message, signature), true);
  assert.equal(verify(signer.publicKey.slice(), message, signature), true);
  assert.equal(verify(createFakeSigner('b').publicKey, message, signature), false);
  assert.equal(verify(new Uint8Array(32), message, signature), false);
  for (let i = 0; i < message.length; i++) {
    const changed = message.slice();
    changed[i]! ^= 1;
    assert.equal(verify(signer.publicKey, changed, signature), false, `byte ${i} of the message`);
  }
  for (let i = 0; i < signature.length; i++) {
    const changed = signature.slice();
    changed[i]! ^= 0x80;
    assert.equal(verify(signer.publicKey, message, changed), false, `byte ${i} of the signature`);
  }
  assert.equal(verify(signer.publicKey, message, signature.subarray(0, 63)), false);
});

test('what a public key shows does not let one sign: another signer of the same message gives another tag', () => {
  const tags = new Set(Array.from({ length: 1_000 }, (_, i) => createFakeSigner(`${i}`).sign(message).join()));
  assert.equal(tags.size, 1_000);
});

test('the same name signs the same bytes, so that a world can be replayed', () => {
  assert.deepEqual(createFakeSigner('a').sign(message), createFakeSigner('a').sign(message));
});
