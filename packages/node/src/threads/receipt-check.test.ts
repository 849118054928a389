import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  createHistoryReader,
  encodeBundle,
  nobleSigner,
  receiptHeaderOf,
  signCheckpoint,
  toValidatorIndex,
  type Validator,
  validatorSetDigest,
} from '@cairn-ledger/core';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { createBatchPreparer } from './batch-preparer.ts';
import { createReceiptCheck } from './receipt-check.ts';
import { batchBytes, createLedgerBench, genesis, ledgerHash, transaction } from './testing/ledger-bench.ts';

test('a receipt is sound for its transaction alone, and not with a bit changed in signature, path or transaction', (t) => {
  const bench = createLedgerBench();
  t.after(() => bench.end());
  const bytes = transaction();
  const preparer = createBatchPreparer(bench.chain.store, sodiumVerifier);
  const { outcome } = bench.execute([preparer.open(batchBytes(1, [bytes]), true)]);
  // The bench's own validator has a key that signs nothing; another one of its name does here.
  const signer = nobleSigner('ed25519', new Uint8Array(32).fill(3));
  const validator: Validator = { ...genesis.validators[0]!, checkpointKey: signer.publicKey };
  const statement = { ...outcome.statement, validatorSet: validatorSetDigest([validator]) };
  const signature = signCheckpoint(statement, toValidatorIndex(0), validator, 1_700_000_000, signer);
  const epochs = { at: () => ({ ...bench.chain.epochs.at(1), validators: [validator] }) };
  const isSound = createReceiptCheck(
    { epochs } as unknown as Parameters<typeof createReceiptCheck>[0],
    ledgerHash,
    sodiumVerifier,
  );

  const leafIndex = statement.historySize - 1;
  const path = createHistoryReader(bench.chain.tiles).prove(leafIndex, statement.historySize);
  const receiptWith = (signed: Uint8Array, along: readonly Uint8Array[]): Uint8Array =>
    encodeBundle({
      proof: { treeSize: statement.historySize, leafIndex, path: along as typeof path },
      rows: [{ protectedHeader: receiptHeaderOf(signature, validator), signature: signed }],
    });
  assert.ok(isSound(receiptWith(signature.signature, path), bytes, 1));
  assert.ok(isSound(receiptWith(signature.signature, path), bytes, 1), 'and once more, with the anchor at hand');

  assert.equal(isSound(receiptWith(flipped(signature.signature), path), bytes, 1), false);
  assert.equal(isSound(receiptWith(signature.signature, [flipped(path[0]!), ...path.slice(1)]), bytes, 1), false);
  assert.equal(isSound(receiptWith(signature.signature, path), flipped(bytes), 1), false);
  assert.equal(isSound(Uint8Array.of(0x80), bytes, 1), false);
});

function flipped(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy[copy.length >> 1]! ^= 1;
  return copy;
}
