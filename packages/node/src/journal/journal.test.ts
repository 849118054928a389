import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Result } from '@cairn-ledger/core';
import { type Journal, type JournalOptions, openJournal } from './journal.ts';
import type { JournalError } from './journal-error.ts';
import { createMemoryDisk, type DiskOperation, diskError, type MemoryDisk } from './memory-file-system.ts';

const directory = '/journal';
const firstSegment = '/journal/0000000000000001.journal';

test('records come back in order, with their sequence and type, after the journal is opened again', async () => {
  const disk = createMemoryDisk();
  const journal = await opened(disk);
  assert.equal(journal.append(1, text('one')), 1);
  assert.equal(journal.append(2, text('two')), 2);
  await journal.sync();
  assert.equal(journal.append(255, new Uint8Array(0)), 3);
  await journal.close();
  const again = await opened(disk);
  assert.deepEqual(await contentOf(again), ['1/1/one', '2/2/two', '3/255/']);
  assert.equal(again.nextSequence, 4);
  assert.deepEqual(await contentOf(again, 3), ['3/255/']);
});

test('append copies: the caller may reuse its bytes', async () => {
  const journal = await opened(createMemoryDisk());
  const bytes = text('before');
  journal.append(1, bytes);
  bytes.fill(0);
  await journal.sync();
  assert.deepEqual(await contentOf(journal), ['1/1/before']);
});

test('everything appended in one turn shares one sync, and syncs that come while one is under way share the next', async () => {
  const operations: DiskOperation['type'][] = [];
  const disk = createMemoryDisk({ before: ({ type }) => void operations.push(type) });
  const journal = await opened(disk);
  operations.length = 0;
  const turn = [1, 2, 3].map((type) => {
    journal.append(type, text('x'));
    return journal.sync();
  });
  await Promise.resolve();
  await Promise.resolve();
  const later = [4, 5].map((type) => {
    journal.append(type, text('y'));
    return journal.sync();
  });
  await Promise.all([...turn, ...later]);
  assert.deepEqual(operations, ['write', 'sync', 'write', 'sync']);
  await journal.sync();
  assert.equal(operations.length, 4, 'nothing to do, nothing done');
});

test('a sync without anything new waits for the frame that is being written', async () => {
  let release = (): void => {};
  let isSynced = false;
  const disk = createMemoryDisk({
    before: ({ type }) =>
      type === 'sync' && isSynced
        ? new Promise<void>((resolve) => {
            release = resolve;
          })
        : undefined,
  });
  const journal = await opened(disk);
  isSynced = true;
  journal.append(1, text('x'));
  const first = journal.sync();
  await turns();
  let isSecondDone = false;
  const second = journal.sync().then(() => {
    isSecondDone = true;
  });
  await turns();
  assert.equal(isSecondDone, false);
  release();
  await Promise.all([first, second]);
});

test('records that no sync was asked for are not in the journal after a crash; those that were are', async () => {
  const disk = createMemoryDisk();
  const journal = await opened(disk);
  journal.append(1, text('synced'));
  await journal.sync();
  journal.append(1, text('not synced'));
  disk.crash();
  assert.deepEqual(await contentOf(await opened(disk)), ['1/1/synced']);
});

test('a frame torn at any byte is cut off, what was acknowledged before stays, and writing goes on', async () => {
  const whole = await twoFrames();
  const lastFrameBytes = whole.disk.contentOf(firstSegment)!.length - whole.firstEnd;
  for (let keptBytes = 0; keptBytes < lastFrameBytes; keptBytes++) {
    for (const isExtended of [false, true]) {
      // Zeros at the end of the payload make the end mark the only sign of completeness.
      const { disk, firstEnd } = await twoFrames({ keptBytes, isExtended });
      const result = await openJournal(directory, { fileSystem: disk.fileSystem });
      const where = `kept ${keptBytes} of ${lastFrameBytes}, ${isExtended ? 'extended' : 'short'}`;
      if (isExtended && keptBytes > lastFrameBytes - 4) {
        assert.equal(
          codeOf(result),
          'journal.damaged',
          `${where}: part of the end mark is there, so it is not unfinished`,
        );
        continue;
      }
      assert.ok(result.ok, where);
      assert.equal(result.value.truncatedBytes, isExtended ? lastFrameBytes : keptBytes, where);
      const { journal } = result.value;
      assert.equal(disk.contentOf(firstSegment)!.length, firstEnd, where);
      journal.append(3, text('third'));
      await journal.close();
      assert.deepEqual(await contentOf(await opened(disk)), ['1/1/first', '2/3/third'], where);
    }
  }
});

