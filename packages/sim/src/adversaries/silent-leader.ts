/**
 * Silent leader: takes part in everything but never proposes, and keeps blocks, batches and certificates to itself.
 *
 * Wants every one of its views to be lost, and the time-outs to grow. Stopped by: nullify on tLeader (R5), and time-outs that
 * grow only with nullifies beyond f since the last finalization (section 3, "Timers").
 */
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
