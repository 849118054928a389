import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { test } from 'node:test';

test('the hostile build fits the driver as it is, and is hostile only after the signal', () => {
  const preload = new URL('hostile-build.ts', import.meta.url).href;
  const driver = new URL('../../driver/driver.ts', import.meta.url).href;
  const program = `
    const { Driver } = await import('${driver}');
    if (!String(Driver).includes('this.#signing.vote(other, this.#view)')) throw new Error('it is not hostile');
    if (!String(Driver).includes('#signing.vote(vote, this.#view)')) throw new Error('the driver signs votes in another way');
    if (globalThis.cairnIsHostile) throw new Error('it is hostile from the start');
    process.kill(process.pid, 'SIGUSR2');
    setTimeout(() => process.exit(globalThis.cairnIsHostile ? 0 : 1), 100);`;
  const { status, stderr } = spawnSync(process.execPath, ['--import', preload, '--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  assert.equal(status, 0, stderr);
});
