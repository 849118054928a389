/**
 * Verification thread: checks the device signatures of one batch after another, each under the key registered for its
 * kid. A kid never stands for another key, so what was read once stays true; a kid that is not registered yet is left to
 * execution ("unknown").
 */
import { parentPort, workerData } from 'node:worker_threads';
import { assert, decodeBatch, decodeTransaction, type KeyAlgorithm, readKey, toHex } from '@cairn-ledger/core';
import { installNodeSha256 } from '../crypto/sha256.ts';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { openChainDb } from '../storage/chain-db.ts';
import { type FromVerification, type ToVerification, type VerificationSettings, verdict } from './messages.ts';

/** Keys remembered; beyond, all are forgotten and read again. */
const keysMax = 20_000;

type Key = { readonly algorithm: KeyAlgorithm; readonly publicKey: Uint8Array };

installNodeSha256();
const port = parentPort!;
const settings = workerData as VerificationSettings;
const opened = openChainDb(settings.chainPath, { readOnly: true });
assert(opened.ok, 'the ledger thread has made the chain database before verification starts');
const chain = opened.value;
const keys = new Map<string, Key>();

port.on('message', (message: ToVerification) => {
  if (message.type === 'stop') {
    chain.close();
    port.close();
    return;
  }
  const startedAt = performance.now();
  const verdicts = verifyBatch(message.batch);
  const answer: FromVerification = {
    type: 'verified',
    number: message.number,
    verdicts,
    busyMs: performance.now() - startedAt,
  };
  port.postMessage(answer, [verdicts.buffer as ArrayBuffer]);
});

function verifyBatch(bytes: Uint8Array): Uint8Array {
  const batch = decodeBatch(bytes);
  assert(batch.ok, 'a batch was decoded before it was handed over');
  const verdicts = new Uint8Array(batch.value.transactions.length);
  batch.value.transactions.forEach((transactionBytes, i) => {
    const transaction = decodeTransaction(transactionBytes);
    // What does not decode needs no verdict: execution refuses it before it asks.
    if (!transaction.ok) return;
    const key = keyOf(transaction.value.header.kid);
    if (key === null) return;
    const { signedBytes, signature } = transaction.value;
    const isValid = sodiumVerifier.verify(key.algorithm, key.publicKey, signedBytes, signature);
    verdicts[i] = isValid ? verdict.valid : verdict.invalid;
  });
  return verdicts;
}

function keyOf(kid: Uint8Array): Key | null {
  const name = toHex(kid);
  const known = keys.get(name);
  if (known !== undefined) return known;
  const record = readKey(chain.store, kid);
  if (record === null) return null;
  if (keys.size >= keysMax) keys.clear();
  // Copies: what the database returned may be a view of something larger.
  const key = { algorithm: record.algorithm, publicKey: record.publicKey.slice() };
  keys.set(name, key);
  return key;
}
