/**
 * Runs worlds from the command line.
 *
 *     npm run sim -- <seed> [--nodes N]           one world, told in full
 *     npm run sim -- --seeds N [--from S] [--nodes N] [--json]
 *                                                 many worlds; without --nodes the sizes 4, 5, 7 and 10 take turns
 *
 * Exit code 1 when a world breaks a promise or stalls.
 */
import { hash } from 'node:crypto';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { installSha256 } from '@cairn-ledger/core';
import { defaultWorld, runWorld, type WorldReport } from './world.ts';

// The same hash, natively: a world spends much of its time hashing.
installSha256((bytes) => hash('sha256', bytes, 'buffer'));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    nodes: { type: 'string' },
    seeds: { type: 'string' },
    from: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
const sizes = values.nodes === undefined ? [4, 5, 7, 10] : [Number(values.nodes)];

if (values.seeds === undefined) runOne(Number(positionals[0] ?? 1), sizes[0]!);
else runMany(Number(values.from), Number(values.seeds));

function runOne(seed: number, nodesCount: number): void {
  const report = runWorld({ seed, nodesCount, ...defaultWorld });
  console.log(values.json ? JSON.stringify(report) : textOf(report));
  if (isBad(report)) process.exitCode = 1;
}

function runMany(from: number, count: number): void {
  const startedMs = performance.now();
  const bad: WorldReport[] = [];
  let blocks = 0;
  let slowest = { seed: from, nodesCount: sizes[0]!, recoveryMs: 0 };
  for (let seed = from; seed < from + count; seed++) {
    const report = runWorld({ seed, nodesCount: sizes[seed % sizes.length]!, ...defaultWorld });
    blocks += report.blocks;
    if (report.recoveryMs > slowest.recoveryMs) slowest = report;
    if (!isBad(report)) continue;
    bad.push(report);
    if (!values.json) console.log(textOf(report));
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  const summary = {
    worlds: count,
    from,
    sizes,
    blocks,
    violations: bad.filter((report) => report.violations.length > 0).length,
    stalls: bad.filter((report) => report.stalls.length > 0).length,
    slowestRecovery: { seed: slowest.seed, nodesCount: slowest.nodesCount, recoveryMs: slowest.recoveryMs },
    seconds: Math.round(seconds * 10) / 10,
  };
  if (values.json) console.log(JSON.stringify({ ...summary, bad }));
  else console.log(`${count} worlds, ${blocks} blocks, ${bad.length} bad, ${(count / seconds).toFixed(1)} worlds/s`);
  if (!values.json)
    console.log(`slowest recovery: ${slowest.recoveryMs} ms, seed ${slowest.seed}, ${slowest.nodesCount} nodes`);
  if (bad.length > 0) process.exitCode = 1;
}

function isBad(report: WorldReport): boolean {
  return report.violations.length > 0 || report.stalls.length > 0;
}

function textOf(report: WorldReport): string {
  const { seed, nodesCount, blocks, views, frames, crashes, adversaries, recoveryMs, fingerprint } = report;
  return [
    `seed ${seed}, ${nodesCount} nodes: ${blocks} blocks in ${views} views, ${frames} frames, ${crashes} crashes, recovered in ${recoveryMs} ms`,
    ...adversaries.map((text) => `  adversary: ${text}`),
    ...report.violations.map((text) => `  violation: ${text}`),
    ...report.stalls.map((text) => `  stall: ${text}`),
    `  fingerprint ${fingerprint.slice(0, 16)}; replay: npm run sim -- ${seed} --nodes ${nodesCount}`,
  ].join('\n');
}
