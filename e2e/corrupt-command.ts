/** `npm run corrupt`: random damage to copies of real nodes' folders, found and mended, as often as wanted (corrupt.ts). */
import process from 'node:process';
import { Arguments } from '../packages/sim/src/arguments.ts';
import { runCorruption } from './corrupt.ts';
import { makeFolders } from './corrupt-folder.ts';

const help = `npm run corrupt -- [options]

  --trials N   how often a file is damaged (default 1000)
  --seed S     which file and how (default: from the clock); the folders are made anew in each run
  --json       one JSON object on standard output, nothing else there

Exit code 1 when the audit misses one, anybody is answered something false, a node does not mend itself, or fetches
much more for it than was damaged.`;

const args = new Arguments(help, {
  options: {
    trials: { type: 'string', default: '1000' },
    seed: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

const { values } = args.given;
const trials = args.readCount(values.trials, 1, 1e6);
const seed = values.seed === undefined ? Date.now() % 1_000_000 : args.readCount(values.seed, 0, 2 ** 32 - 1);
process.exit(await run());

async function run(): Promise<number> {
  const folders = await makeFolders();
  try {
    const summary = await runCorruption(folders, { trials, seed, onProgress: (line) => console.error(line) });
    console.log(values.json ? JSON.stringify(summary) : summary);
    return summary.faults.length === 0 ? 0 : 1;
  } finally {
    folders.remove();
  }
}
