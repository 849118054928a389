/** The data folder of a node is deleted, its process killed; the keys are left. It is started again at once. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Attack } from '../attack.ts';

export const wipe: Attack = {
  name: 'wipe',
  what: 'its process is killed and its data folder deleted',
  noticedBy: ['fenced', 'repaired', 'unreachable'],
  shutOutBy: ['fenced', 'suspended', 'unreachable'],
  isWindowed: false,
  mayBeProven: false,
  voidsOwnPromises: true,
  needsNewKeys: false,
  isHarmless: false,
  async begin({ target }) {
    const beganMs = Date.now();
    await target.kill();
    rmSync(join(target.dir, 'data'), { recursive: true, force: true });
    // A service manager would: this is no help.
    await target.start();
    return { beganMs, end: null };
  },
};
