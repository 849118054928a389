import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '../bytes/hex.ts';
import { checkEd25519KeyBytes, offCurveKey, passesEd25519Rule } from './ed25519-rule.ts';
import { nobleSigner } from './noble-signer.ts';

const signer = nobleSigner('ed25519', new Uint8Array(32).fill(5));
const signature = signer.sign(Uint8Array.of(1, 2, 3));
const order = 2n ** 252n + 27742317777372353535851937790883648493n;
const prime = 2n ** 255n - 19n;

test('an honest signature passes', () => {
  assert.ok(passesEd25519Rule(signer.publicKey, signature));
});

test('only 64 bytes of signature and 32 of key pass', () => {
  for (const size of [0, 1, 32, 63, 65, 128]) assert.ok(!passesEd25519Rule(signer.publicKey, resized(signature, size)));
  for (const size of [0, 31, 33, 64]) assert.ok(!passesEd25519Rule(resized(signer.publicKey, size), signature));
});

test('S below the order passes, S from the order on does not', () => {
  for (const scalar of [0n, 1n, 2n ** 252n, order - 1n]) {
    assert.ok(passesEd25519Rule(signer.publicKey, withScalar(scalar)), `S = ${scalar}`);
  }
  for (const scalar of [order, order + 1n, 2n ** 253n, 2n ** 255n, 2n ** 256n - 1n]) {
    assert.ok(!passesEd25519Rule(signer.publicKey, withScalar(scalar)), `S = ${scalar}`);
  }
});

test('no y of p or more passes, neither as key nor as R, whatever the sign', () => {
  for (let y = prime; y < 2n ** 255n; y++) {
    for (const sign of [0n, 2n ** 255n]) {
      const point = littleEndian(y + sign);
      assert.ok(!passesEd25519Rule(point, signature));
      assert.ok(!passesEd25519Rule(signer.publicKey, withCommitment(point)));
      assert.equal(codeOf(point), 'key.malformed');
    }
  }
  const below = [prime - 2n, prime - 2n ** 8n, prime - 2n ** 240n, prime - 2n ** 248n, 2n, 2n ** 254n];
  for (const y of below) assert.ok(checkEd25519KeyBytes(littleEndian(y)).ok);
});

test('a key of another size is malformed', () => {
  for (const size of [0, 31, 33, 64]) assert.equal(codeOf(resized(signer.publicKey, size)), 'key.malformed');
  assert.equal(offCurveKey.code, 'key.malformed');
});

test('no point of small order passes, neither as key nor as R, whatever the sign', () => {
  const eight = '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05';
  const otherEight = 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a';
  const points = [littleEndian(0n), littleEndian(1n), littleEndian(prime - 1n), fromHex(eight)!, fromHex(otherEight)!];
  for (const positive of points) {
    const negative = positive.slice();
    negative[31]! |= 0x80;
    for (const point of [positive, negative]) {
      assert.ok(!passesEd25519Rule(point, signature));
      assert.ok(!passesEd25519Rule(signer.publicKey, withCommitment(point)));
      assert.equal(codeOf(point), 'key.weak');
    }
  }
});

test('a point that differs from one of small order in a single byte passes', () => {
  for (const at of [1, 15, 30]) {
    const point = littleEndian(1n);
    point[at] = 1;
    assert.equal(codeOf(point), 'ok', `byte ${at}`);
  }
});

function codeOf(publicKey: Uint8Array): string {
  const checked = checkEd25519KeyBytes(publicKey);
  return checked.ok ? 'ok' : checked.error.code;
}

function withScalar(scalar: bigint): Uint8Array {
  return Uint8Array.of(...signature.subarray(0, 32), ...littleEndian(scalar));
}

function withCommitment(point: Uint8Array): Uint8Array {
  return Uint8Array.of(...point, ...signature.subarray(32));
}

function resized(bytes: Uint8Array, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => bytes[i] ?? 0);
}

function littleEndian(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}
