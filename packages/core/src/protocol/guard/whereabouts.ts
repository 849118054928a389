/**
 * Where this node and its peers are, and what they hold of each other's (protocol.md sections 3 and 6): statuses, asked for and answered.
 *
 * Whoever connects is told, with what is held here that it has signed: so a node whose disk was put back learns of it (`recall`).
 * Who has just started asks all until a quorum has answered (start-check.ts); a guest, whom nobody tells anything, asks one
 * validator after the other.
 */
import { sha256 } from '../../crypto/hash.ts';
import { toValidatorIndex, type ValidatorIndex } from '../../model/brands.ts';
import type { Message, Recall } from '../../model/message.ts';
import type { Chapters } from '../chapters.ts';
import type { ReplicaContext } from '../context.ts';
import { StartCheck } from './start-check.ts';

export type WhereaboutsPorts = Pick<Chapters, 'agreement' | 'batches' | 'activity'> & {
  /** A peer has shown something that this node has signed and does not remember. */
  onForgotten(): void;
};

type Status = Extract<Message, { type: 'status' }>;

export class Whereabouts {
  readonly #context: ReplicaContext;
  readonly #ports: WhereaboutsPorts;
  readonly #startCheck: StartCheck;
  readonly #answeredAtMs = new Map<ValidatorIndex, number>();
  #polledAtMs = Number.NEGATIVE_INFINITY;
  #pollNext = 0;

  /** @param isChecked no quorum need be heard: an epoch follows another one in which this node signed */
  constructor(context: ReplicaContext, ports: WhereaboutsPorts, isChecked: boolean) {
    this.#context = context;
    this.#ports = ports;
    this.#startCheck = new StartCheck(context, isChecked);
  }

  /** Whether a quorum was heard since the start. */
  get isChecked(): boolean {
    return this.#startCheck.isDone;
  }

  onConnected(peer: ValidatorIndex): void {
    this.#tell(peer, !this.isChecked);
  }

  #tell(peer: ValidatorIndex, asks: boolean): void {
    const { agreement, batches } = this.#ports;
    agreement.sendStatus([peer], {
      asks,
      finalization: agreement.lastFinalization,
      recall: { votes: agreement.votesOf(peer), batch: batches.highestOf(peer) },
    });
  }

  /** The status without what says nothing new here: nobody can make this node check signatures that it knows. */
  wantedPart(message: Status): Status {
    const { finalization, recall } = message;
    const isNew = finalization !== null && this.#ports.agreement.wantsCertificate(finalization);
    return {
      ...message,
      finalization: isNew ? finalization : null,
      recall: recall === null ? null : this.#unknownOf(recall),
    };
  }

  onStatus(from: ValidatorIndex, message: Status): void {
    const { agreement } = this.#ports;
    if (message.epoch !== this.#context.set.epoch) return;
    if (message.finalization !== null) agreement.onCertificate(message.finalization, from);
    if (message.recall !== null) this.#onRecall(message.recall);
    const isBehind = message.lastFinalized < agreement.lastFinalized;
    if (message.asks) this.#answer(from);
    if (isBehind) agreement.helpBehind(from, message.view);
    // One that shows nothing of what this node has signed leaves open whether there is anything.
    if (message.recall !== null) this.#startCheck.onStatus(from);
  }

  #answer(peer: ValidatorIndex): void {
    const { now, constants } = this.#context;
    if (now.ms < (this.#answeredAtMs.get(peer) ?? Number.NEGATIVE_INFINITY) + constants.deltaMs / 4) return;
    this.#answeredAtMs.set(peer, now.ms);
    this.#tell(peer, false);
  }

  /** What of a recall this node does not remember; only that is worth checking a signature. */
  #unknownOf({ votes, batch }: Recall): Recall {
    const { agreement, batches } = this.#ports;
    const { self, set } = this.#context;
    const isUnknownBatch =
      batch !== null &&
      batch.header.author === self &&
      batch.header.epoch === set.epoch &&
      !batches.own.remembers(batch.header.seq, sha256(batch.headerBytes));
    return {
      votes: votes.filter(({ signer, vote }) => signer === self && !agreement.remembers(vote)),
      batch: isUnknownBatch ? batch : null,
    };
  }

  /** What a peer holds with this node's own signature; verified. */
  #onRecall(recall: Recall): void {
    const { votes, batch } = this.#unknownOf(recall);
    if (votes.length > 0 || batch !== null) this.#ports.onForgotten();
  }

  /** Who has just started asks all; who is no validator is told nothing by itself, and asks one after the other. */
  askDue(): void {
    const { agreement, activity } = this.#ports;
    const { set, self, now, constants } = this.#context;
    if (this.#startCheck.isAskDue()) agreement.sendStatus('all', { asks: true });
    if (self < set.validators.length || now.ms < this.#polledAtMs + constants.deltaMs) return;
    this.#polledAtMs = now.ms;
    for (let tried = 0; tried < set.validators.length; tried++) {
      const peer = toValidatorIndex(this.#pollNext++ % set.validators.length);
      if (!activity.isConnected(peer)) continue;
      agreement.sendStatus([peer], { asks: true });
      return;
    }
  }

  deadline(): number {
    const { set, self, constants } = this.#context;
    const pollAtMs = self < set.validators.length ? Number.POSITIVE_INFINITY : this.#polledAtMs + constants.deltaMs;
    return Math.min(this.#startCheck.deadline(), pollAtMs);
  }
}
