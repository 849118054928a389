/**
 * Every decoder of bytes or text from outside, in one place. `targets.test.ts` scans the sources: an exported decoder that
 * is missing here, and not excused there, fails it.
 */
import { clientTargets } from './client-targets.ts';
import { coreTargets } from './core-targets.ts';
import { fileTargets } from './file-targets.ts';
import { nodeTargets } from './node-targets.ts';
import type { Target } from './target.ts';

export const targets: readonly Target[] = [...coreTargets, ...nodeTargets, ...fileTargets, ...clientTargets];
