/** Who has nothing for a peer says so where a message can say it: silence costs whoever asks all of its patience. */
import type { Message } from '@cairn-ledger/core';

/**
 * What says that there is none; null where no message does. A state that is not held now and a height that is lost look alike to
 * whoever asks: it turns to somebody else. That there is no snapshot is left unsaid: a new node takes that for a sign that its
 * network is new.
 */
export function noAnswerTo(request: Message): Message | null {
  switch (request.type) {
    case 'request-checkpoint':
      return { type: 'checkpoint-signatures', signatures: [] };
    case 'request-epochs':
      return { type: 'epochs', proofs: [] };
    case 'request-state':
      return { type: 'state', height: request.height, parts: null };
    case 'request-tiles':
      return { type: 'tiles', size: request.size, tiles: null };
    case 'request-outcome':
      return { type: 'outcome', height: request.height, outcome: null };
    default:
      return null;
  }
}