test('any changed byte of what was acknowledged is reported with its place, and the file is left as it is', async () => {
  const { disk } = await twoFrames();
  const intact = disk.contentOf(firstSegment)!;
  for (let at = 0; at < intact.length; at++) {
    for (const flip of [0x01, 0x80, 0xff]) {
      disk.tamper(firstSegment, (bytes) => withFlip(bytes, at, flip));
      const damaged = disk.contentOf(firstSegment)!;
      const result = await openJournal(directory, { fileSystem: disk.fileSystem });
      assert.equal(codeOf(result), 'journal.damaged', `byte ${at} xor ${flip}`);
      assert.ok(!result.ok && result.error.segment === '0000000000000001.journal' && result.error.offset !== null);
      assert.deepEqual(disk.contentOf(firstSegment), damaged, `byte ${at}: nothing is truncated`);
      disk.tamper(firstSegment, () => intact.slice());
    }
  }
});

test('a changed byte is noticed when records are read later, too', async () => {
  const { disk } = await twoFrames();
  const journal = await opened(disk);
  disk.tamper(firstSegment, (bytes) => withFlip(bytes, bytes.length - 60, 1));
  await assert.rejects(contentOf(journal), { code: 'journal.damaged' });
});

test('frames of one journal put into another are damage: the chain does not continue', async () => {
  const { disk, firstEnd } = await twoFrames();
  const other = createMemoryDisk();
  const otherJournal = await opened(other);
  otherJournal.append(1, text('other'));
  await otherJournal.sync();
  otherJournal.append(2, text('second'));
  await otherJournal.close();
  const foreign = other.contentOf(firstSegment)!;
  disk.tamper(firstSegment, (bytes) => {
    assert.equal(bytes.length, foreign.length);
    bytes.set(foreign.subarray(firstEnd), firstEnd);
    return bytes;
  });
  assert.equal(codeOf(await openJournal(directory, { fileSystem: disk.fileSystem })), 'journal.damaged');
});

test('full segments are followed by new ones, and all of them are read', async () => {
  const disk = createMemoryDisk();
  const journal = await opened(disk, { segmentBytes: 256 });
  await appendEach(journal, 20);
  assert.ok(disk.paths().length > 5);
  assert.equal((await contentOf(journal)).length, 20);
  await journal.close();
  const again = await opened(disk, { segmentBytes: 256 });
  assert.equal((await contentOf(again)).length, 20);
  assert.deepEqual((await contentOf(again, 19)).length, 2);
});

function segmentsOf(disk: MemoryDisk): string[] {
  return disk.paths().filter((path) => path.endsWith('.journal'));
}

test('prune deletes whole segments before a sequence, and what is left opens again', async () => {
  const disk = createMemoryDisk();
  const journal = await opened(disk, { segmentBytes: 256 });
  await appendEach(journal, 20);
  const count = await journal.prune(10);
  assert.ok(count > 0);
  assert.ok(journal.firstSequence <= 10, 'a segment with a record that is still wanted stays');
  assert.equal(await journal.prune(10), 0);
  await journal.prune(1000);
  assert.equal(segmentsOf(disk).length, 1, 'the segment written to stays');
  journal.append(7, text('after'));
  await journal.close();
  disk.crash();
  const again = await opened(disk);
  assert.equal((await contentOf(again)).at(-1), '21/7/after');
  assert.ok(again.firstSequence > 10);
});

