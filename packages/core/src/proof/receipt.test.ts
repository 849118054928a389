import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeCbor, encodeCbor } from '../bytes/cbor.ts';
import { decodeCoseSign1, encodeSigStructure } from '../bytes/cose.ts';
import { sha256 } from '../crypto/hash.ts';
import { leafHash, merkleRoot, proveInclusion } from '../crypto/merkle.ts';
import { nobleSigner } from '../crypto/noble-signer.ts';
import { nobleVerifier } from '../crypto/noble-verifier.ts';
import type { Signer } from '../crypto/verifier.ts';
import { toEpoch, toHeight } from '../model/brands.ts';
import {
  type CheckpointStatement,
  checkpointSignedBytes,
  decodeProtectedHeader,
  protectedHeaderOf,
} from '../model/checkpoint.ts';
import {
  bundleToReceipts,
  decodeBundle,
  encodeBundle,
  type InclusionProof,
  type ReceiptRow,
  receiptsToBundle,
} from '../model/receipt.ts';
import { anchorToChain, type EpochChain, followEpochs, newestAnchor } from './epochs.ts';
import { verifyBundle, verifyReceipt, verifyReceiptOverEpochs } from './receipt.ts';
import * as epochs from './testing/epochs.ts';
import { createTrustAnchor } from './trust-anchor.ts';

const ledgerHash = sha256(Uint8Array.of(0));
const ids = ['alder', 'birch', 'cedar', 'damson'] as const;
const signers = ids.map((_, i) => nobleSigner('ed25519', new Uint8Array(32).fill(i + 1)));
const anchor = createTrustAnchor({
  ledgerHash,
  epoch: toEpoch(1),
  validators: ids.map((id, i) => ({ id, checkpointKey: signers[i]!.publicKey })),
  setDigest: sha256(Uint8Array.of(4)),
  certifiedSeconds: 0,
});

const transactions = [7, 8, 9].map((byte) => Uint8Array.of(byte, byte));
const transaction = transactions[1]!;
const leaves = [Uint8Array.of(1), Uint8Array.of(2), ...transactions].map((bytes) => leafHash(sha256(bytes)));
const proof: InclusionProof = { treeSize: leaves.length, leafIndex: 3, path: proveInclusion(leaves, 3) };
const statement: CheckpointStatement = {
  ledgerHash,
  epoch: toEpoch(1),
  height: toHeight(12),
  round: 0,
  historySize: leaves.length,
  historyRoot: merkleRoot(leaves),
  stateRoot: sha256(Uint8Array.of(3)),
  validatorSet: sha256(Uint8Array.of(4)),
};
const quorumRows = [0, 1, 2].map((i) => signRow(i));

test('a receipt of a quorum verifies and says what it proves', () => {
  const verified = verifyReceipt(anchor, encodeBundle({ proof, rows: quorumRows }), transaction, nobleVerifier);
  assert.ok(verified.ok);
  assert.deepEqual(verified.value, {
    statement,
    signers: ['alder', 'birch', 'cedar'],
    issuedSeconds: 1_700_000_000,
    height: 12,
    leafIndex: 3,
  });
});

test('a receipt with all signatures verifies, in whatever order they were put in', () => {
  const rows = [3, 1, 0, 2].map((i) => signRow(i));
  assert.equal(codeOf(proof, rows), 'ok');
});

test('one signature less than a quorum is too few', () => {
  assert.equal(codeOf(proof, quorumRows.slice(1)), 'receipt.too-few-signatures');
});

test('a signer counts once, however often it stands there', () => {
  assert.equal(codeOf(proof, [...quorumRows.slice(1), quorumRows[1]!]), 'receipt.duplicate-signer');
  const otherTime = signRow(1, {}, { issuedSeconds: 1 });
  assert.equal(codeOf(proof, [...quorumRows.slice(1), otherTime]), 'receipt.duplicate-signer');
});

test('one false signature spoils a receipt, even when enough are left without it', () => {
  const row = signRow(3);
  const signature = row.signature.slice();
  signature[5]! ^= 1;
  assert.equal(codeOf(proof, [...quorumRows, { ...row, signature }]), 'receipt.bad-signature');
  const byAnother = {
    ...row,
    signature: signers[0]!.sign(checkpointSignedBytes(row.protectedHeader, statement.historyRoot)),
  };
  assert.equal(codeOf(proof, [...quorumRows, byAnother]), 'receipt.bad-signature');
});

test('a receipt is of one transaction only, to the byte', () => {
  for (const other of [transactions[0]!, transactions[2]!, transaction.subarray(1), Uint8Array.of(...transaction, 0)]) {
    assert.equal(codeOf(proof, quorumRows, other), 'receipt.not-included');
  }
});

test('a path from another place does not verify', () => {
  assert.equal(codeOf({ ...proof, leafIndex: 2 }, quorumRows), 'receipt.not-included');
  assert.equal(codeOf({ ...proof, path: [...proof.path].reverse() }, quorumRows), 'receipt.not-included');
});

