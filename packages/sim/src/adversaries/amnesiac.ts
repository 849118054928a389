/**
 * Amnesiac: when it goes down it loses what it signed, the mark beside the keys as well; now and then the chain too. It
 * comes back at once and signs as if it were new: the same views, the same batch numbers, the same heights.
 *
 * Wants an old vote of its own to be forgotten, so that it can be cast the other way. It counts towards f (section 1): one
 * honest signature in every two quorums is enough, and what it signs twice proves it faulty (section 6).
 */
import type { Adversary, AdversaryParts } from './adversary.ts';

export function createAmnesiac({ random }: AdversaryParts): Adversary {
  return {
    name: 'amnesiac',
    onCrash: (disk) => {
      const { executed, certified, certifiedHeight } = disk;
      disk.wipe();
      if (random.chance(0.2)) return;
      disk.executed = executed;
      disk.certified = certified;
      disk.certifiedHeight = certifiedHeight;
    },
    rewrite: (message) => [message],
  };
}
