import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isUncompressedPoint, passesP256Rule } from './p256-rule.ts';

const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const key = Uint8Array.of(4, ...new Uint8Array(64).fill(1));

test('r and s pass from 1 to n - 1, whichever byte decides', () => {
  const inside = [1n, 2n ** 64n, 2n ** 128n + 1n, order - 2n ** 200n, order - 2n ** 40n, order - 1n, order >> 1n];
  for (const scalar of inside) {
    assert.ok(passesP256Rule(key, signatureOf(scalar, 1n)), `r = ${scalar}`);
    assert.ok(passesP256Rule(key, signatureOf(1n, scalar)), `s = ${scalar}`);
  }
  const outside = [0n, order, order + 1n, order + 2n ** 40n, order + 2n ** 200n, 2n ** 256n - 1n];
  for (const scalar of outside) {
    assert.ok(!passesP256Rule(key, signatureOf(scalar, 1n)), `r = ${scalar}`);
    assert.ok(!passesP256Rule(key, signatureOf(1n, scalar)), `s = ${scalar}`);
  }
});

test('only 64 bytes of signature pass', () => {
  const signature = signatureOf(1n, 1n);
  for (const size of [0, 32, 63, 65, 128])
    assert.ok(
      !passesP256Rule(
        key,
        Uint8Array.from({ length: size }, (_, i) => signature[i] ?? 1),
      ),
    );
});

test('only 65 bytes that begin with 4 are an uncompressed point, and no other key passes', () => {
  assert.ok(isUncompressedPoint(key));
  const others = [key.subarray(0, 64), Uint8Array.of(...key, 0), key.subarray(0, 0), new Uint8Array(65).fill(2)];
  for (const other of others) {
    assert.ok(!isUncompressedPoint(other));
    assert.ok(!passesP256Rule(other, signatureOf(1n, 1n)));
  }
});

function signatureOf(r: bigint, s: bigint): Uint8Array {
  return Uint8Array.of(...bigEndian(r), ...bigEndian(s));
}

function bigEndian(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * (31 - i))) & 0xffn));
}
