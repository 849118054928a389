/** A node stands still: its process is stopped (SIGSTOP) with all its connections open, and says nothing more. */
import type { Attack } from '../attack.ts';

export const silence: Attack = {
  name: 'silence',
  what: 'its process is stopped in the middle of everything (SIGSTOP), its connections left open',
  noticedBy: ['suspended', 'unreachable'],
  shutOutBy: ['suspended', 'unreachable'],
  isWindowed: true,
  mayBeProven: false,
  voidsOwnPromises: false,
  needsNewKeys: false,
  isHarmless: true,
  async begin({ target }) {
    target.pause();
    return { beganMs: Date.now(), end: async () => target.resume() };
  },
};
