/** Silent leader: takes part in everything but never proposes, and keeps blocks, batches and certificates to itself. */
import type { Adversary } from './adversary.ts';

export function createSilentLeader(): Adversary {
  return {
    name: 'silent-leader',
    rewrite: (message) => {
      const isKept =
        message.type === 'proposal' ||
        message.type === 'block' ||
        message.type === 'batch' ||
        message.type === 'chain' ||
        message.type === 'certificate';
      return isKept ? [] : [message];
    },
  };
}
