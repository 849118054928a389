/**
 * R7 across epochs (protocol.md sections 3 and 5): who speaks of an older epoch is told how it ended, and who speaks of a newer
 * one is asked how the own one ended. What is told is the finalization of the boundary block, which proves itself; so an
 * unverified word may set this off, as long as it is paced for each peer.
 */
import { type Epoch, toEpoch, type ValidatorIndex } from '../../model/brands.ts';
import type { Message } from '../../model/message.ts';
import { epochOfVote } from '../../model/vote.ts';
import type { ReplicaContext } from '../context.ts';

/** The epoch a message belongs to; null where it belongs to none, or may be of any. */
export function epochOfMessage(message: Message): Epoch | null {
  switch (message.type) {
    case 'vote':
    case 'proposal':
      return epochOfVote(message.vote.vote);
    case 'certificate':
      return epochOfVote(message.certificate.vote);
    case 'chain':
      return epochOfVote(message.finalization.vote);
    case 'batch':
      return message.batch.header.epoch;
    case 'acknowledgement':
    case 'status':
    case 'request-certificates':
      return message.epoch;
    default:
      return null;
  }
}

export class OtherEpochs {
  readonly #context: ReplicaContext;
  readonly #answeredAtMs = new Map<ValidatorIndex, number>();

  constructor(context: ReplicaContext) {
    this.#context = context;
  }

  /** A peer has said something of another epoch. */
  onHeard(peer: ValidatorIndex, epoch: Epoch, type: Message['type']): void {
    const { set, now, constants } = this.#context;
    // Certificates and pages answer: answering them in turn would never end.
    if (epoch < set.epoch && (type === 'certificate' || type === 'chain')) return;
    if (now.ms < (this.#answeredAtMs.get(peer) ?? Number.NEGATIVE_INFINITY) + constants.deltaMs / 2) return;
    this.#answeredAtMs.set(peer, now.ms);
    if (epoch < set.epoch) this.#tellEnd(peer, epoch);
    else this.#context.emit({ type: 'send', to: [peer], message: { type: 'request-boundary', epoch: set.epoch } });
  }

  #tellEnd(peer: ValidatorIndex, epoch: Epoch): void {
    const request: Message = { type: 'request-boundary', epoch: toEpoch(Math.max(1, epoch)) };
    this.#context.emit({ type: 'serve', to: peer, request });
  }
}
