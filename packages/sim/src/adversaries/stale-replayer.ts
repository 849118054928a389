/**
 * Stale replayer: remembers what it hears and says, and says it again, to anybody, at any time: votes of others as well
 * as its own, old certificates, proposals, batches, statuses, answers that nobody waits for.
 *
 * Wants an old word to count twice, or to count for its own, and the receivers to be kept busy. Stopped by: a vote comes
 * over its signer's own link (R8), everything signed names its epoch, view or number, what is known is dropped before a
 * signature is checked (R8), and answers count only while they are wanted.
 */
import type { Message } from '@cairn-ledger/core';
import { type Adversary, type AdversaryParts, pickPeer, Recent } from './adversary.ts';

/** Messages remembered. */
const rememberedMax = 400;

export function createStaleReplayer(parts: AdversaryParts): Adversary {
  const { random } = parts;
  const heard = new Recent<Message>(rememberedMax);
  return {
    name: 'stale-replayer',
    hear: (message) => heard.add(message),
    rewrite: (message) => {
      if (random.chance(0.2)) heard.add(message);
      return [message];
    },
    speak: () => {
      const message = heard.pick(random);
      return message === null ? [] : [{ to: pickPeer(parts), message }];
    },
  };
}