test('a path that no tree of its size has is malformed', () => {
  assert.equal(codeOf({ ...proof, path: proof.path.slice(1) }, quorumRows), 'receipt.malformed');
  assert.equal(codeOf({ ...proof, leafIndex: leaves.length }, quorumRows), 'receipt.malformed');
});

test('the size of the tree must be the one signed', () => {
  const rows = [0, 1, 2].map((i) => signRow(i, { historySize: leaves.length + 1 }));
  assert.equal(codeOf(proof, rows), 'receipt.wrong-size');
});

test('a receipt of another ledger is refused', () => {
  const rows = [0, 1, 2].map((i) => signRow(i, { ledgerHash: sha256(Uint8Array.of(99)) }));
  assert.equal(codeOf(proof, rows), 'receipt.wrong-ledger');
});

test('a receipt of an epoch the anchor does not know is refused, with the way to what is missing', () => {
  const rows = [0, 1, 2].map((i) => signRow(i, { epoch: toEpoch(2) }));
  assert.equal(codeOf(proof, rows), 'receipt.unknown-epoch');
  const later = verifyReceipt(anchor, encodeBundle({ proof, rows }), transaction, nobleVerifier);
  assert.match(!later.ok ? later.error.message : '', /epoch 2; .*no further than epoch 1.*cairn show .*\/v1\/epochs/);
  const fifth = { ...anchor, epoch: toEpoch(5) };
  const before = verifyReceipt(fifth, encodeBundle({ proof, rows }), transaction, nobleVerifier);
  assert.match(!before.ok ? before.error.message : '', /epoch 2; .*begins with epoch 5.*from the genesis/);
});

test('a receipt is verified with the validators of its own epoch, reached over the proofs', () => {
  const [oldSet, newSet] = [epochs.setOf('alder', 'birch', 'cedar', 'damson'), epochs.setOf('birch', 'cedar', 'elm')];
  const start = anchorToChain(epochs.anchorOf(1, oldSet));
  const chain = followEpochs(start, [epochs.proofOf(1, oldSet, newSet)], nobleVerifier);
  assert.ok(chain.ok);
  const receiptOf = (epoch: number, ids: readonly string[]) => {
    const rows = ids.map((id) =>
      signRow(0, { ledgerHash: epochs.ledgerHash, epoch: toEpoch(epoch) }, { id, signer: epochs.signerOf(id) }),
    );
    return encodeBundle({ proof, rows });
  };
  const codeIn = (over: EpochChain, epoch: number, ids: readonly string[]) => {
    const verified = verifyReceiptOverEpochs(over, receiptOf(epoch, ids), transaction, nobleVerifier);
    return verified.ok ? verified.value.statement.epoch : verified.error.code;
  };
  assert.equal(codeIn(chain.value, 1, ['alder', 'birch', 'cedar']), 1, 'old receipts stay valid');
  assert.equal(codeIn(chain.value, 2, ['birch', 'cedar', 'elm']), 2);
  assert.equal(codeIn(chain.value, 2, ['alder', 'birch', 'cedar']), 'receipt.unknown-signer');
  assert.equal(codeIn(chain.value, 1, ['birch', 'cedar', 'elm']), 'receipt.unknown-signer');
  assert.equal(codeIn(start, 2, ['birch', 'cedar', 'elm']), 'receipt.unknown-epoch');
  assert.equal(
    codeIn(anchorToChain(newestAnchor(chain.value)), 1, ['alder', 'birch', 'cedar']),
    'receipt.unknown-epoch',
  );
});

test('signers outside the set, or with a key of their own, are refused', () => {
  const stranger = nobleSigner('ed25519', new Uint8Array(32).fill(77));
  assert.equal(codeOf(proof, [...quorumRows, signRow(3, {}, { id: 'elm' })]), 'receipt.unknown-signer');
  assert.equal(codeOf(proof, [...quorumRows, signRow(3, {}, { signer: stranger })]), 'receipt.unknown-signer');
});

test('signatures of different checkpoints do not add up to a quorum', () => {
  const changes: Partial<CheckpointStatement>[] = [
    { height: toHeight(13) },
    { round: 1 },
    { stateRoot: sha256(Uint8Array.of(5)) },
    { validatorSet: sha256(Uint8Array.of(6)) },
  ];
  for (const change of changes) {
    assert.equal(codeOf(proof, [...quorumRows.slice(1), signRow(0, change)]), 'receipt.mixed-checkpoints');
  }
});

test('the block time is what more than half of the signers state', () => {
  const rows = [signRow(0, {}, { issuedSeconds: 9_999_999_999 }), signRow(1), signRow(2)];
  const verified = verifyReceipt(anchor, encodeBundle({ proof, rows }), transaction, nobleVerifier);
  assert.equal(verified.ok && verified.value.issuedSeconds, 1_700_000_000);
});

