import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { type KeyAlgorithm, nobleSigner, nobleVerifier, type Verifier } from '@cairn-ledger/core';
import fc from 'fast-check';
import { nodeCryptoVerifier } from './node-crypto-verifier.ts';
import { createNodeSigner } from './signer.ts';
import { sodiumVerifier } from './sodium-verifier.ts';

const verifiers: readonly Verifier[] = [nobleVerifier, sodiumVerifier, nodeCryptoVerifier];
const algorithm = fc.constantFrom<KeyAlgorithm>('ed25519', 'p256');
const secretKey = fc.uint8Array({ minLength: 32, maxLength: 32 }).filter((bytes) => bytes[0]! > 0 && bytes[0]! < 255);
const message = fc.uint8Array({ maxLength: 300 });
/** One bit of key, message or signature. */
const change = fc.record({ part: fc.nat(2), pick: fc.nat() });

test('every verifier accepts what every signer signs, and nothing with one bit changed', () => {
  fc.assert(
    fc.property(algorithm, secretKey, message, change, (name, secret, text, { part, pick }) => {
      for (const signer of [nobleSigner(name, secret), createNodeSigner(name, secret)]) {
        const parts = [signer.publicKey, text, signer.sign(text)] as const;
        assert.deepEqual(verdictsOf(name, ...parts), [true, true, true]);
        if (parts[part]!.length === 0) continue;
        const changed = parts.map((bytes, i) => (i === part ? withBitFlipped(bytes, pick) : bytes));
        assert.deepEqual(verdictsOf(name, changed[0]!, changed[1]!, changed[2]!), [false, false, false]);
      }
    }),
    settings(60),
  );
});

test('both signers have the same public key and kid for one secret', () => {
  fc.assert(
    fc.property(algorithm, secretKey, (name, secret) => {
      const [plain, fast] = [nobleSigner(name, secret), createNodeSigner(name, secret)];
      assert.deepEqual(fast.publicKey, plain.publicKey);
      assert.deepEqual(fast.kid, plain.kid);
    }),
    settings(50),
  );
});

test('verifiers agree on random bytes of any length, and none throws', () => {
  const loose = (size: number) =>
    fc.oneof(fc.uint8Array({ minLength: size, maxLength: size }), fc.uint8Array({ maxLength: 140 }));
  fc.assert(
    fc.property(algorithm, loose(32), loose(65), message, loose(64), (name, short, long, text, signature) => {
      const key = name === 'ed25519' ? short : Uint8Array.of(4, ...long.subarray(1));
      const verdicts = verdictsOf(name, key, text, signature);
      assert.deepEqual(new Set(verdicts).size, 1);
      const codes = verifiers.map((verifier) => {
        const checked = verifier.checkPublicKey(name, key);
        return checked.ok ? 'ok' : checked.error.code;
      });
      assert.equal(new Set(codes).size, 1, codes.join());
    }),
    settings(300),
  );
});

function verdictsOf(name: KeyAlgorithm, publicKey: Uint8Array, text: Uint8Array, signature: Uint8Array): boolean[] {
  return verifiers.map((verifier) => verifier.verify(name, publicKey, text, signature));
}

function withBitFlipped(bytes: Uint8Array, pick: number): Uint8Array {
  const bit = pick % (bytes.length * 8);
  const changed = bytes.slice();
  changed[bit >> 3]! ^= 1 << (bit & 7);
  return changed;
}

function settings(runs: number): { seed: number; numRuns: number } {
  const seed = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31));
  console.log(`seed ${seed} (again with FUZZ_SEED=${seed})`);
  return { seed, numRuns: Number(process.env.FUZZ_RUNS ?? runs) };
}
