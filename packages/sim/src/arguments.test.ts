/** Commands that are called wrongly say so, and how they are called; none of them does nothing and calls it well. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

function call(command: string, args: readonly string[]) {
  const file = fileURLToPath(new URL(command, import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

for (const [command, wrong] of [
  [
    'main.ts',
    [[], ['1', '2'], ['x'], ['--seeds', '0'], ['--seeds', '2', '--trace'], ['1', '--nodes', '4', '--byzantine', '4']],
  ],
  [
    'mutants/main.ts',
    [
      ['--mutant', 'none'],
      ['--jobs', 'x'],
      ['--seeds-max', '0'],
    ],
  ],
  [
    'twins/main.ts',
    [
      ['--views', '5'],
      ['--schedule', '4:0'],
    ],
  ],
] as const) {
  test(`${command} refuses wrong arguments with its usage and exit code 2`, () => {
    for (const args of [['--nonsense'], ...wrong]) {
      const { status, stdout, stderr } = call(command, args);
      assert.equal(status, 2, `${args.join(' ')}: ${stderr}`);
      assert.match(stderr, /^.+\nusage:\n {2}npm run sim/);
      assert.doesNotMatch(stderr, /^ {4}at /m);
      assert.equal(stdout, '');
    }
  });

  test(`${command} --help tells the usage`, () => {
    const { status, stdout } = call(command, ['--help']);
    assert.equal(status, 0);
    assert.match(stdout, /^usage:/);
  });
}
