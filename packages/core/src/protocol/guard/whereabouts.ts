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
import type { SignedVote } from '../../model/vote.ts';
import type { Chapters } from '../chapters.ts';
import type { ReplicaContext } from '../context.ts';
import { StartCheck } from './start-check.ts';

export type WhereaboutsPorts = Pick<Chapters, 'agreement' | 'batches' | 'activity'> & {
  /** A peer has shown something that this node has signed and does not remember. */
  onForgotten(): void;
};

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

  onStatus(from: ValidatorIndex, message: Extract<Message, { type: 'status' }>): void {
    const { agreement } = this.#ports;
    if (message.epoch !== this.#context.set.epoch) return;
    if (message.finalization !== null) agreement.onCertificate(message.finalization, from);
    this.#onRecall(message.recall);
    const isBehind = message.lastFinalized < agreement.lastFinalized;
    if (message.asks) this.#answer(from);
    if (isBehind) agreement.helpBehind(from, message.view);
    this.#startCheck.onStatus(from);
  }

  #answer(peer: ValidatorIndex): void {
    const { now, constants } = this.#context;
    if (now.ms < (this.#answeredAtMs.get(peer) ?? Number.NEGATIVE_INFINITY) + constants.deltaMs / 4) return;
    this.#answeredAtMs.set(peer, now.ms);
    this.#tell(peer, false);
  }

  /** What a peer holds with this node's own signature. */
  #onRecall({ votes, batch }: Recall): void {
    const { agreement, batches, onForgotten } = this.#ports;
    const { self, set } = this.#context;
    const isUnknownVote = ({ signer, vote }: SignedVote) => signer === self && !agreement.remembers(vote);
    const isUnknownBatch =
      batch !== null &&
      batch.header.author === self &&
      batch.header.epoch === set.epoch &&
      !batches.own.remembers(batch.header.seq, sha256(batch.headerBytes));
    if (isUnknownBatch || votes.some(isUnknownVote)) onForgotten();
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
