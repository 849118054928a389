import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeCbor } from '../bytes/cbor.ts';
import type { CairnError, Result } from '../result.ts';
import { anchorOf, ledgerHash, proofOf, setOf } from './testing/epochs.ts';
import {
  anchorFileBytesMax,
  decodeAnchorFile,
  decodeEpochsFile,
  encodeAnchorFile,
  encodeEpochsFile,
  epochsFileBytesMax,
} from './trust-files.ts';

const first = setOf('alder', 'birch', 'cedar', 'damson');
const second = setOf('birch', 'cedar', 'damson', 'elm');
const proofs = [proofOf(1, first, second), proofOf(2, second, first), proofOf(3, first, second)];

test('proofs come out of their file as they went in, also none', () => {
  for (const kept of [proofs, proofs.slice(1), []]) {
    const decoded = decodeEpochsFile(encodeEpochsFile({ ledgerHash, proofs: kept }));
    assert.ok(decoded.ok);
    assert.deepEqual(decoded.value, { ledgerHash, proofs: kept });
  }
});

test('proofs of a file ascend without gaps', () => {
  for (const order of [
    [proofs[0]!, proofs[2]!],
    [proofs[1]!, proofs[0]!],
    [proofs[0]!, proofs[0]!],
  ]) {
    assert.match(refusalOf(decodeEpochsFile(encodeEpochsFile({ ledgerHash, proofs: order }))), /without gaps/);
  }
});

test('an anchor comes out of its file as it went in', () => {
  const anchor = anchorOf(7, second, 1_700_000_123);
  const decoded = decodeAnchorFile(encodeAnchorFile(anchor));
  assert.ok(decoded.ok);
  assert.deepEqual(decoded.value, anchor);
});

test('a file of another kind or version says so', () => {
  assert.match(refusalOf(decodeAnchorFile(encodeEpochsFile({ ledgerHash, proofs }))), /begin with "cairn-anchor"/);
  assert.match(refusalOf(decodeEpochsFile(encodeAnchorFile(anchorOf(1, first)))), /begin with "cairn-epochs"/);
  assert.match(refusalOf(decodeEpochsFile(encodeCbor(['cairn-epochs', 2, ledgerHash, []]))), /version 1/);
  assert.match(refusalOf(decodeAnchorFile(encodeCbor(['cairn-anchor', 2]))), /version 1/);
});

test('an anchor that no set could be is malformed, not a crash', () => {
  const key = (byte: number) => new Uint8Array(32).fill(byte);
  const rows: Readonly<Record<string, unknown[][]>> = {
    'has members': [],
    'none twice': [
      ['a', key(1)],
      ['a', key(2)],
    ],
    ascend: [
      ['b', key(1)],
      ['a', key(2)],
    ],
    'same checkpoint key': [
      ['a', key(1)],
      ['b', key(1)],
    ],
    'a-z': [['A', key(1)]],
    '32 bytes': [['a', key(1).subarray(1)]],
  };
  for (const [why, validators] of Object.entries(rows)) {
    const bytes = encodeCbor(['cairn-anchor', 1, ledgerHash, 1, ledgerHash, 5, validators as never]);
    assert.match(refusalOf(decodeAnchorFile(bytes)), new RegExp(why));
  }
  const of = (epoch: number, seconds: number) =>
    encodeCbor(['cairn-anchor', 1, ledgerHash, epoch, ledgerHash, seconds, [['a', key(1)]]]);
  assert.match(refusalOf(decodeAnchorFile(of(0, 5))), /count from 1/);
  assert.match(refusalOf(decodeAnchorFile(of(1, 2 ** 50))), /time/);
  assert.ok(decodeAnchorFile(of(1, 5)).ok);
});

test('what is too large is not looked at', () => {
  assert.match(refusalOf(decodeEpochsFile(new Uint8Array(epochsFileBytesMax + 1))), /more than/);
  assert.match(refusalOf(decodeAnchorFile(new Uint8Array(anchorFileBytesMax + 1))), /more than/);
});

function refusalOf(decoded: Result<unknown, CairnError>): string {
  assert.equal(!decoded.ok && decoded.error.code, 'anchor.malformed');
  return decoded.ok ? '' : decoded.error.message;
}
