/** A network of four grows to six and shrinks to four, under load and faults, without a stop. `npm run grow` does it in any size. */
import assert from 'node:assert/strict';
import { growDevices, runGrow } from './grow.ts';
import { networkTest } from './network.ts';

const size = { from: 4, to: 6, downTo: 4 };

networkTest('a network grows and shrinks', { devices: growDevices, timeoutMs: 420_000 }, async (network, step) => {
  await step('it goes on all the time, loses nothing, and nobody is accused', async () => {
    const summary = await runGrow(network, { ...size, onProgress: console.log });
    console.log(JSON.stringify(summary));
    assert.equal(summary.lost, 0);
    assert.ok(summary.epochs >= (summary.wasTakenBack ? 6 : 5), 'two joined, one came back, two left');
  });
});
