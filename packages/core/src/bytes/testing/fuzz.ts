/** Settings of fuzz tests: a fresh seed each run, printed, and `FUZZ_SEED` to run one again. For tests only. */
import { randomInt } from 'node:crypto';

export function fuzzSettings(runs: number): { seed: number; numRuns: number } {
  const seed = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31));
  console.log(`seed ${seed} (again with FUZZ_SEED=${seed})`);
  return { seed, numRuns: Number(process.env.FUZZ_RUNS ?? runs) };
}
