/**
 * The first receipt of a development network: a reading of the user's desk device, handed in, certified, and verified
 * here against the genesis file. Beside it a forgery is left for the user to try: a transaction of the same device that
 * was never handed in, with one byte of its reading changed after it was signed.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assert, type CairnError, ok, type Result } from '@cairn-ledger/core';
import { createClient, type Reading, signTransaction } from '@cairn-ledger/sdk';
import { reserveCounters } from '../../keys/counter-file.ts';
import { saveReceipt } from '../receipt-files.ts';
import { signerOf } from '../signing.ts';
import { type DevNetwork, userMember } from './dev-network.ts';

export type FirstReceipt = {
  readonly id: string;
  readonly height: number;
  readonly leafIndex: number;
  readonly signers: readonly string[];
  readonly tookMs: number;
  readonly receiptPath: string;
  readonly transactionPath: string;
  readonly forgedPath: string;
};

const TIMEOUT_MS = 60_000;

export async function obtainFirstReceipt(
  network: DevNetwork,
  signal: AbortSignal,
): Promise<Result<FirstReceipt, CairnError>> {
  const keyPath = network.keyPath(`${userMember}/desk`);
  const counters = await reserveCounters(keyPath, 2);
  if (!counters.ok) return counters;
  const transaction = signReading(network, keyPath, counters.value);
  if (!transaction.ok) return transaction;
  const other = signReading(network, keyPath, counters.value + 1n);
  if (!other.ok) return other;
  const client = createClient({ nodes: network.nodes.map((node) => node.http), anchor: network.genesis.anchor });
  const startedMs = performance.now();
  const delivered = await client.deliver(transaction.value, { timeoutMs: TIMEOUT_MS, signal });
  if (!delivered.ok) return delivered;
  const tookMs = performance.now() - startedMs;
  const saved = saveReceipt(join(network.dir, 'first.receipt'), delivered.value);
  const forgedPath = join(network.dir, 'forged.cose');
  writeFileSync(forgedPath, forge(other.value));
  const { height, leafIndex, signers } = delivered.value.verified;
  return ok({
    id: delivered.value.id,
    height,
    leafIndex,
    signers,
    tookMs,
    receiptPath: saved.receipt,
    transactionPath: saved.transaction,
    forgedPath,
  });
}

function signReading(network: DevNetwork, keyPath: string, counter: bigint): Result<Uint8Array, CairnError> {
  const { ledgerHash } = network.genesis;
  const time = (Date.now() / 1000).toFixed(3);
  const readings: Reading[] = [{ name: 'temperature', unit: 'Cel', time, value: { type: 'number', text: '21.50' } }];
  return signTransaction({ ledgerHash, counter, readings }, signerOf(keyPath));
}

/** The name of the reading becomes another one: the transaction still decodes, and its signature no longer fits. */
function forge(transaction: Uint8Array): Uint8Array {
  const forged = transaction.slice();
  const at = Buffer.from(forged.buffer, forged.byteOffset, forged.byteLength).indexOf('temperature');
  assert(at >= 0, 'the transaction holds its reading in plain bytes');
  forged[at] = 'T'.charCodeAt(0);
  return forged;
}
