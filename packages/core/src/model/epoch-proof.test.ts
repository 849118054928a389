import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeCbor } from '../bytes/cbor.ts';
import { checkpointOf, genesisOutcome, validatorsOf } from '../protocol/testing/hand.ts';
import { issuedSecondsMax } from './checkpoint.ts';
import { checkpointSignatureToCbor } from './checkpoint-signature.ts';
import { decodeEpochProof, type EpochProof, encodeEpochProof, epochProofBytesMax } from './epoch-proof.ts';
import { addressesMax, validatorSetMax, validatorToCbor } from './validator-set.ts';

const { statement } = genesisOutcome();
const signatures = [0, 2, 3].map((signer) => checkpointOf(signer, statement));
const validators = validatorsOf(5);
const proof: EpochProof = { signatures, validators };

test('an epoch proof has one form, in whatever order it was put together', () => {
  const shuffled = { signatures: [...signatures].reverse(), validators: [...validators].reverse() };
  const bytes = encodeEpochProof(shuffled);
  assert.deepEqual(bytes, encodeEpochProof(proof));
  const decoded = decodeEpochProof(bytes);
  assert.ok(decoded.ok);
  assert.deepEqual(decoded.value, proof);
});

test('a proof without signatures or validators, or with a field more, is malformed', () => {
  const rows = signatures.map(checkpointSignatureToCbor);
  const set = validators.map(validatorToCbor);
  for (const value of [[[], set], [rows, []], [rows], [rows, set, null], null]) {
    assert.equal(codeOf(encodeCbor(value)), 'anchor.malformed');
  }
});

test('signatures ascend by signer, none twice', () => {
  const set = validators.map(validatorToCbor);
  for (const order of [
    [1, 0, 2],
    [0, 1, 1],
  ]) {
    const rows = order.map((i) => checkpointSignatureToCbor(signatures[i]!));
    assert.equal(codeOf(encodeCbor([rows, set])), 'anchor.malformed');
  }
});

test('a time that no calendar has is malformed', () => {
  const late = (issuedSeconds: number) => ({ ...checkpointOf(0, statement), issuedSeconds });
  assert.equal(codeOf(encodeEpochProof({ signatures: [late(issuedSecondsMax)], validators })), 'ok');
  assert.equal(codeOf(encodeEpochProof({ signatures: [late(issuedSecondsMax + 1)], validators })), 'anchor.malformed');
});

test('the largest set with the longest texts fits; what is larger is not looked at', () => {
  const text = '\uffff'.repeat(255);
  const large = Array.from({ length: validatorSetMax }, (_, i) => ({
    ...validators[0]!,
    id: `v${String(i).padStart(31, '0')}`,
    linkKey: keyOf(1, i),
    votingKey: keyOf(2, i),
    checkpointKey: keyOf(3, i),
    addresses: Array.from({ length: addressesMax }, () => text),
    host: text,
    operator: text,
  }));
  const rows = large.map((_, signer) => checkpointOf(signer, statement));
  assert.equal(codeOf(encodeEpochProof({ signatures: rows, validators: large })), 'ok');
  assert.equal(codeOf(new Uint8Array(epochProofBytesMax + 1)), 'anchor.malformed');
});

function keyOf(role: number, i: number): Uint8Array {
  const key = new Uint8Array(32).fill(role);
  key[0] = i;
  return key;
}

function codeOf(bytes: Uint8Array): string {
  const decoded = decodeEpochProof(bytes);
  return decoded.ok ? 'ok' : decoded.error.code;
}
