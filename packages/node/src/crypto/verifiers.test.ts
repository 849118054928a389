/** The three Verifiers give one verdict, the one of wire-format.md section 2, on every edge known. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KeyAlgorithm, nobleVerifier, type Verifier } from '@cairn-ledger/core';
import { nodeCryptoVerifier } from './node-crypto-verifier.ts';
import { createNodeSigner } from './signer.ts';
import { sodiumVerifier } from './sodium-verifier.ts';
import { makeEd25519Cases } from './testing/ed25519-cases.ts';
import { readSpeccheck, readWycheproof, type VectorCase } from './testing/vector-cases.ts';

const verifiers: readonly Verifier[] = [nobleVerifier, sodiumVerifier, nodeCryptoVerifier];

test("all verifiers give our rule's verdict on made Ed25519 edge cases", () => {
  const cases = makeEd25519Cases();
  assert.ok(cases.length > 400);
  assert.ok(
    cases.filter(({ isValid }) => isValid).length > 20,
    'torsion that cancels out is valid without the cofactor',
  );
  checkCases('ed25519', cases);
});

test('all verifiers accept only case 3 of ed25519-speccheck', (t) => {
  const cases = readSpeccheck();
  if (cases === null) return t.skip('vectors not present');
  checkCases('ed25519', cases);
});

test('all verifiers give the verdicts of Wycheproof for Ed25519', (t) => {
  const cases = readWycheproof('ed25519_test.json');
  if (cases === null) return t.skip('vectors not present');
  checkCases('ed25519', cases);
});

test('all verifiers give the verdicts of Wycheproof for P-256', (t) => {
  const cases = readWycheproof('ecdsa_secp256r1_sha256_p1363_test.json');
  if (cases === null) return t.skip('vectors not present');
  checkCases('p256', cases);
});

test('P-256 signatures with high s are as good as those with low s', () => {
  const signer = createNodeSigner('p256', new Uint8Array(32).fill(11));
  const message = Uint8Array.of(1, 2, 3);
  const signature = signer.sign(message);
  const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).toString('hex')}`);
  const other = Uint8Array.of(
    ...signature.subarray(0, 32),
    ...Buffer.from((order - s).toString(16).padStart(64, '0'), 'hex'),
  );
  for (const verifier of verifiers) {
    assert.ok(verifier.verify('p256', signer.publicKey, message, signature), verifier.id);
    assert.ok(verifier.verify('p256', signer.publicKey, message, other), verifier.id);
  }
});

test('P-256 keys in any other form than an uncompressed point verify nothing', () => {
  const signer = createNodeSigner('p256', new Uint8Array(32).fill(12));
  const message = Uint8Array.of(1);
  const signature = signer.sign(message);
  const { publicKey } = signer;
  const compressed = Uint8Array.of(2 + (publicKey[64]! & 1), ...publicKey.subarray(1, 33));
  const hybrid = Uint8Array.of(6 + (publicKey[64]! & 1), ...publicKey.subarray(1));
  const offCurve = publicKey.slice();
  offCurve[64]! ^= 1;
  for (const verifier of verifiers) {
    for (const key of [compressed, hybrid, offCurve, new Uint8Array(0), new Uint8Array(65)]) {
      assert.equal(verifier.verify('p256', key, message, signature), false, verifier.id);
      assert.equal(verifier.checkPublicKey('p256', key).ok, false, verifier.id);
    }
    assert.ok(verifier.checkPublicKey('p256', publicKey).ok, verifier.id);
  }
});

test('all verifiers refuse the same Ed25519 keys at registration, with the same code', () => {
  const keys = new Map(makeEd25519Cases().map(({ publicKey }) => [publicKey.join(), publicKey]));
  const codes = new Set<string>();
  for (const publicKey of keys.values()) {
    const [expected, ...others] = verifiers.map((verifier) => {
      const checked = verifier.checkPublicKey('ed25519', publicKey);
      return checked.ok ? 'ok' : checked.error.code;
    });
    for (const other of others) assert.equal(other, expected, Buffer.from(publicKey).toString('hex'));
    codes.add(expected!);
  }
  assert.deepEqual([...codes].sort(), ['key.malformed', 'key.weak', 'ok']);
});

test('a key with torsion is refused at registration, although signatures under it may hold', () => {
  const withTorsion = makeEd25519Cases().find(({ name, isValid }) => isValid === true && name.startsWith('key + 1 T'))!;
  for (const verifier of verifiers) {
    assert.ok(verifier.verify('ed25519', withTorsion.publicKey, withTorsion.message, withTorsion.signature));
    const checked = verifier.checkPublicKey('ed25519', withTorsion.publicKey);
    assert.equal(!checked.ok && checked.error.code, 'key.weak', verifier.id);
  }
});

function checkCases(algorithm: KeyAlgorithm, cases: readonly VectorCase[]): void {
  for (const { name, publicKey, message, signature, isValid } of cases) {
    for (const verifier of verifiers) {
      const verdict = verifier.verify(algorithm, publicKey, message, signature);
      assert.equal(verdict, isValid, `${verifier.id}: ${name}`);
    }
  }
}