test('every row of a bundle is a standard COSE receipt whose payload is the history root', () => {
  for (const [i, bytes] of bundleToReceipts({ proof, rows: quorumRows }).entries()) {
    const receipt = decodeCoseSign1(bytes);
    assert.ok(receipt.ok);
    const { protectedBytes, protectedHeader, unprotectedHeader, payload, signature } = receipt.value;
    assert.equal(payload, null);
    assert.equal(protectedHeader.get(395), 1);
    const proofs = unprotectedHeader.get(396);
    assert.ok(proofs instanceof Map);
    const [inclusion] = proofs.get(-1) as Uint8Array[];
    const content = decodeCbor(inclusion!);
    assert.deepEqual(content.ok && content.value, [proof.treeSize, proof.leafIndex, proof.path]);
    const signed = encodeSigStructure(protectedBytes, statement.historyRoot);
    assert.ok(nobleVerifier.verify('ed25519', signers[i]!.publicKey, signed, signature));
  }
});

test('standard receipts of a quorum make the bundle they came from', () => {
  const encoded = encodeBundle({ proof, rows: quorumRows });
  const receipts = bundleToReceipts({ proof, rows: quorumRows });
  const bundle = receiptsToBundle(receipts.reverse());
  assert.ok(bundle.ok);
  assert.deepEqual(encodeBundle(bundle.value), encoded);
  assert.ok(verifyBundle(anchor, bundle.value, transaction, nobleVerifier).ok);
});

test('standard receipts of different places make no bundle', () => {
  const elsewhere = { ...proof, leafIndex: 2, path: proveInclusion(leaves, 2) };
  const receipts = [
    ...bundleToReceipts({ proof, rows: quorumRows.slice(1) }),
    ...bundleToReceipts({ proof: elsewhere, rows: quorumRows.slice(0, 1) }),
  ];
  const bundle = receiptsToBundle(receipts);
  assert.equal(!bundle.ok && bundle.error.code, 'receipt.mixed-checkpoints');
  const none = receiptsToBundle([]);
  assert.equal(!none.ok && none.error.code, 'receipt.malformed');
});

test('rows out of order are malformed: one receipt has one form', () => {
  const [first, second, ...rest] = quorumRows as [ReceiptRow, ReceiptRow, ReceiptRow];
  const proofBytes = encodeCbor([proof.treeSize, proof.leafIndex, proof.path]);
  const rows = [second, first, ...rest].map((row) => [row.protectedHeader, row.signature]);
  const bundle = decodeBundle(encodeCbor([proofBytes, rows]));
  assert.equal(!bundle.ok && bundle.error.code, 'receipt.malformed');
});

test('a header that names another issuer than its ledger is malformed', () => {
  const header = decodeCbor(quorumRows[0]!.protectedHeader);
  assert.ok(header.ok && header.value instanceof Map);
  const claims = header.value.get(15);
  assert.ok(claims instanceof Map);
  claims.set(1, 'cairn:AAAAAAAAAAA');
  const decoded = decodeProtectedHeader(encodeCbor(header.value));
  assert.equal(!decoded.ok && decoded.error.code, 'receipt.malformed');
});

test('a header with a label too many or too few is malformed', () => {
  for (const label of [1, 4, 15, 395, -65537]) {
    const header = decodeCbor(quorumRows[0]!.protectedHeader);
    assert.ok(header.ok && header.value instanceof Map);
    header.value.delete(label);
    assert.ok(!decodeProtectedHeader(encodeCbor(header.value)).ok, `without ${label}`);
    header.value.set(label, 5).set(2, 5);
    assert.ok(!decodeProtectedHeader(encodeCbor(header.value)).ok, `with ${label} = 5 and another`);
  }
});

type RowOptions = { readonly issuedSeconds?: number; readonly id?: string; readonly signer?: Signer };

/** The row of validator `i`, over the statement with some changes. */
function signRow(i: number, change: Partial<CheckpointStatement> = {}, options: RowOptions = {}): ReceiptRow {
  const { historyRoot, ...rest } = { ...statement, ...change };
  const signer = options.signer ?? signers[i]!;
  const protectedHeader = protectedHeaderOf({
    statement: rest,
    kid: signer.kid,
    signer: options.id ?? ids[i]!,
    issuedSeconds: options.issuedSeconds ?? 1_700_000_000,
  });
  return { protectedHeader, signature: signer.sign(checkpointSignedBytes(protectedHeader, historyRoot)) };
}

function codeOf(inclusion: InclusionProof, rows: readonly ReceiptRow[], bytes = transaction): string {
  const verified = verifyReceipt(anchor, encodeBundle({ proof: inclusion, rows }), bytes, nobleVerifier);
  if (verified.ok) return 'ok';
  assert.match(verified.error.message, /receipt/, 'the message says what it is about');
  return verified.error.code;
}