test('a first segment that is missing is told from one that was not needed any more', async () => {
  const disk = createMemoryDisk();
  const journal = await opened(disk, { segmentBytes: 256 });
  await appendEach(journal, 20);
  const first = segmentsOf(disk)[0]!;
  const bytes = disk.fileSystem;
  await journal.close();
  await bytes.remove(first);
  assert.equal(codeOf(await openJournal(directory, { fileSystem: bytes })), 'journal.damaged');

  const other = createMemoryDisk();
  const pruned = await opened(other, { segmentBytes: 256 });
  await appendEach(pruned, 20);
  await pruned.prune(8);
  await appendEach(pruned, 20);
  await pruned.prune(12);
  await pruned.close();
  const again = await opened(other);
  assert.ok(again.firstSequence > 1);
  await again.close();
  await other.fileSystem.remove(segmentsOf(other)[0]!);
  assert.equal(codeOf(await openJournal(directory, { fileSystem: other.fileSystem })), 'journal.damaged');
  for (const path of segmentsOf(other)) await other.fileSystem.remove(path);
  assert.equal(codeOf(await openJournal(directory, { fileSystem: other.fileSystem })), 'journal.damaged', 'all of it');
});

test('a missing segment, an exchanged one, and a torn one that is not the last are damage', async () => {
  const make = async (): Promise<{ disk: MemoryDisk; paths: string[] }> => {
    const disk = createMemoryDisk();
    const journal = await opened(disk, { segmentBytes: 256 });
    await appendEach(journal, 20);
    await journal.close();
    return { disk, paths: disk.paths() };
  };
  const missing = await make();
  await missing.disk.fileSystem.remove(missing.paths[2]!);
  assert.equal(codeOf(await openJournal(directory, { fileSystem: missing.disk.fileSystem })), 'journal.damaged');
  const exchanged = await make();
  const third = exchanged.disk.contentOf(exchanged.paths[2]!)!;
  exchanged.disk.tamper(exchanged.paths[1]!, () => third);
  assert.equal(codeOf(await openJournal(directory, { fileSystem: exchanged.disk.fileSystem })), 'journal.damaged');
  const torn = await make();
  torn.disk.tamper(torn.paths[1]!, (bytes) => bytes.slice(0, -1));
  assert.equal(codeOf(await openJournal(directory, { fileSystem: torn.disk.fileSystem })), 'journal.damaged');
});

test('a crash while a new segment begins loses nothing', async () => {
  for (const keptBytes of [0, 1, 30, 51, 52]) {
    const disk = createMemoryDisk();
    const journal = await opened(disk, { segmentBytes: 100 });
    journal.append(1, new Uint8Array(100));
    await journal.close();
    const path = '/journal/0000000000000002.journal';
    const file = await disk.fileSystem.open(path, 'create');
    await disk.fileSystem.syncDirectory(directory);
    await file.write(new Uint8Array(52).fill(1), 0);
    disk.crash(() => ({ keptBytes, isExtended: keptBytes === 30 }));
    if (keptBytes === 52) {
      assert.equal(codeOf(await openJournal(directory, { fileSystem: disk.fileSystem })), 'journal.damaged');
      continue;
    }
    const again = await opened(disk, { segmentBytes: 100 });
    again.append(2, text('next'));
    await again.sync();
    assert.deepEqual((await contentOf(again)).at(-1), '2/2/next', `kept ${keptBytes}`);
  }
});

test('after a failed sync nothing is retried: every sync rejects with the same error', async () => {
  let isFailing = false;
  const disk = createMemoryDisk({
    before: ({ type, path }) => {
      if (isFailing && type === 'sync') throw diskError('EIO', path);
    },
  });
  const journal = await opened(disk);
  journal.append(1, text('kept'));
  await journal.sync();
  isFailing = true;
  journal.append(1, text('lost'));
  const first = await rejectionOf(journal.sync());
  assert.equal(first.code, 'journal.failed');
  isFailing = false;
  journal.append(1, text('too late'));
  assert.equal(await rejectionOf(journal.sync()), first);
  assert.equal(journal.failure, first);
  await assert.rejects(journal.prune(1), { code: 'journal.failed' });
  await journal.close();
});

test('a full disk is final, leaves an unfinished frame, and that is cut off once there is room', async () => {
  const disk = createMemoryDisk({ capacityBytes: 400 });
  const journal = await opened(disk);
  journal.append(1, text('fits'));
  await journal.sync();
  journal.append(1, new Uint8Array(500));
  const error = await rejectionOf(journal.sync());
  assert.equal(error.code, 'journal.failed');
  assert.match(error.message, /ENOSPC/);
  await journal.close();
  disk.kill();
  assert.deepEqual(await contentOf(await opened(disk)), ['1/1/fits']);
});

