/** A hostile build of a node: it signs two votes for one view, as if it wanted both sides of a fork to believe in it. */
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Attack } from '../attack.ts';

const buildPath = fileURLToPath(new URL('../hostile-build.ts', import.meta.url));

export const equivocate: Attack = {
  name: 'equivocate',
  what: 'its build is hostile: from now on it votes for two blocks in every view',
  noticedBy: ['proven'],
  shutOutBy: ['suspended'],
  isWindowed: false,
  mayBeProven: true,
  voidsOwnPromises: true,
  needsNewKeys: false,
  isHarmless: false,
  async prepare({ target }) {
    await target.stop();
    await target.start(buildPath);
  },
  async begin({ target }) {
    const beganMs = Date.now();
    process.kill(target.pid(), 'SIGUSR2');
    return { beganMs, end: () => target.kill() };
  },
};
