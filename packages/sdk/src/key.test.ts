import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, verify } from 'node:crypto';
import { test } from 'node:test';
import { keyId, nobleVerifier } from '@cairn-ledger/core';
import { createKey, createSigner, keyToText, publicKeyToText, textToKey, textToPublicKey } from './key.ts';

const algorithms = ['ed25519', 'p256'] as const;
const message = new TextEncoder().encode('a reading');

test('keys are different every time, and named by their thumbprint', () => {
  for (const algorithm of algorithms) {
    const [a, b] = [createKey(algorithm), createKey(algorithm)];
    assert.notDeepEqual(a.secretKey, b.secretKey);
    assert.deepEqual(a.kid, keyId(algorithm, a.publicKey));
  }
});

test('a key in text is a JSON Web Key that other tools read, and signs what they verify', () => {
  for (const algorithm of algorithms) {
    const key = createKey(algorithm);
    const read = textToKey(keyToText(key));
    assert.deepEqual(read.ok && read.value, key);
    const jwk = createPrivateKey({ key: JSON.parse(keyToText(key)), format: 'jwk' });
    const signature = createSigner(key).sign(message);
    assert.ok(nobleVerifier.verify(algorithm, key.publicKey, message, signature));
    const digest = algorithm === 'ed25519' ? null : 'sha256';
    assert.ok(verify(digest, message, { key: createPublicKey(jwk), dsaEncoding: 'ieee-p1363' }, signature));
  }
});

test('a public key in text comes back as it went in; others are refused', () => {
  for (const algorithm of algorithms) {
    const { publicKey } = createKey(algorithm);
    const read = textToPublicKey(publicKeyToText({ algorithm, publicKey }));
    assert.deepEqual(read.ok && read.value, { algorithm, publicKey });
  }
  for (const text of [
    '',
    'ed25519',
    'ed25519:AA',
    'rsa:AAAA',
    `p256:${'A'.repeat(43)}`,
    `ed25519:${'A'.repeat(43)}:x`,
  ]) {
    const read = textToPublicKey(text);
    assert.equal(!read.ok && read.error.code, 'keyfile.malformed', text);
  }
});
