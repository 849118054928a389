/** A gateway over a ledger that is a file: every accepted transaction is one line of hex. To be killed. */

import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { nobleSigner, toHex } from '@cairn-ledger/core';
import { startGateway } from '../gateway.ts';
import { createMemoryLedger } from './memory-ledger.ts';

const [brokerUrl, directory, ledgerFile] = process.argv.slice(2) as [string, string, string];
const signer = nobleSigner('ed25519', new Uint8Array(32).fill(1));
let isReplaying = true;
const ledger = createMemoryLedger([signer], (transaction) => {
  if (!isReplaying) appendFileSync(ledgerFile, `${toHex(transaction.bytes)}\n`);
});
if (existsSync(ledgerFile)) {
  const lines = readFileSync(ledgerFile, 'utf8').split('\n').slice(0, -1);
  await ledger.submit(lines.map((line) => Buffer.from(line, 'hex')));
}
isReplaying = false;

const gateway = await startGateway({
  brokerUrl,
  directory,
  ledger,
  signer,
  member: 'maker',
  ledgerHash: new Uint8Array(32).fill(9),
  protocolVersion: 4,
  packDelayMs: 5,
});
if (!gateway.ok) throw new Error(gateway.error.message);
