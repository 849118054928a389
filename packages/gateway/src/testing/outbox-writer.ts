/** Writes transactions that hold nothing but their counter, and prints each counter once acknowledged, until killed. */

import { writeSync } from 'node:fs';
import { openOutbox } from '../outbox.ts';

const KID = '0011223344556677';
const opened = await openOutbox({
  directory: process.argv[2]!,
  ledger: 'AAAAAAAAAAA',
  transactionsMax: 1_000_000,
  bytesMax: 1_000_000_000,
});
if (!opened.ok) throw new Error(opened.error.message);
const outbox = opened.value;

for (;;) {
  const group = Array.from({ length: 20 }, async () => {
    const counter = String(outbox.takeCounter(KID));
    const id = Buffer.alloc(32);
    id.write(counter);
    const result = await outbox.add([{ id, bytes: Buffer.from(counter), source: null }], []);
    if (result.ok) writeSync(1, `${counter}\n`);
  });
  await Promise.all(group);
}
