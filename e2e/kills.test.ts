/** Nodes are killed with -9 at random moments under load: nothing acknowledged is lost. `npm run kills` does it for longer. */
import assert from 'node:assert/strict';
import { runKills } from './kills.ts';
import { loadDevices } from './kills-load.ts';
import { networkTest } from './network.ts';

const cycles = Number(process.env.CAIRN_E2E_KILLS ?? 20);
const seed = Number(process.env.CAIRN_E2E_SEED ?? 1);

networkTest(
  'kill -9 under load',
  { devices: loadDevices, timeoutMs: 120_000 + 20_000 * cycles },
  async (network, step) => {
    await step('nothing acknowledged is lost or stands twice, and roots are equal', async () => {
      const summary = await runKills(network, { cycles, seed, onProgress: console.log });
      console.log(JSON.stringify(summary));
      assert.equal(summary.lost, 0);
      assert.equal(summary.duplicated, 0);
      assert.ok(summary.kills >= cycles);
    });
  },
);
