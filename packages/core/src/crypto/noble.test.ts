/** Signer and Verifier in plain JavaScript; that all Verifiers agree is tested where the others are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ed25519 } from '@noble/curves/ed25519.js';
import { fromHex, toHex } from '../bytes/hex.ts';
import { keyId } from './keys.ts';
import { nobleSigner } from './noble-signer.ts';
import { nobleVerifier } from './noble-verifier.ts';
import { publicKeySizeBytes } from './verifier.ts';

const algorithms = ['ed25519', 'p256'] as const;
const message = Uint8Array.of(1, 2, 3);
const bytes = (hex: string): Uint8Array => fromHex(hex)!;

test('Ed25519 keys and signatures are those of RFC 8032 section 7.1', () => {
  const signer = nobleSigner('ed25519', bytes('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'));
  assert.equal(toHex(signer.publicKey), 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
  assert.equal(
    toHex(signer.sign(new Uint8Array(0))),
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  );
});

test('P-256 keys and signatures are those of RFC 6979 section A.2.5, high s and all', () => {
  const signer = nobleSigner('p256', bytes('c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721'));
  const x = '60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6';
  const y = '7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299';
  assert.equal(toHex(signer.publicKey), `04${x}${y}`);
  const r = 'efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716';
  const s = 'f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8';
  const sample = new TextEncoder().encode('sample');
  assert.equal(toHex(signer.sign(sample)), r + s);
  assert.ok(nobleVerifier.verify('p256', signer.publicKey, sample, bytes(r + s)));
});

for (const algorithm of algorithms) {
  test(`${algorithm}: a signature holds for its key and message only`, () => {
    const signer = nobleSigner(algorithm, new Uint8Array(32).fill(7));
    const other = nobleSigner(algorithm, new Uint8Array(32).fill(8));
    const signature = signer.sign(message);
    assert.equal(signer.algorithm, algorithm);
    assert.deepEqual(signer.kid, keyId(algorithm, signer.publicKey));
    assert.equal(signer.publicKey.length, publicKeySizeBytes(algorithm));
    assert.equal(nobleVerifier.verify(algorithm, signer.publicKey, message, signature), true);
    assert.equal(nobleVerifier.verify(algorithm, other.publicKey, message, signature), false);
    assert.equal(nobleVerifier.verify(algorithm, signer.publicKey, Uint8Array.of(1, 2, 4), signature), false);
    for (const at of [0, 31, 32, 63]) {
      const changed = signature.slice();
      changed[at]! ^= 1;
      assert.equal(nobleVerifier.verify(algorithm, signer.publicKey, message, changed), false, `byte ${at}`);
    }
    assert.equal(nobleVerifier.verify(algorithm, signer.publicKey, message, signature.subarray(1)), false);
  });

  test(`${algorithm}: keys of a signer may be registered; others are refused, and verify nothing`, () => {
    const signer = nobleSigner(algorithm, new Uint8Array(32).fill(9));
    assert.deepEqual(nobleVerifier.checkPublicKey(algorithm, signer.publicKey), { ok: true, value: undefined });
    for (const key of [new Uint8Array(0), signer.publicKey.subarray(1), offCurve(algorithm)]) {
      assert.equal(codeOf(algorithm, key), 'key.malformed');
      assert.equal(nobleVerifier.verify(algorithm, key, message, signer.sign(message)), false);
    }
  });

  test(`${algorithm}: a signer keeps a copy of its secret, which has 32 bytes`, () => {
    const secret = new Uint8Array(32).fill(10);
    const signer = nobleSigner(algorithm, secret);
    const before = signer.sign(message);
    secret.fill(0);
    assert.deepEqual(signer.sign(message), before);
    for (const size of [0, 31, 33, 64])
      assert.throws(() => nobleSigner(algorithm, new Uint8Array(size).fill(1)), /a secret key has 32 bytes/);
  });
}

test('an Ed25519 key with a component of small order is weak, though on the curve', () => {
  const small = ed25519.Point.fromBytes(
    bytes('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'),
    true,
  );
  const mixed = ed25519.Point.BASE.multiply(5n).add(small).toBytes();
  assert.equal(codeOf('ed25519', mixed), 'key.weak');
  assert.equal(codeOf('ed25519', small.toBytes()), 'key.weak');
});

test('an algorithm that is neither is a bug of the caller', () => {
  const other = 'rsa' as 'p256';
  const isOurs = { name: 'AssertionFailed' };
  assert.throws(() => nobleVerifier.verify(other, message, message, message), isOurs);
  assert.throws(() => nobleVerifier.checkPublicKey(other, message), isOurs);
  assert.throws(() => nobleSigner(other, new Uint8Array(32)), isOurs);
});

test('the Verifier names itself', () => {
  assert.equal(nobleVerifier.id, 'noble');
});

function codeOf(algorithm: (typeof algorithms)[number], key: Uint8Array): string {
  const checked = nobleVerifier.checkPublicKey(algorithm, key);
  return checked.ok ? 'ok' : checked.error.code;
}

/** Bytes in the form of a key, and no point. */
function offCurve(algorithm: (typeof algorithms)[number]): Uint8Array {
  const key = new Uint8Array(publicKeySizeBytes(algorithm));
  key[0] = algorithm === 'ed25519' ? 2 : 4;
  return key;
}
