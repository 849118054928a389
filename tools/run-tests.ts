/**
 * Runs the tests with node's own runner: `npm test` for all of them, or `node tools/run-tests.ts packages e2e` for some
 * folders. Files are found by name: `*.test.ts` and `*.fuzz.test.ts` beside their sources, and under `e2e/`.
 *
 * Tests over real processes come last. Most of these wait more than they compute, and run two files at a time; those that count what a
 * whole network gets done share the machine's cores with nobody. The last line sums up all runs.
 */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import process from 'node:process';

type Counts = { readonly passed: number; readonly failed: number; readonly skipped: number };

const roots = process.argv.length > 2 ? process.argv.slice(2) : ['packages', 'tools', 'bench', 'spec', 'e2e'];
const files = roots
  .flatMap((root) => (root.endsWith('.ts') ? [root] : globSync(`${root}/**/*.test.ts`)))
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => !file.includes('node_modules'))
  .sort();

/** Under load all the time, or asked for what must happen within a time. */
const alone = new Set(
  ['corrupt', 'drill', 'grow-and-shrink', 'healing', 'kills', 'one-stopped', 'partitions', 'twenty'].map(
    (name) => `e2e/${name}.test.ts`,
  ),
);
const isE2e = (file: string): boolean => file.startsWith('e2e/');

const groups = [
  { files: files.filter((file) => !isE2e(file)), concurrency: 2 },
  { files: files.filter((file) => isE2e(file) && !alone.has(file)), concurrency: 2 },
  { files: files.filter((file) => alone.has(file)), concurrency: 1 },
].filter((group) => group.files.length > 0);

if (groups.length === 0) {
  console.error(`no tests found under ${roots.join(', ')}`);
  process.exit(1);
}

let total: Counts = { passed: 0, failed: 0, skipped: 0 };
let isGreen = true;
for (const group of groups) {
  const { counts, code } = await runGroup(group.files, group.concurrency);
  isGreen &&= code === 0;
  total = {
    passed: total.passed + counts.passed,
    failed: total.failed + counts.failed,
    skipped: total.skipped + counts.skipped,
  };
}
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(isGreen && total.failed === 0 && total.passed > 0 ? 0 : 1);

/** Runs some files, shows what the runner says, and reads its summary. */
function runGroup(group: readonly string[], concurrency: number): Promise<{ counts: Counts; code: number }> {
  const flags = ['--test', '--test-reporter=spec', '--test-timeout=600000', `--test-concurrency=${concurrency}`];
  const runner = spawn(process.execPath, [...flags, ...group], { stdio: ['ignore', 'pipe', 'inherit'] });
  let tail = '';
  runner.stdout.on('data', (chunk: Buffer) => {
    process.stdout.write(chunk);
    tail = (tail + chunk.toString()).slice(-200_000);
  });
  return new Promise((resolve) => {
    runner.on('close', (code, signal) => {
      const countOf = (name: string): number =>
        Number([...tail.matchAll(new RegExp(`^ℹ ${name} (\\d+)$`, 'gm'))].at(-1)?.[1] ?? 0);
      const counts = {
        passed: countOf('pass'),
        failed: countOf('fail') + countOf('cancelled'),
        skipped: countOf('skipped'),
      };
      resolve({ counts, code: signal === null ? (code ?? 1) : 1 });
    });
  });
}
