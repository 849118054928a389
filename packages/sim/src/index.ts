/** The public door of the simulator. */
export { createRandom, type Random } from './random.ts';
export { runWorld, type WorldOptions, type WorldReport } from './world.ts';
