/**
 * Slow dripper: says everything, but late: each message is held back for a time of its own, some of them until just before the
 * others give up on it, some long after.
 *
 * Wants views to end by time-out again and again, and late words to count where they should not. Stopped by: time-outs
 * grow only with nullifies beyond f since the last finalization (section 3, "Timers"), a late vote changes nothing that a
 * certificate has decided, and a silent leader is skipped (R1).
 */
import type { Adversary, AdversaryParts } from './adversary.ts';

export function createSlowDripper({ random }: AdversaryParts): Adversary {
  const slowestMs = random.pick([150, 450, 1_500]);
  return {
    name: 'slow-dripper',
    rewrite: (message) => [message],
    delayMs: () => slowestMs * random.next(),
  };
}
