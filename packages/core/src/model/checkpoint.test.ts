import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeSigStructure } from '../bytes/cose.ts';
import { toHex } from '../bytes/hex.ts';
import { sha256 } from '../crypto/hash.ts';
import { toEpoch, toHeight } from './brands.ts';
import {
  type CheckpointStatement,
  checkpointDigest,
  checkpointSignedBytes,
  decodeCheckpointStatement,
  decodeProtectedHeader,
  encodeCheckpointStatement,
  issuerOf,
  protectedHeaderOf,
} from './checkpoint.ts';

const hash = (byte: number) => sha256(Uint8Array.of(byte));
const statement: CheckpointStatement = {
  ledgerHash: hash(1),
  epoch: toEpoch(1),
  height: toHeight(1000),
  round: 0,
  historySize: 70_000,
  historyRoot: hash(2),
  stateRoot: hash(3),
  validatorSet: hash(4),
};

test('a statement reads back as it was', () => {
  const decoded = decodeCheckpointStatement(encodeCheckpointStatement(statement));
  assert.deepEqual(decoded.ok && decoded.value, statement);
});

test('the digest covers every field of the statement', () => {
  const changes: Partial<CheckpointStatement>[] = [
    { ledgerHash: hash(9) },
    { epoch: toEpoch(2) },
    { height: toHeight(1001) },
    { round: 1 },
    { historySize: 70_001 },
    { historyRoot: hash(9) },
    { stateRoot: hash(9) },
    { validatorSet: hash(9) },
  ];
  const digests = changes.map((change) => toHex(checkpointDigest({ ...statement, ...change })));
  assert.equal(new Set([...digests, toHex(checkpointDigest(statement))]).size, changes.length + 1);
});

test('a header reads back everything but the history root, which is signed beside it', () => {
  const { historyRoot, ...rest } = statement;
  const header = {
    statement: rest,
    kid: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    signer: 'alder',
    issuedSeconds: 1_700_000_000,
  };
  const bytes = protectedHeaderOf(header);
  const decoded = decodeProtectedHeader(bytes);
  assert.deepEqual(decoded.ok && decoded.value, header);
  assert.deepEqual(checkpointSignedBytes(bytes, historyRoot), encodeSigStructure(bytes, historyRoot));
});

test('the bytes of a header never change: receipts stay valid for ever', () => {
  const zero = { ...statement, ledgerHash: hash(0), stateRoot: hash(0), validatorSet: hash(0) };
  const bytes = protectedHeaderOf({ statement: zero, kid: new Uint8Array(8), signer: 'a', issuedSeconds: 1 });
  const h = toHex(hash(0));
  const issuer = toHex(new TextEncoder().encode(issuerOf(hash(0))));
  assert.equal(
    toHex(bytes),
    `a501320448${'00'.repeat(8)}0fa30171${issuer}026161060119018b013a00010000875820${h}011903e8001a000111705820${h}5820${h}`,
  );
});

test('statements that are no such thing do not decode', () => {
  for (const bytes of [new Uint8Array(0), Uint8Array.of(0x80), encodeCheckpointStatement(statement).subarray(1)]) {
    const decoded = decodeCheckpointStatement(bytes);
    assert.equal(!decoded.ok && decoded.error.code, 'checkpoint.malformed');
  }
});
