import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { createCompaction } from './compaction.ts';
import { type Journal, openJournal } from './journal.ts';
import { createMemoryDisk, diskError } from './memory-file-system.ts';

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

test('scenario 24: a crash at any write, sync or removal of beginning anew leaves the old records, the new ones or both', async () => {
  const live = Array.from({ length: 6 }, (_, i) => `live ${i}`);
  const old = Array.from({ length: 12 }, (_, i) => `old ${i}`);
  let crashes = 0;
  for (let crashAt = 0; ; crashAt++) {
    for (const keptShare of [0, 0.5, 1]) {
      let countdown = Number.POSITIVE_INFINITY;
      const disk = createMemoryDisk({
        before: ({ path }) => {
          if (countdown-- <= 0) throw diskError('EIO', path);
        },
      });
      const opened = await openJournal('/journal', { fileSystem: disk.fileSystem, segmentBytes: 2048 });
      assert.ok(opened.ok);
      const { journal } = opened.value;
      for (const text of old) {
        journal.append(1, bytesOf(text, 500));
        await journal.sync();
      }
      countdown = crashAt;
      let hasFailed = false;
      const compaction = createCompaction(journal, () => (hasFailed = true), 0);
      compaction.runIfDue(() => live.map((text) => () => ({ type: 1, payload: bytesOf(text, 500) })));
      await compaction.idle();
      disk.crash(({ sizeBytes }) => ({ keptBytes: Math.floor(sizeBytes * keptShare), isExtended: keptShare === 0.5 }));
      countdown = Number.POSITIVE_INFINITY;
      const again = await openJournal('/journal', { fileSystem: disk.fileSystem, segmentBytes: 2048 });
      assert.ok(again.ok, `crash at operation ${crashAt}: ${JSON.stringify(again)}`);
      const left = await payloadsOf(again.value.journal);
      const hasAll = (texts: readonly string[]) => texts.every((text) => left.includes(text));
      assert.ok(hasAll(old) || hasAll(live), `crash at operation ${crashAt}: ${left.join(', ')}`);
      await again.value.journal.close();
      if (hasFailed) crashes++;
      else if (keptShare === 1) return assert.ok(crashes > 15, `${crashes} crashes`);
    }
  }
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
