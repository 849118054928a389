/** All links of a node lose everything, in both directions, and no side is told. Its HTTP can still be reached. */
import type { Attack } from '../attack.ts';

export const partition: Attack = {
  name: 'partition',
  what: 'its links to all others lose everything that is sent',
  noticedBy: ['suspended', 'unreachable'],
  shutOutBy: ['suspended', 'unreachable'],
  isWindowed: true,
  mayBeProven: false,
  voidsOwnPromises: false,
  needsNewKeys: false,
  isHarmless: false,
  async begin({ network }) {
    network.proxy.cut();
    return { beganMs: Date.now(), end: async () => network.proxy.mend() };
  },
};
