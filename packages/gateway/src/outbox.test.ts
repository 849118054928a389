import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type NewTransaction, type Outbox, type OutboxOptions, openOutbox } from './outbox.ts';

const KID = '0011223344556677';

function temporaryDirectory(t: { after(cleanup: () => void): void }): string {
  const directory = mkdtempSync(join(tmpdir(), 'cairn-outbox-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function opened(directory: string, more: Partial<OutboxOptions> = {}): Promise<Outbox> {
  const result = await openOutbox({
    directory,
    ledger: 'AAAAAAAAAAA',
    transactionsMax: 100,
    bytesMax: 10_000,
    ...more,
  });
  assert(result.ok, result.ok ? '' : result.error.message);
  return result.value;
}

function transaction(number: number, sizeBytes = 10): NewTransaction {
  const id = new Uint8Array(32);
  new DataView(id.buffer).setUint32(0, number);
  return { id, bytes: new Uint8Array(sizeBytes).fill(number), source: null };
}

test('what was added is there after a restart, in its order, and what was removed is not', async (t) => {
  const directory = temporaryDirectory(t);
  const first = await opened(directory);
  for (const number of [1, 2, 3]) assert((await first.add([transaction(number)], [])).ok);
  first.remove(first.read(0, 1, 1e9)[0]!);
  await first.close();

  const second = await opened(directory);
  assert.deepEqual(
    second.read(0, 10, 1e9).map((kept) => kept.bytes[0]),
    [2, 3],
  );
  assert.equal(second.count, 2);
  assert.equal(second.sizeBytes, 20);
  await second.close();
});

test('nothing is acknowledged or read before the sync of the log has ended', async (t) => {
  let endSync: () => void = () => {};
  let syncs = 0;
  const outbox = await opened(temporaryDirectory(t), {
    syncLog: () => {
      syncs += 1;
      return new Promise((resolve) => {
        endSync = resolve;
      });
    },
  });
  let acknowledged = false;
  const added = outbox.add([transaction(1)], []).then((result) => {
    acknowledged = result.ok;
  });
  while (syncs === 0) await new Promise(setImmediate);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(acknowledged, false);
  assert.deepEqual(outbox.read(0, 10, 1e9), []);
  endSync();
  await added;
  assert.equal(acknowledged, true);
  assert.equal(outbox.read(0, 10, 1e9).length, 1);
  await outbox.close();
});

test('a thousand messages of one moment share one sync', async (t) => {
  let syncs = 0;
  const outbox = await opened(temporaryDirectory(t), {
    syncLog: (log) => {
      syncs += 1;
      return log.datasync();
    },
  });
  await Promise.all(Array.from({ length: 1000 }, (_, number) => outbox.add([transaction(number)], [])));
  assert.equal(syncs, 1);
  assert.equal(outbox.read(0, 2000, 1e9).length, 1000);
  await outbox.close();
});

test('a failed sync refuses the messages it held and every later one', async (t) => {
  const outbox = await opened(temporaryDirectory(t), { syncLog: () => Promise.reject(new Error('EIO')) });
  const held = await outbox.add([transaction(1)], []);
  assert(!held.ok && held.error.code === 'outbox.failed');
  const later = await outbox.add([transaction(2)], []);
  assert(!later.ok && later.error.code === 'outbox.failed');
  assert.deepEqual(outbox.read(0, 10, 1e9), []);
  await outbox.close();
});

test('a transaction sent twice is kept once, and counted once', async (t) => {
  const outbox = await opened(temporaryDirectory(t));
  await outbox.add([transaction(1)], []);
  await outbox.add([transaction(1), transaction(2)], []);
  assert.equal(outbox.count, 2);
  assert.equal(outbox.sizeBytes, 20);
  await outbox.close();
});

test('the outbox is full at its number of transactions or its bytes, and has room again after removal', async (t) => {
  const outbox = await opened(temporaryDirectory(t), { transactionsMax: 2, bytesMax: 1000 });
  await outbox.add([transaction(1)], []);
  assert.equal(outbox.isFull, false);
  await outbox.add([transaction(2)], []);
  assert.equal(outbox.isFull, true);
  outbox.remove(outbox.read(0, 1, 1e9)[0]!);
  assert.equal(outbox.isFull, false);
  await outbox.add([transaction(3, 990)], []);
  assert.equal(outbox.isFull, true);
  await outbox.close();
});

test('counters go on after a restart and never go back', async (t) => {
  const directory = temporaryDirectory(t);
  const first = await opened(directory);
  assert.equal(first.nextCounter(KID), null);
  first.raiseCounter(KID, 1_000_000_000_000n);
  assert.equal(first.takeCounter(KID), 1_000_000_000_000n);
  first.raiseCounter(KID, 5n);
  assert.equal(first.takeCounter(KID), 1_000_000_000_001n);
  await first.add([transaction(1)], []);
  await first.close();
  const second = await opened(directory);
  assert.equal(second.takeCounter(KID), 1_000_000_000_002n);
  await second.close();
});

test('a redelivery is known by packet id and content, also after a restart', async (t) => {
  const directory = temporaryDirectory(t);
  const message = new Uint8Array(32).fill(7);
  const first = await opened(directory);
  assert.equal(first.hasDelivery({ packetId: 9, message }), false);
  const added = first.add([transaction(1)], [{ packetId: 9, message }]);
  assert.equal(first.hasDelivery({ packetId: 9, message }), true);
  await added;
  await first.close();
  const second = await opened(directory);
  assert.equal(second.hasDelivery({ packetId: 9, message }), true);
  assert.equal(second.hasDelivery({ packetId: 10, message }), false);
  assert.equal(second.hasDelivery({ packetId: 9, message: new Uint8Array(32) }), false);
  await second.close();
});

test('an outbox belongs to one ledger and one process', async (t) => {
  const directory = temporaryDirectory(t);
  const outbox = await opened(directory);
  const again = await openOutbox({ directory, ledger: 'AAAAAAAAAAA', transactionsMax: 1, bytesMax: 1 });
  assert(!again.ok && again.error.code === 'outbox.in-use', again.ok ? 'opened twice' : again.error.message);
  await outbox.close();
  const foreign = await openOutbox({ directory, ledger: 'BBBBBBBBBBB', transactionsMax: 1, bytesMax: 1 });
  assert(!foreign.ok && foreign.error.code === 'outbox.wrong-ledger');
});

test('killed with -9 again and again, it keeps all it acknowledged and gives no counter twice', async (t) => {
  const directory = temporaryDirectory(t);
  const program = fileURLToPath(new URL('./testing/outbox-writer.ts', import.meta.url));
  const acknowledged = new Map<string, number>();
  for (let round = 0; round < 4; round += 1) {
    const child = spawn(process.execPath, [program, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.length > 3000) child.kill('SIGKILL');
    });
    await new Promise((resolve) => child.once('exit', resolve));
    for (const counter of output.split('\n').slice(0, -1)) {
      acknowledged.set(counter, (acknowledged.get(counter) ?? 0) + 1);
    }
  }
  const outbox = await opened(directory, { transactionsMax: 1_000_000, bytesMax: 1_000_000_000 });
  const kept = new Set(outbox.read(0, 1_000_000, 1e9).map((row) => Buffer.from(row.bytes).toString()));
  assert(acknowledged.size > 500, `only ${acknowledged.size} were acknowledged`);
  for (const [counter, times] of acknowledged) {
    assert.equal(times, 1, `counter ${counter} was given twice`);
    assert(kept.has(counter), `acknowledged ${counter} was lost`);
  }
  await outbox.close();
});

test('a folder that is no outbox is refused with its name', async (t) => {
  const directory = temporaryDirectory(t);
  execFileSync('sh', ['-c', 'head -c 8192 /dev/urandom > "$1/outbox.db"', 'sh', directory]);
  const result = await openOutbox({ directory, ledger: 'AAAAAAAAAAA', transactionsMax: 1, bytesMax: 1 });
  assert(!result.ok && result.error.code === 'outbox.damaged');
  assert.match(result.error.message, /outbox\.db/);
});
