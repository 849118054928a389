/**
 * A fixed share of the fuzzing of decoders, in every run of the tests; `npm run fuzz` does as much more as is wanted. The
 * seed is fresh each time, and printed; `FUZZ_SEED` runs one again, `FUZZ_RUNS` sets the inputs of a target of weight 1.
 */
import assert from 'node:assert/strict';
import process from 'node:process';
import { test } from 'node:test';
import { fuzzSettings } from '../../packages/core/src/bytes/testing/fuzz.ts';
import { bytesToTree, treeToBytes } from './cbor-tree.ts';
import * as good from './corpora.ts';
import { type Crash, createReport, execute, inputOf, runTarget, shrink } from './execute.ts';
import type { Target } from './target.ts';
import { targets } from './targets.ts';

const { seed, numRuns } = fuzzSettings(250);

test('no decoder throws, is slow, or takes in what encodes otherwise', async () => {
  const crashes: string[] = [];
  const tell = ({ target, index, input, what }: Crash) =>
    crashes.push(`${target}, input ${index} of seed ${seed}, shrunk ${Buffer.from(input).toString('hex')}: ${what}`);
  let accepted = 0;
  for (const target of targets) {
    const count = Math.ceil(numRuns * (target.weight ?? 1));
    accepted += (await runTarget(target, seed, count, { onCrash: tell, crashesMax: 2 })).accepted;
  }
  assert.deepEqual(crashes, []);
  assert.ok(accepted > numRuns, 'not everything is refused at the first byte');
});

test('every entry of a corpus is accepted, but for vectors that show what is refused', async () => {
  // Vectors and a receipt with one signature show what is refused, too.
  const withRefusals = ['decodeCbor', 'decodeCoseSign1'];
  for (const target of targets) {
    const report = createReport(target.name);
    const corpus = target.corpus();
    for (const bytes of corpus) assert.equal(await execute(target, bytes, report), null, target.name);
    assert.ok(
      report.accepted > 0 || target.isDeclared !== undefined || target.name === 'answers of a hostile node',
      target.name,
    );
    if (target.isCanonical === true && !withRefusals.includes(target.name))
      assert.equal(report.accepted, corpus.length, `${target.name}: ${[...report.codes.keys()]}`);
  }
});

test('an input is a function of seed and number', () => {
  const target = targets.find(({ name }) => name === 'decodeMessage')!;
  const inputs = Array.from({ length: 200 }, (_, i) => Buffer.from(inputOf(target, 7, i)).toString('hex'));
  assert.deepEqual(
    inputs,
    inputs.map((_, i) => Buffer.from(inputOf(target, 7, i)).toString('hex')),
  );
  assert.ok(new Set(inputs).size > 150);
  assert.notEqual(inputs[5], Buffer.from(inputOf(target, 8, 5)).toString('hex'));
});

test('CBOR comes back from its tree as it was', () => {
  for (const bytes of [...good.encodedMessages, ...good.transactions, ...good.genesisDocuments]) {
    const tree = bytesToTree(bytes);
    assert.ok(tree !== null);
    assert.deepEqual(Buffer.from(treeToBytes(tree)), Buffer.from(bytes));
  }
});

test('a decoder that throws, takes in two encodings, or is too slow is found, and its input is shrunk', async () => {
  const weak = (run: Target['run'], more: Partial<Target> = {}): Target => ({
    name: 'weak',
    covers: [],
    sizeMax: 4096,
    corpus: () => good.encodedMessages,
    run,
    ...more,
  });
  const throwing = weak((bytes) => {
    if (bytes.includes(0x5b)) throw new TypeError('no such thing');
    return { ok: false, code: 'weak.refused' };
  });
  const lenient = weak((bytes) => ({ ok: true, value: bytes.length }), {
    encode: () => new Uint8Array(1),
    isCanonical: true,
  });
  const idle = weak(() => {
    for (const start = process.threadCpuUsage().user; process.threadCpuUsage().user - start < 30_000; );
    return { ok: false, code: 'weak.slow' };
  });
  const found: Crash[] = [];
  await runTarget(throwing, 3, 3_000, { onCrash: (crash) => found.push(crash), crashesMax: 1 });
  assert.deepEqual([...found[0]!.input], [0x5b]);
  assert.match((await execute(lenient, new Uint8Array(9), createReport('weak'))) ?? '', /other bytes/);
  assert.match((await execute(idle, new Uint8Array(9), createReport('weak'), 20)) ?? '', /took/);
  assert.deepEqual(await shrink(Uint8Array.of(9, 8, 7), async (bytes) => bytes.includes(8)), Uint8Array.of(8));
});
