/** Random damage to copies of real nodes' folders is found, never answered, and mended. `npm run corrupt` does it more often. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCorruption } from './corrupt.ts';
import { makeFolders } from './corrupt-folder.ts';

const trials = Number(process.env.CAIRN_E2E_CORRUPT ?? 50);
const seed = Number(process.env.CAIRN_E2E_SEED ?? 1);

test('random damage in every class of file is found, never answered, and mended', {
  timeout: 120_000 + 6_000 * trials,
}, async () => {
  const folders = await makeFolders();
  try {
    const summary = await runCorruption(folders, { trials, seed, onProgress: console.log });
    console.log(JSON.stringify(summary));
    assert.deepEqual(summary.faults, []);
    assert.ok(summary.detected > trials / 2, 'most damage is not harmless');
  } finally {
    folders.remove();
  }
});
