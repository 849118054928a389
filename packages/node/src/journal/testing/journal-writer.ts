/** Appends numbered records until it is killed, and prints each number once it is durable. */
import { openJournal } from '../journal.ts';

const opened = await openJournal(process.argv[2]!, { segmentBytes: 16 << 10 });
if (!opened.ok) throw opened.error;
const { journal } = opened.value;
for (;;) {
  const payload = Buffer.alloc(100);
  payload.writeUInt32BE(journal.nextSequence, 0);
  const sequence = journal.append(1, payload);
  await journal.sync();
  console.log(String(sequence));
}
