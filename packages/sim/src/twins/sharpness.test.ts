/** Twins find rules that are missing: those that keep a node from contradicting itself, and those that keep the chain going. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import process from 'node:process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const file = fileURLToPath(new URL('find-mutant.ts', import.meta.url));

for (const [mutant, how] of [
  ['finalize-after-own-nullify', 'violation'],
  ['no-certifying-after-own-nullify', 'stall'],
] as const) {
  test(`a few schedules of twins show the mutant ${mutant}`, { timeout: 120_000 }, async () => {
    // A compile cache could hand out what the unmutated text compiles to.
    const env = { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' };
    const { stdout } = await run(process.execPath, [file, mutant, '100'], { env });
    assert.match(stdout, new RegExp(`^${how} `));
  });
}
