import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { createCompaction } from './compaction.ts';
import { type Journal, openJournal } from './journal.ts';
import { createMemoryDisk } from './memory-file-system.ts';

async function open(pendingBytesMax?: number): Promise<Journal> {
  const opened = await openJournal('/journal', {
    fileSystem: createMemoryDisk().fileSystem,
    segmentBytes: 4096,
    ...(pendingBytesMax !== undefined && { pendingBytesMax }),
  });
  assert.ok(opened.ok);
  return opened.value.journal;
}

async function payloadsOf(journal: Journal): Promise<string[]> {
  const texts: string[] = [];
  for await (const { payload } of journal.records()) texts.push(Buffer.from(payload).toString().trim());
  return texts;
}

const bytesOf = (text: string, size = 0): Uint8Array => Buffer.from(text.padEnd(size));
const never = (): never => assert.fail('nothing fails here');

test('a journal that has grown begins anew with what still matters, and goes on behind it', async () => {
  const journal = await open();
  const compaction = createCompaction(journal, never, 20_000);
  const live = (): (() => { type: number; payload: Uint8Array })[] => [() => ({ type: 1, payload: bytesOf('live') })];
  for (let i = 0; i < 10; i++) {
    journal.append(1, bytesOf(`old ${i}`, 1000));
    await journal.sync();
  }
  compaction.runIfDue(live);
  assert.equal((await payloadsOf(journal)).length, 10, 'not before it has grown');
  for (let i = 10; i < 25; i++) {
    journal.append(1, bytesOf(`old ${i}`, 1000));
    await journal.sync();
  }
  compaction.runIfDue(live);
  journal.append(1, bytesOf('next'));
  await compaction.idle();
  await journal.sync();
  const left = await payloadsOf(journal);
  assert.deepEqual(left.slice(-2), ['live', 'next']);
  assert.ok(left.length < 8, `${left.length} records are left`);
  await journal.close();
});

test('what still matters may be more than a journal lets wait for the disk', async () => {
  const journal = await open(12 << 20);
  const compaction = createCompaction(journal, never, 0);
  compaction.runIfDue(() => Array.from({ length: 30 }, () => () => ({ type: 1, payload: new Uint8Array(1 << 20) })));
  await compaction.idle();
  assert.equal(journal.failure, null);
  assert.ok(journal.sizeBytes > 30 << 20);
  await journal.close();
});
