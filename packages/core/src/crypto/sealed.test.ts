import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeCbor } from '../bytes/cbor.ts';
import { toHash } from '../model/brands.ts';
import { sha256 } from './hash.ts';
import { nobleSigner } from './noble-signer.ts';
import { nobleVerifier } from './noble-verifier.ts';
import { signedBytes } from './sealed.ts';
import { acceptVerdicts, verifySignatures } from './verified.ts';

const ledgerHash = sha256(Uint8Array.of(1));
const body = Uint8Array.of(0x82, 1, 2);

test('what is signed names the system, the kind and the ledger', () => {
  const decoded = decodeCbor(signedBytes('notarize', ledgerHash, body));
  assert.deepEqual(decoded.ok && decoded.value, ['cairn', 'notarize', ledgerHash, body]);
  assert.throws(() => signedBytes('notarize', toHash(new Uint8Array(31)), body), /32 bytes/);
});

test('a value is verified only when every one of its signatures holds', () => {
  const signer = nobleSigner('ed25519', new Uint8Array(32).fill(3));
  const message = signedBytes('notarize', ledgerHash, body);
  const good = { publicKey: signer.publicKey, message, signature: signer.sign(message) };
  const bad = { ...good, message: signedBytes('finalize', ledgerHash, body) };
  const value = { name: 'vote' };
  assert.equal(verifySignatures(value, [good, good], nobleVerifier), value);
  assert.equal(verifySignatures(value, [good, bad], nobleVerifier), null);
  assert.equal(acceptVerdicts(value, [true, true]), value);
  assert.equal(acceptVerdicts(value, [true, false]), null);
});
