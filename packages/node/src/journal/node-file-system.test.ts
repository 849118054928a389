import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { openJournal } from './journal.ts';

test('on a real disk a killed process loses nothing that a sync has promised, and leaves the directory free', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'cairn-journal-'));
  try {
    const writer = spawn(process.execPath, [join(import.meta.dirname, 'testing/journal-writer.ts'), directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let promised = 0;
    for await (const line of createInterface(writer.stdout!)) {
      promised = Number(line);
      if (promised === 100) {
        const second = await openJournal(directory);
        assert.equal(second.ok ? 'ok' : second.error.code, 'journal.in-use');
      }
      if (promised >= 400) writer.kill('SIGKILL');
    }
    if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit');
    const segments = (await readdir(directory)).filter((name) => name.endsWith('.journal')).sort();
    assert.ok(segments.length > 1);
    const last = join(directory, segments.at(-1)!);
    const sizeBytes = (await stat(last)).size;
    await appendFile(last, Buffer.alloc(10));
    const result = await openJournal(directory);
    assert.ok(result.ok, result.ok ? '' : result.error.message);
    const { journal, truncatedBytes } = result.value;
    assert.ok(truncatedBytes >= 10);
    assert.ok((await stat(last)).size <= sizeBytes);
    let sequence = 0;
    for await (const record of journal.records()) {
      sequence += 1;
      assert.equal(record.sequence, sequence);
      assert.equal(Buffer.from(record.payload).readUInt32BE(0), sequence);
    }
    assert.ok(sequence >= promised, `${sequence} kept, ${promised} promised`);
    await journal.prune(sequence);
    assert.ok((await readdir(directory)).length < segments.length + 1);
    await journal.close();
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

test('a directory that cannot be made is a result, not an exception', async () => {
  const result = await openJournal(join(import.meta.filename, 'journal'));
  assert.equal(result.ok ? 'ok' : result.error.code, 'journal.failed');
});
