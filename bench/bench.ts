/**
 * `npm run bench`: validators as processes of their own on this machine, driven with signed transactions, and the rate at
 * which this machine verifies signatures, so that the result is a ratio:
 *
 *     ceilingShare = committed transactions/s x validators / (verifications/s of all cores)
 *
 * A figure is taken from the slowest node: a transaction counts when every node has executed it, durably, and its readings
 * can be queried there.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { type BenchNetwork, residentMiB, sizeOfFolder, startBenchNetwork } from './bench-network.ts';
import { type Progress, postAll, progressOf, sleep, timeFinality } from './load.ts';
import { signTransactions } from './signing.ts';
import { measureVerificationRate } from './verification-rate.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    validators: { type: 'string', default: '4' },
    readings: { type: 'string', default: '1,20' },
    transactions: { type: 'string' },
    seconds: { type: 'string', default: '10' },
    devices: { type: 'string', default: '10' },
    payload: { type: 'string', default: '0' },
    help: { type: 'boolean', default: false },
  },
});

const help = `npm run bench -- [options]

  --validators N      nodes on this machine (default 4)
  --readings A,B      readings in each transaction, one run for each (default 1,20)
  --seconds S         about how long each run lasts (default 10)
  --transactions N    transactions in each run, in place of --seconds
  --payload BYTES     opaque bytes in each transaction, beside its readings (default 0)
  --devices N         devices of each of the 20 members (default 10)
  --json              one JSON object on standard output, nothing else`;

type Percentiles = { readonly p50: number; readonly p99: number };
type Run = {
  readonly readingsPerTransaction: number;
  readonly transactions: number;
  readonly transactionsPerSecond: number;
  readonly readingsPerSecond: number;
  readonly ceilingShare: number;
  readonly finalityMs: Percentiles;
  readonly rssMiB: number;
  readonly bytesPerReading: number;
  readonly bytesPerTransaction: number;
};

const lightSamples = { few: 30, many: 100 };
/** From here on a sample takes long on two cores. */
const largeSet = 10;
const probeDevices = 20;
/** Transactions sent before the measured ones, as a share of them. */
const warmUpShare = 0.25;
const settleMs = 120_000;

async function main(): Promise<void> {
  if (values.help) return console.log(help);
  const validators = Number(values.validators);
  const say = (text: string): void => void (values.json || console.error(text));
  const verificationsPerSecond = await measureVerificationRate();
  say(`this machine verifies ${Math.round(verificationsPerSecond)} signatures/s on ${availableParallelism()} cores`);
  const runs: Run[] = [];
  let light: Percentiles | null = null;
  for (const readings of values.readings.split(',').map(Number)) {
    const network = await startBenchNetwork(validators, Number(values.devices));
    try {
      if (light === null) {
        light = await measureLightLoad(network);
        say(`light load: finality p50 ${light.p50} ms, p99 ${light.p99} ms`);
      }
      const run = await measureLoad(network, readings, verificationsPerSecond, say);
      runs.push(run);
      say(`${readings} readings per transaction: ${JSON.stringify(run)}`);
    } finally {
      await network.stop();
      network.remove();
    }
  }
  const first = runs[0]!;
  const most = runs.reduce((a, b) => (a.readingsPerSecond > b.readingsPerSecond ? a : b));
  const report = {
    validators,
    cores: availableParallelism(),
    verificationsPerSecond: Math.round(verificationsPerSecond),
    transactionsPerSecond: first.transactionsPerSecond,
    readingsPerSecond: most.readingsPerSecond,
    ceilingShare: first.ceilingShare,
    finalityMs: first.finalityMs,
    lightLoadFinalityMs: light,
    rssMiB: Math.max(...runs.map((run) => run.rssMiB)),
    bytesPerReading: most.bytesPerReading,
    runs,
  };
  console.log(values.json ? JSON.stringify(report) : JSON.stringify(report, null, 2));
}

/** One transaction at a time, a little apart. */
async function measureLightLoad(network: BenchNetwork): Promise<Percentiles> {
  const samples = network.nodes.length >= largeSet ? lightSamples.few : lightSamples.many;
  const transactions = await signTransactions({
    ledgerHash: network.ledgerHash,
    keyPaths: network.deviceKeys,
    transactionsCount: samples + 10,
    readingsCount: 1,
    payloadBytes: Number(values.payload),
    counterBase: 0,
  });
  await sleep(1_000);
  const times: number[] = [];
  for (const [i, transaction] of transactions.entries()) {
    const ms = await timeFinality(network.nodes[i % network.nodes.length]!.http, transaction);
    // The first ones warm the compilers up.
    if (i >= 10) times.push(ms);
    await sleep(30);
  }
  return percentiles(times);
}

