/** The public door of the simulator. */
export { createRandom, type Random } from './random.ts';
export { defaultWorld, runWorld, type WorldOptions, type WorldReport } from './world.ts';
