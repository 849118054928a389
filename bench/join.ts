/**
 * `npm run bench:join`: how long a new node takes to take over the state of a network, as the transactions that were executed
 * before become more. Who serves and who joins are processes of their own, linked by TLS on loopback; everything is
 * verified, and durable at the end.
 */
import { fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { installNodeSha256 } from '../packages/node/src/crypto/sha256.ts';
import { devicesCount, makeChain, sizeOfDatabase } from './join-chain.ts';
import type { JoinTimes } from './join-newcomer.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    transactions: { type: 'string', default: '100000,1000000' },
    rounds: { type: 'string', default: '5' },
    full: { type: 'string', default: '100000' },
    dir: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const help = `npm run bench:join -- [options]

  --transactions A,B  executed before a node joins, one chain for each (default 100000,1000000)
  --rounds N          joins of each, in turn; the median counts (default 5)
  --full N            also replays a chain of so many transactions, which must be one of these; 0: none (default 100000)
  --dir FOLDER        keeps the chains there, and uses those that are there already
  --json              one JSON object on standard output, nothing else`;

type Served = { readonly address: string; readonly entries: number; readonly height: number };

async function main(): Promise<void> {
  if (values.help) return console.log(help);
  const say = (text: string): void => void (values.json || console.error(text));
  const sizes = values.transactions.split(',').map(Number);
  const dir = values.dir ?? mkdtempSync(join(tmpdir(), 'cairn-join-'));
  mkdirSync(dir, { recursive: true });
  installNodeSha256();
  try {
    const report = await measure(dir, sizes, say);
    console.log(values.json ? JSON.stringify(report) : JSON.stringify(report, null, 2));
  } finally {
    if (values.dir === undefined) rmSync(dir, { recursive: true, force: true });
  }
}

async function measure(dir: string, sizes: readonly number[], say: (text: string) => void) {
  const pathOf = (transactions: number): string => join(dir, `chain-${transactions}.db`);
  for (const transactions of sizes) makeChain(pathOf(transactions), transactions, say);
  const runs = new Map<number, Joined[]>(sizes.map((transactions) => [transactions, []]));
  // In turn, so that a machine that slows down meanwhile slows all of them down.
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const transactions of sizes) {
      const joined = await joinOnce(pathOf(transactions), 'state');
      runs.get(transactions)!.push(joined);
      const { syncMs, cpuMs } = joined.times;
      say(`${transactions} transactions: joined in ${Math.round(syncMs)} ms, ${Math.round(cpuMs)} ms of CPU`);
    }
  }
  const joins = sizes.map((transactions) => {
    const own = runs.get(transactions)!;
    const ofRuns = (pick: (joined: Joined) => number): number[] =>
      own.map((joined) => Math.round(pick(joined))).sort((a, b) => a - b);
    const syncMsOfRuns = ofRuns(({ times }) => times.syncMs);
    const { times, served } = own.at(-1)!;
    return {
      transactions,
      entries: served.entries,
      syncMs: median(syncMsOfRuns),
      fetchMs: median(ofRuns(({ times: { fetchMs } }) => fetchMs)),
      cpuMs: median(ofRuns(({ times: { cpuMs } }) => cpuMs)),
      servedCpuMs: median(ofRuns(({ servedCpuMs }) => servedCpuMs)),
      syncMsOfRuns,
      bytesFetched: times.bytesFetched,
      databaseBytes: sizeOfDatabase(pathOf(transactions)),
      joinedBytes: times.joinedBytes,
    };
  });
  const full = Number(values.full);
  const replay = full === 0 ? null : (await joinOnce(pathOf(full), 'full')).times;
  return {
    devices: devicesCount,
    cores: availableParallelism(),
    joins,
    /** Of the longest chain by the shortest. */
    ratio: ratioOf(joins.at(-1)!.syncMs, joins[0]!.syncMs),
    cpuRatio: ratioOf(joins.at(-1)!.cpuMs + joins.at(-1)!.servedCpuMs, joins[0]!.cpuMs + joins[0]!.servedCpuMs),
    full:
      replay === null
        ? null
        : {
            transactions: full,
            syncMs: Math.round(replay.syncMs),
            cpuMs: Math.round(replay.cpuMs),
            bytesFetched: replay.bytesFetched,
          },
  };
}

type Joined = { readonly times: JoinTimes; readonly served: Served; readonly servedCpuMs: number };

/** One node joins, served by a fresh process, by a fresh process. */
async function joinOnce(path: string, mode: 'state' | 'full'): Promise<Joined> {
  const peer = start('join-peer.ts', [path]);
  try {
    const served = await peer.said<Served>();
    const newcomer = start('join-newcomer.ts', [served.address, mode, String(served.height)]);
    const times = await newcomer.said<JoinTimes>();
    const answered = peer.said<{ readonly cpuMs: number }>();
    peer.ask();
    return { times, served, servedCpuMs: (await answered).cpuMs };
  } finally {
    peer.end();
  }
}

function start(file: string, args: readonly string[]) {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  return {
    said: <T>() =>
      new Promise<T>((resolve, reject) => {
        child.once('message', (message) => resolve(message as T));
        child.once('exit', (code) => reject(new Error(`${file} ended with ${code}`)));
      }),
    ask: () => void child.send('cpu'),
    end: () => void child.kill(),
  };
}

function ratioOf(longest: number, shortest: number): number {
  return Math.round((longest / shortest) * 100) / 100;
}

/** Of numbers in ascending order. */
function median(sorted: readonly number[]): number {
  return sorted[Math.floor((sorted.length - 1) / 2)]!;
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
