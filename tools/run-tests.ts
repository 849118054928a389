/**
 * Runs the tests with node's own runner: `npm test` for all of them, or `node tools/run-tests.ts packages e2e` for some
 * folders. Files are found by name: `*.test.ts` and `*.fuzz.test.ts` beside their sources, and under `e2e/`.
 */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import process from 'node:process';

const folders = process.argv.slice(2);
const roots = folders.length > 0 ? folders : ['packages', 'tools', 'bench', 'e2e'];
const files = roots
  .flatMap((root) => (root.endsWith('.ts') ? [root] : globSync(`${root}/**/*.test.ts`)))
  .filter((file) => !file.includes('node_modules'))
  .sort();

if (files.length === 0) {
  console.error(`no tests found under ${roots.join(', ')}`);
  process.exit(1);
}

const runner = spawn(process.execPath, ['--test', '--test-timeout=600000', '--test-concurrency=2', ...files], {
  stdio: 'inherit',
});
runner.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 1));
