import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzSettings } from '../bytes/testing/fuzz.ts';
import { sha256 } from '../crypto/hash.ts';
import { leafHash, merkleRoot, proveInclusion } from '../crypto/merkle.ts';
import { nobleSigner } from '../crypto/noble-signer.ts';
import { nobleVerifier } from '../crypto/noble-verifier.ts';
import { toEpoch, toHeight } from '../model/brands.ts';
import { checkpointSignedBytes, protectedHeaderOf } from '../model/checkpoint.ts';
import { bundleToReceipts, decodeBundle, decodeReceipt, encodeBundle } from '../model/receipt.ts';
import { verifyReceipt } from './receipt.ts';
import { createTrustAnchor } from './trust-anchor.ts';

const ledgerHash = sha256(Uint8Array.of(0));
const ids = ['a', 'b', 'c', 'd'];
const signers = ids.map((_, i) => nobleSigner('ed25519', new Uint8Array(32).fill(i + 1)));
const validators = ids.map((id, i) => ({ id, checkpointKey: signers[i]!.publicKey }));
const anchor = createTrustAnchor({
  ledgerHash,
  epoch: toEpoch(1),
  validators,
  setDigest: ledgerHash,
  certifiedSeconds: 0,
});
const transaction = Uint8Array.of(1, 2, 3);
const leaves = [transaction, Uint8Array.of(4), Uint8Array.of(5)].map((bytes) => leafHash(sha256(bytes)));

const rows = signers.slice(0, 3).map((signer, i) => {
  const hash = sha256(Uint8Array.of(9));
  const statement = {
    ledgerHash,
    epoch: toEpoch(1),
    height: toHeight(5),
    round: 0,
    historySize: 3,
    stateRoot: hash,
    validatorSet: hash,
  };
  const protectedHeader = protectedHeaderOf({ statement, kid: signer.kid, signer: ids[i]!, issuedSeconds: 1 });
  return { protectedHeader, signature: signer.sign(checkpointSignedBytes(protectedHeader, merkleRoot(leaves))) };
});
const bundle = { proof: { treeSize: 3, leafIndex: 0, path: proveInclusion(leaves, 0) }, rows };
const encoded = encodeBundle(bundle);

test('no receipt verifies with one bit of it, or of the transaction, changed', () => {
  assert.ok(verifyReceipt(anchor, encoded, transaction, nobleVerifier).ok);
  fc.assert(
    fc.property(fc.boolean(), fc.nat(), (isReceipt, pick) => {
      const receipt = isReceipt ? withBitFlipped(encoded, pick) : encoded;
      const bytes = isReceipt ? transaction : withBitFlipped(transaction, pick);
      const verified = verifyReceipt(anchor, receipt, bytes, nobleVerifier);
      assert.ok(!verified.ok);
      assert.match(verified.error.code, /^receipt\./);
    }),
    fuzzSettings(300),
  );
});

test('what decodes as a bundle encodes to the same bytes', () => {
  fc.assert(
    fc.property(fc.nat(), (pick) => {
      const changed = withBitFlipped(encoded, pick);
      const decoded = decodeBundle(changed);
      if (decoded.ok) assert.deepEqual(encodeBundle(decoded.value), changed);
    }),
    fuzzSettings(1000),
  );
});

test('no bytes at all break the decoders', () => {
  const receipt = bundleToReceipts(bundle)[0]!;
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.nat(encoded.length).map((size) => encoded.subarray(0, size)),
    fc.nat(receipt.length).map((size) => receipt.subarray(0, size)),
    fc.nat().map((pick) => withBitFlipped(receipt, pick)),
  );
  fc.assert(
    fc.property(bytes, (input) => {
      const asBundle = decodeBundle(input);
      assert.ok(asBundle.ok || asBundle.error.code.startsWith('receipt.'));
      const asReceipt = decodeReceipt(input);
      assert.ok(asReceipt.ok || asReceipt.error.code === 'receipt.malformed');
    }),
    fuzzSettings(1000),
  );
  const tooLarge = decodeBundle(new Uint8Array(1 << 18));
  assert.equal(!tooLarge.ok && tooLarge.error.code, 'receipt.malformed');
});

function withBitFlipped(bytes: Uint8Array, pick: number): Uint8Array {
  const bit = pick % (bytes.length * 8);
  const changed = bytes.slice();
  changed[bit >> 3]! ^= 1 << (bit & 7);
  return changed;
}
