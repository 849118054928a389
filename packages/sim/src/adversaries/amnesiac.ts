/**
 * Amnesiac: when it goes down it loses everything it ever wrote, the mark beside the keys as well, and comes back to sign
 * as if it were new: the same views, the same batch numbers, the same heights.
 *
 * Wants an old vote of its own to be forgotten, so that it can be cast the other way. It counts towards f (section 1): one
 * honest signature in every two quorums is enough, and what it signs twice proves it faulty (section 6).
 */
import type { Adversary } from './adversary.ts';

export function createAmnesiac(): Adversary {
  return {
    name: 'amnesiac',
    onCrash: (disk) => disk.wipe(),
    rewrite: (message) => [message],
  };
}