async function measureLoad(
  network: BenchNetwork,
  readings: number,
  verificationsPerSecond: number,
  say: (text: string) => void,
): Promise<Run> {
  const validators = network.nodes.length;
  const expected = Math.min(15_000, (verificationsPerSecond / validators) * 0.6) / (1 + readings / 40);
  const count =
    values.transactions === undefined ? Math.round(expected * Number(values.seconds)) : Number(values.transactions);
  // Probes come from devices of their own: their counters are not in the order of the load's.
  const [loadKeys, probeKeys] = [network.deviceKeys.slice(probeDevices), network.deviceKeys.slice(0, probeDevices)];
  const job = {
    ledgerHash: network.ledgerHash,
    readingsCount: readings,
    payloadBytes: Number(values.payload),
    counterBase: 1_000,
  };
  const warmUp = Math.round(count * warmUpShare);
  const signed = await signTransactions({ ...job, keyPaths: loadKeys, transactionsCount: warmUp + count });
  const transactions = signed.slice(warmUp);
  const probes = await signTransactions({ ...job, keyPaths: probeKeys, transactionsCount: 2_000 });
  say(`${count} transactions signed, ${Math.round(transactions[0]!.length)} bytes each`);
  const https = network.nodes.map((node) => node.http);
  // What is not measured: the compilers of a fresh process at work.
  await warm(https, signed.slice(0, warmUp));
  const before = await progressOfAll(https);
  const start = performance.now();
  let isDone = false;
  let seconds = 0;
  let rssMiB = 0;
  let executed = 0;
  const watch = (async () => {
    while (!isDone) {
      const progress = await progressOfAll(https);
      executed = Math.min(...progress.map((p, i) => p.transactions - before[i]!.transactions));
      for (const node of network.nodes) rssMiB = Math.max(rssMiB, residentMiB(node.process.pid));
      await sleep(60);
    }
  })();
  const finality: number[] = [];
  const probing = (async () => {
    for (let i = 0; !isDone && i < probes.length; i++) {
      finality.push(await timeFinality(https[i % https.length]!, probes[i]!));
      await sleep(100);
    }
  })();
  try {
    await postAll(https, transactions, 100, 2, () => executed);
    const deadline = performance.now() + settleMs;
    while (performance.now() < deadline) {
      if (executed >= count) break;
      await sleep(10);
    }
    seconds = (performance.now() - start) / 1000;
  } finally {
    isDone = true;
    await Promise.allSettled([watch, probing]);
  }
  await sleep(1_500);
  const after = await progressOfAll(https);
  const shortest = Math.min(...after.map((p, i) => p.transactions - before[i]!.transactions));
  if (shortest < count)
    throw new Error(`only ${shortest} of ${count} transactions were executed everywhere in ${seconds} s`);
  assertEqualRoots(after);
  const transactionsPerSecond = count / seconds;
  const dataBytes = sizeOfFolder(join(network.nodes[0]!.dir, 'data'));
  return {
    readingsPerTransaction: readings,
    transactions: count,
    transactionsPerSecond: round(transactionsPerSecond),
    readingsPerSecond: round(transactionsPerSecond * readings),
    ceilingShare: Math.round(((transactionsPerSecond * validators) / verificationsPerSecond) * 1000) / 1000,
    finalityMs: percentiles(finality),
    rssMiB: round(rssMiB),
    bytesPerReading: round(dataBytes / Math.max(1, after[0]!.readings)),
    bytesPerTransaction: round(dataBytes / Math.max(1, after[0]!.transactions)),
  };
}

async function warm(https: readonly string[], transactions: readonly Uint8Array[]): Promise<void> {
  const before = (await progressOf(https[0]!)).transactions;
  let executed = 0;
  let isDone = false;
  const watch = (async () => {
    while (!isDone) {
      executed = Math.min(...(await progressOfAll(https)).map((progress) => progress.transactions)) - before;
      await sleep(60);
    }
  })();
  await postAll(https, transactions, 100, 2, () => executed);
  while (executed < transactions.length) await sleep(20);
  isDone = true;
  await watch;
}

function progressOfAll(https: readonly string[]): Promise<Progress[]> {
  return Promise.all(https.map((http) => progressOf(http)));
}

function assertEqualRoots(progress: readonly Progress[]): void {
  const atOneHeight = progress.filter((p) => p.height === progress[0]!.height);
  for (const { historyRoot, stateRoot } of atOneHeight) {
    if (historyRoot !== atOneHeight[0]!.historyRoot || stateRoot !== atOneHeight[0]!.stateRoot)
      throw new Error('nodes differ in their roots');
  }
}

function percentiles(times: readonly number[]): Percentiles {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number): number =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { p50: at(0.5), p99: at(0.99) };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
