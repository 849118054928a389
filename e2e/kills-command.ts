/** `npm run kills`: nodes are killed with -9 under load, as often as wanted (kills.ts). */
import process from 'node:process';
import { Arguments } from '../packages/sim/src/arguments.ts';
import { foundKillsNetwork, runKills } from './kills.ts';
import { showLogs, untilInSync } from './network.ts';

const help = `npm run kills -- [options]

  --cycles N   how often nodes are killed and started again (default 500)
  --seed S     the plan of victims and pauses (default: from the clock)
  --json       one JSON object on standard output, nothing else there

Ctrl-C ends it after the present cycle, with the checks and the summary of what was done; a second one at once.

Exit code 1 when an acknowledged transaction is lost or stands twice, roots differ, a receipt does not verify, a node fences
itself or is accused, or does not come back. CAIRN_E2E_KEEP=1 keeps the folders of the nodes.`;

const args = new Arguments(help, {
  options: {
    cycles: { type: 'string', default: '500' },
    seed: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

const { values } = args.given;
const cycles = args.readCount(values.cycles, 1, 1e6);
const seed = values.seed === undefined ? Date.now() % 1_000_000 : args.readCount(values.seed, 0, 2 ** 32 - 1);
process.exit(await run());

async function run(): Promise<number> {
  const network = await foundKillsNetwork();
  const stopping = new AbortController();
  const stop = (): void => {
    if (stopping.signal.aborted) void network.end().finally(() => process.exit(1));
    stopping.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    await Promise.all(network.nodes.map((node) => node.start()));
    await untilInSync(network.nodes);
    const summary = await runKills(network, {
      cycles,
      seed,
      signal: stopping.signal,
      onProgress: (line) => console.error(line),
    });
    console.log(values.json ? JSON.stringify(summary) : summary);
    return summary.lost === 0 && summary.duplicated === 0 ? 0 : 1;
  } catch (error) {
    showLogs(network.nodes);
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    console.error(`seed ${seed}: ${message}`);
    if (values.json) console.log(JSON.stringify({ cycles, seed, failed: message }));
    return 1;
  } finally {
    await network.end();
  }
}
