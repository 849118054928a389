import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { decodeTransaction, sha256, toHex } from '@cairn-ledger/core';
import { createKey, createSigner, describeTransaction, type OutcomeAnswer, transactionIdOf } from '@cairn-ledger/sdk';
import { CommandFailed } from '../exit-code.ts';
import { type FeedJournal, openFeedJournal } from './feed-journal.ts';
import { type FeedOutcome, type FeedRun, overtakenMax, runFeed } from './feed-run.ts';
import { readItems } from './reading-source.ts';

const dir = mkdtempSync(join(tmpdir(), 'cairn-feed-'));
after(() => rmSync(dir, { recursive: true }));
const ledgerHash = sha256(new Uint8Array([1]));
const signer = createSigner(createKey());

/** A ledger that takes every transaction once, by its id, and may be made to fail. */
class FakeLedger {
  readonly accepted = new Map<string, Uint8Array>();
  readonly counters: bigint[] = [];
  /** Called before a request; throws to break the connection, returns outcomes to answer in place of the ledger. */
  before: ((transactions: readonly Uint8Array[]) => OutcomeAnswer[] | undefined) | null = null;
  /** Called after a request has taken effect and before it is answered. */
  behind: (() => void) | null = null;

  readonly client: FeedRun['client'] = {
    submitMany: async (transactions) => {
      const answered = this.before?.(transactions);
      if (answered) return { ok: true, value: answered };
      const outcomes = transactions.map((transaction): OutcomeAnswer => {
        const id = idOf(transaction);
        if (!this.accepted.has(id)) this.counters.push(counterOf(transaction));
        this.accepted.set(id, transaction);
        return { id, status: 'accepted' };
      });
      this.behind?.();
      return { ok: true, value: outcomes };
    },
    transaction: async (id) => {
      if (!this.accepted.has(id)) return { ok: false, error: { code: 'http.not-found', message: '' } };
      return { ok: true, value: { id, status: 'accepted', certified: true } };
    },
  };

  values(): string[] {
    return [...this.accepted.values()]
      .sort((a, b) => Number(counterOf(a) - counterOf(b)))
      .flatMap((transaction) => {
        const content = describeTransaction(transaction);
        assert.ok(content.ok);
        return content.value.readings.map(({ value }) => (value.type === 'number' ? value.text : ''));
      });
  }
}

function idOf(transaction: Uint8Array): string {
  const id = transactionIdOf(transaction);
  assert.ok(id.ok);
  return id.value;
}

function counterOf(transaction: Uint8Array): bigint {
  const decoded = decodeTransaction(transaction);
  assert.ok(decoded.ok);
  return decoded.value.header.counter;
}

function csv(rows: number, from = 0): string {
  return Array.from({ length: rows }, (_, row) => `${1_372_896_000 + 60 * (from + row)},${20 + from + row}.50\n`).join(
    '',
  );
}

const valuesOf = (rows: number): string[] => Array.from({ length: rows }, (_, row) => `${20 + row}.50`);

let feeds = 0;
function newFeed(rows: number): { input: string; keyPath: string; progress: string } {
  const name = join(dir, `feed-${feeds++}`);
  writeFileSync(`${name}.csv`, `timestamp,value\n${csv(rows)}`);
  return { input: `${name}.csv`, keyPath: `${name}.key`, progress: `${name}.progress` };
}

function open({ input, progress }: { input: string; progress: string }): FeedJournal {
  const journal = openFeedJournal(progress, { input, ledger: 'ledger', kid: toHex(signer.kid) });
  assert.ok(journal.ok, journal.ok ? '' : journal.error.message);
  return journal.value;
}

async function run(
  feed: ReturnType<typeof newFeed>,
  ledger: FakeLedger,
  more: Partial<FeedRun> = {},
): Promise<FeedOutcome> {
  const journal = open(feed);
  try {
    return await runFeed({
      items: readItems({ path: feed.input, format: 'csv', timeUnit: 's', delimiter: ',', onBad: 'stop' }),
      journal,
      keyPath: feed.keyPath,
      signer,
      ledgerHash,
      readingsPerTransaction: 7,
      client: ledger.client,
      skipRejected: false,
      onProgress: () => undefined,
      signal: new AbortController().signal,
      ...more,
    });
  } finally {
    journal.close();
  }
}

test('every reading of the file arrives once, in order, with its decimals', async () => {
  const feed = newFeed(100);
  const ledger = new FakeLedger();
  const outcome = await run(feed, ledger);
  assert.deepEqual(outcome, { readings: 100, transactions: 15, rejected: 0, isComplete: true });
  assert.deepEqual(ledger.values(), valuesOf(100));
});

