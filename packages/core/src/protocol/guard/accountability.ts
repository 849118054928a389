/**
 * Accountability (protocol.md section 6): with more than f Byzantine validators the chain can fork, and then those who
 * made it fork are named.
 *
 * Everything a fork leaves behind meets in one view: a finalization on one side, and on the other one a certificate that
 * contradicts it. So a node that learns of a fork tells its finalizations of past views to everybody, the newest first;
 * who holds the counterpart finds those who signed both, and the proofs are told to all. Nothing is asked for, so nobody
 * can be made to answer: what is told is bounded by what is kept, and paced for each peer.
 *
 * A certificate or vote of a past view is looked at only if it contradicts something kept. Everything else about past
 * views is dropped before a signature is checked, so without a fork this costs a look-up.
 *
 * The own chain stays as it is: what is executed is never taken back. What to do about a fork is for people to decide.
 */
import type { ValidatorIndex } from '../../model/brands.ts';
import { type Certificate, votesOfCertificate } from '../../model/certificate.ts';
import { type SignedVote, viewOfVote } from '../../model/vote.ts';
import { PastViews } from '../agreement/past-views.ts';
import type { ReplicaContext } from '../context.ts';
import type { PeerActivity } from './peer-activity.ts';

/** Finalizations told to a peer in one Delta. */
const toldPerDelta = 32;

export class Accountability {
  readonly past = new PastViews();
  /** Whether the own chain is known to be contradicted by a finalization. */
  isForked = false;
  readonly #context: ReplicaContext;
  readonly #activity: PeerActivity;
  /** Peers that are being told, and below which view the next finalization for them lies. */
  readonly #telling = new Map<ValidatorIndex, number>();
  #tellAtMs = Number.NEGATIVE_INFINITY;

  constructor(context: ReplicaContext, activity: PeerActivity) {
    this.#context = context;
    this.#activity = activity;
  }

  /** Whether a certificate of a past view could say anything new; asked before its signatures are checked. */
  wantsCertificate({ vote, signers }: Certificate): boolean {
    if (!this.past.isContradictedBy(vote)) return false;
    if (!this.isForked) return true;
    const isNew = (signer: ValidatorIndex) => signers.includes(signer) && !this.#context.isProven(signer, 'votes');
    return this.past.contradicting(vote).some((kept) => kept.signers.some(isNew));
  }

  /** Whether a vote of a past view proves its signer faulty, who is not proven yet; asked before its signature is checked. */
  wantsVote(signed: SignedVote): boolean {
    return !this.#context.isProven(signed.signer, 'votes') && this.past.contradictingRow(signed) !== null;
  }

  /** A verified certificate of a past view: names who signed it and what is kept against it. */
  onCertificate(certificate: Certificate): void {
    if (!this.past.isContradictedBy(certificate.vote)) return;
    for (const row of votesOfCertificate(certificate)) this.onVote(row);
    this.onFork(certificate);
  }

  /** A verified vote of a past view. */
  onVote(signed: SignedVote): void {
    const kept = this.past.contradictingRow(signed);
    if (kept !== null) this.#context.prove({ type: 'votes', accused: signed.signer, first: kept, second: signed });
  }

  /** A verified certificate cannot stand beside the finalized chain known here. */
  onFork({ vote }: Certificate): void {
    if (this.isForked) return;
    this.isForked = true;
    this.#context.emit({ type: 'report', fact: { type: 'fork', view: viewOfVote(vote) } });
    for (let i = 0; i < this.#context.set.validators.length; i++) this.onConnected(i as ValidatorIndex);
  }

  onConnected(peer: ValidatorIndex): void {
    if (this.isForked && peer !== this.#context.self) this.#telling.set(peer, Number.POSITIVE_INFINITY);
  }

  /** Tells what is due. */
  react(): void {
    const { ms } = this.#context.now;
    if (this.#telling.size === 0 || ms < this.#tellAtMs) return;
    this.#tellAtMs = ms + this.#context.constants.deltaMs;
    for (const [peer, below] of this.#telling) {
      const page = this.#activity.isConnected(peer) ? this.past.finalizationsBelow(below, toldPerDelta) : [];
      for (const certificate of page)
        this.#context.emit({ type: 'send', to: [peer], message: { type: 'certificate', certificate } });
      if (page.length < toldPerDelta) this.#telling.delete(peer);
      else this.#telling.set(peer, viewOfVote(page.at(-1)!.vote));
    }
  }

  deadline(): number {
    return this.#telling.size === 0 ? Number.POSITIVE_INFINITY : this.#tellAtMs;
  }
}