test('a disk that stops fails the journal at a bound instead of filling the memory', async () => {
  let isStopped = false;
  const disk = createMemoryDisk({
    before: ({ type }) => (isStopped && type === 'sync' ? new Promise(() => {}) : undefined),
  });
  const journal = await opened(disk, { pendingBytesMax: 1000 });
  isStopped = true;
  journal.append(1, text('x'));
  void journal.sync().catch(() => {});
  await turns();
  for (let i = 0; i < 9; i++) journal.append(1, new Uint8Array(100));
  assert.equal(journal.failure, null);
  assert.ok(journal.pendingBytes > 900);
  const waiting = rejectionOf(journal.sync());
  journal.append(1, new Uint8Array(100));
  assert.equal((await waiting).code, 'journal.failed');
});

test('what is seen after a failed sync is written again before anybody relies on it', async () => {
  let isFailing = false;
  const disk = createMemoryDisk({
    before: ({ type, path }) => {
      if (isFailing && type === 'sync') throw diskError('EIO', path);
    },
  });
  const journal = await opened(disk);
  isFailing = true;
  journal.append(1, text('in the page cache only'));
  await rejectionOf(journal.sync());
  isFailing = false;
  disk.kill();
  assert.deepEqual(await contentOf(await opened(disk)), ['1/1/in the page cache only']);
  disk.crash();
  assert.deepEqual(await contentOf(await opened(disk)), ['1/1/in the page cache only']);
});

test('two processes never share a journal', async () => {
  const disk = createMemoryDisk();
  const journal = await opened(disk);
  assert.equal(codeOf(await openJournal(directory, { fileSystem: disk.fileSystem })), 'journal.in-use');
  await journal.close();
  await opened(disk);
});

test('a restored backup opens, and says by its last sequence how old it is', async () => {
  const disk = createMemoryDisk();
  const journal = await opened(disk);
  await appendEach(journal, 3);
  const yesterday = disk.snapshot();
  await appendEach(journal, 3);
  disk.restore(yesterday);
  assert.equal((await opened(disk)).nextSequence, 4);
});

async function opened(disk: MemoryDisk, options: JournalOptions = {}): Promise<Journal> {
  const result = await openJournal(directory, { ...options, fileSystem: disk.fileSystem });
  assert.ok(result.ok, result.ok ? '' : result.error.message);
  return result.value.journal;
}

/** A journal of two frames on a disk after a crash; the second has the given fate, else it is whole. */
async function twoFrames(fate?: {
  keptBytes: number;
  isExtended: boolean;
}): Promise<{ disk: MemoryDisk; firstEnd: number }> {
  let isLosing = false;
  const disk = createMemoryDisk({
    before: ({ type }) => (isLosing && type === 'sync' ? new Promise(() => {}) : undefined),
  });
  const journal = await opened(disk);
  journal.append(1, text('first'));
  await journal.sync();
  const firstEnd = disk.contentOf(firstSegment)!.length;
  journal.append(2, text('second'));
  isLosing = fate !== undefined;
  if (fate === undefined) {
    await journal.close();
  } else {
    void journal.sync();
    await turns();
    disk.crash(() => fate);
    isLosing = false;
  }
  return { disk, firstEnd };
}

async function appendEach(journal: Journal, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    journal.append(1, new Uint8Array(50).fill(i));
    await journal.sync();
  }
}

async function contentOf(journal: Journal, fromSequence?: number): Promise<string[]> {
  const content: string[] = [];
  for await (const { sequence, type, payload } of journal.records(fromSequence)) {
    content.push(`${sequence}/${type}/${Buffer.from(payload).toString()}`);
  }
  return content;
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function withFlip(bytes: Uint8Array, at: number, flip: number): Uint8Array {
  bytes[at]! ^= flip;
  return bytes;
}

function codeOf(result: Result<unknown, JournalError>): string {
  return result.ok ? 'ok' : result.error.code;
}

function rejectionOf(promise: Promise<unknown>): Promise<JournalError> {
  return promise.then(
    () => assert.fail('resolved'),
    (error: JournalError) => error,
  );
}

/** Lets everything run that waits for nothing outside. */
async function turns(): Promise<void> {
  await new Promise(setImmediate);
}