test('feeding the same file again sends nothing', async () => {
  const feed = newFeed(50);
  const ledger = new FakeLedger();
  await run(feed, ledger);
  const again = await run(feed, ledger);
  assert.deepEqual(again, { readings: 0, transactions: 0, rejected: 0, isComplete: true });
  assert.equal(ledger.accepted.size, 8);
});

test('a file that has grown is read on from where it ended', async () => {
  const feed = newFeed(50);
  const ledger = new FakeLedger();
  await run(feed, ledger);
  appendFileSync(feed.input, csv(30, 50));
  const outcome = await run(feed, ledger);
  assert.equal(outcome.readings, 30);
  assert.deepEqual(ledger.values(), valuesOf(80));
});

test('a connection that breaks after the ledger took the transactions loses and doubles nothing', async () => {
  for (const moment of ['before', 'behind'] as const) {
    const feed = newFeed(3_000);
    const ledger = new FakeLedger();
    let requests = 0;
    ledger[moment] = () => {
      if (++requests === 3) throw new CommandFailed({ code: 'client.unreachable', message: 'gone' });
      return undefined;
    };
    await assert.rejects(run(feed, ledger, { readingsPerTransaction: 1 }), CommandFailed);
    const outcome = await run(feed, ledger, { readingsPerTransaction: 1 });
    assert.ok(outcome.isComplete);
    assert.deepEqual(ledger.values(), valuesOf(3_000), moment);
    assert.equal(new Set(ledger.counters).size, ledger.counters.length);
  }
});

test('a crash that tears the last line of the progress off loses and doubles nothing', async () => {
  const feed = newFeed(1_000);
  const ledger = new FakeLedger();
  // A copy of the file at every group, as a crash would leave it.
  const snapshots: Buffer[] = [];
  ledger.behind = () => void snapshots.push(readFileSync(feed.progress));
  await run(feed, ledger, { readingsPerTransaction: 1 });
  assert.ok(snapshots.length >= 4);
  for (const snapshot of snapshots) {
    const end = snapshot.lastIndexOf(0x0a, snapshot.length - 2) + 1;
    for (const size of [snapshot.length, snapshot.length - 1, Math.floor((end + snapshot.length) / 2), end]) {
      const torn = new FakeLedger();
      writeFileSync(feed.progress, snapshot.subarray(0, size));
      // The torn group was never sent: only what the journal holds in full may be on the ledger.
      const before = open(feed);
      for (const group of before.unsettled) await torn.client.submitMany(group.transactions);
      const settled = before.progress.readings - before.unsettled.reduce((count, group) => count + group.readings, 0);
      before.close();
      await run(feed, torn, { readingsPerTransaction: 1 });
      assert.deepEqual(torn.values(), valuesOf(1_000).slice(settled));
    }
  }
});

test('transactions that are still open are sent again until they are decided', async () => {
  const feed = newFeed(30);
  const ledger = new FakeLedger();
  let left = 2;
  ledger.before = (transactions) =>
    left-- > 0
      ? transactions.map((bytes) => ({ id: idOf(bytes), status: left === 1 ? 'busy' : 'pending' }))
      : undefined;
  assert.equal((await run(feed, ledger)).readings, 30);
  assert.deepEqual(ledger.values(), valuesOf(30));
});

test('a rejection stops the feed, and after the reason is mended the same bytes go in', async () => {
  const feed = newFeed(40);
  const ledger = new FakeLedger();
  const seen = new Set<string>();
  ledger.before = (transactions) =>
    transactions.map((bytes) => {
      seen.add(idOf(bytes));
      return { id: idOf(bytes), status: 'rejected', code: 'tx.unknown-key', message: 'Not registered.' };
    });
  await assert.rejects(
    run(feed, ledger),
    (error: CommandFailed) => error.error.code === 'tx.unknown-key' && error.exitCode === 3,
  );
  ledger.before = null;
  assert.ok((await run(feed, ledger)).isComplete);
  assert.deepEqual(ledger.values(), valuesOf(40));
  assert.deepEqual(
    [...seen].filter((id) => !ledger.accepted.has(id)),
    [],
  );
});

