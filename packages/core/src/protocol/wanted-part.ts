/** What of a message a replica wants at all, before anything of it is verified. */
import type { Message } from '../model/message.ts';
import type { Chapters } from './chapters.ts';
import { accusationOf } from './guard/accused.ts';
import { epochOfProof } from './guard/evidence.ts';

/**
 * The part of a message that could say anything new, asked before signatures are checked: what is known already, or is
 * not taken at all, costs no check. Null when nothing of it is wanted.
 */
export function wantedPart(
  message: Message,
  { context, agreement, batches, checkpoints, fetcher, delivery }: Chapters,
): Message | null {
  switch (message.type) {
    case 'vote': {
      const hasNewEntry = message.entry !== null && agreement.wantsCertificate(message.entry);
      if (!hasNewEntry && !agreement.wantsVote(message.vote)) return null;
      return hasNewEntry ? message : { ...message, entry: null };
    }
    case 'proposal':
      return agreement.wantsVote(message.vote) ? message : null;
    case 'certificate':
      return agreement.wantsCertificate(message.certificate) ? message : null;
    case 'batch': {
      const { batch } = message;
      return batches.wants(batch, fetcher.isWanted('batch', batch.digest)) ? message : null;
    }
    case 'checkpoint-signatures': {
      const signatures = message.signatures.filter((signature) => checkpoints.wants(signature));
      return signatures.length > 0 ? { ...message, signatures } : null;
    }
    case 'evidence': {
      const accusation = accusationOf(message.proof, context.set, context.previous?.set ?? null);
      // One of this epoch that accuses nobody in it is made up: the door refuses it.
      if (accusation === null) return epochOfProof(message.proof) === context.set.epoch ? message : null;
      return context.isProven(accusation.accused, message.proof.type) ? null : message;
    }
    case 'chain':
      return delivery.wantsChain(message.blocks, message.finalization) ? message : null;
    default:
      return message;
  }
}