test('with skipRejected, rejected transactions are counted and left behind', async () => {
  const feed = newFeed(40);
  const ledger = new FakeLedger();
  ledger.before = (transactions) =>
    transactions.map((bytes, index) => {
      ledger.accepted.set(idOf(bytes), bytes);
      return index === 2
        ? { id: idOf(bytes), status: 'rejected', code: 'asset.insufficient' }
        : { id: idOf(bytes), status: 'accepted' };
    });
  const outcome = await run(feed, ledger, { skipRejected: true });
  assert.deepEqual(outcome, { readings: 40, transactions: 6, rejected: 1, isComplete: true });
});

test('a node that only remembers the counter does not make an accepted transaction look rejected', async () => {
  for (const code of ['tx.replayed', 'history.not-held']) {
    const feed = newFeed(20);
    const ledger = new FakeLedger();
    ledger.before = (transactions) =>
      transactions.map((bytes) => {
        ledger.accepted.set(idOf(bytes), bytes);
        return { id: idOf(bytes), status: 'rejected', code };
      });
    assert.deepEqual(await run(feed, ledger), { readings: 20, transactions: 3, rejected: 0, isComplete: true });
  }
});

test('no transaction is overtaken beyond the replay window', async () => {
  const feed = newFeed(9_000);
  const ledger = new FakeLedger();
  let stuck: bigint | null = null;
  let farthest = 0n;
  let requestsWhileStuck = 0;
  ledger.before = (transactions) => {
    const first = counterOf(transactions[0]!);
    stuck ??= first;
    if (first !== stuck) {
      const distance = counterOf(transactions.at(-1)!) - stuck;
      if (requestsWhileStuck < 10) farthest = distance > farthest ? distance : farthest;
      return undefined;
    }
    return requestsWhileStuck++ < 10
      ? transactions.map((bytes) => ({ id: idOf(bytes), status: 'pending' }))
      : undefined;
  };
  assert.ok((await run(feed, ledger, { readingsPerTransaction: 1 })).isComplete);
  assert.ok(farthest <= BigInt(overtakenMax), `${farthest}`);
  assert.equal(ledger.accepted.size, 9_000);
});

test('an aborted feed stops, and goes on later', async () => {
  const feed = newFeed(5_000);
  const ledger = new FakeLedger();
  const abort = new AbortController();
  let requests = 0;
  ledger.behind = () => {
    if (++requests === 3) abort.abort();
  };
  const stopped = await run(feed, ledger, { readingsPerTransaction: 1, signal: abort.signal });
  assert.equal(stopped.isComplete, false);
  assert.ok((await run(feed, ledger, { readingsPerTransaction: 1 })).isComplete);
  assert.deepEqual(ledger.values(), valuesOf(5_000));
});

test('an input that was changed before the position is noticed', async () => {
  const feed = newFeed(50);
  await run(feed, new FakeLedger());
  writeFileSync(feed.input, readFileSync(feed.input, 'utf8').replace('21.50', '99.99'));
  appendFileSync(feed.input, csv(5, 50));
  await assert.rejects(
    run(feed, new FakeLedger()),
    (error: CommandFailed) => error.error.code === 'feed.input-changed',
  );
});

test('the progress of another key, network or input is refused', async () => {
  const feed = newFeed(10);
  open(feed).close();
  const identity = { input: feed.input, ledger: 'ledger', kid: toHex(signer.kid) };
  for (const field of ['input', 'ledger', 'kid'] as const) {
    const journal = openFeedJournal(feed.progress, { ...identity, [field]: 'another' });
    assert.equal(!journal.ok && journal.error.code, 'feed.other-feed');
  }
});

test('damage in the middle of the progress is refused, not guessed around', async () => {
  const feed = newFeed(600);
  const ledger = new FakeLedger();
  let whole: Buffer = Buffer.alloc(0);
  ledger.behind = () => {
    whole = readFileSync(feed.progress);
  };
  await run(feed, ledger, { readingsPerTransaction: 1 });
  const lines = whole.toString().split('\n');
  writeFileSync(feed.progress, [lines[0], lines[1]!.slice(0, -20), ...lines.slice(2)].join('\n'));
  const journal = openFeedJournal(feed.progress, { input: feed.input, ledger: 'ledger', kid: toHex(signer.kid) });
  assert.equal(!journal.ok && journal.error.code, 'feed.damaged-progress');
});

test('a rate is kept', async () => {
  const feed = newFeed(40);
  const startedMs = performance.now();
  await run(feed, new FakeLedger(), { readingsPerTransaction: 1, ratePerSecond: 80 });
  const tookMs = performance.now() - startedMs;
  assert.ok(tookMs > 200, `${tookMs} ms`);
});
