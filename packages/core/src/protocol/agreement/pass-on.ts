/**
 * Passing certificates on, once (protocol.md R4 to R6: "broadcast once, only to peers that lack it").
 *
 * A certificate goes at once to those who have not voted for it. The others are about to form it themselves, unless a
 * faulty voter sent its vote only here: who shows no sign of having it after Delta / 2 is sent it too. Only the newest
 * finalization and the newest certificate that lets one enter a view are owed like that, so under load this costs two
 * certificates every Delta / 2, not two for every view.
 */
import type { Height, ValidatorIndex, View } from '../../model/brands.ts';
import type { Certificate } from '../../model/certificate.ts';
import { type Vote, viewOfVote } from '../../model/vote.ts';
import type { ReplicaContext } from '../context.ts';

type Owed = { readonly certificate: Certificate; readonly peers: Set<ValidatorIndex>; readonly dueAtMs: number };

export class PassOn {
  readonly #context: ReplicaContext;
  /** Highest height a peer is known to have executed, by its checkpoint signatures. */
  readonly #executedHeight: (peer: ValidatorIndex) => Height;
  /** Highest view each peer has shown to hold an entry certificate of, and a finalization of. */
  readonly #leftView: number[];
  readonly #finalizedView: number[];
  #entry: Owed | null = null;
  #finalization: Owed | null = null;

  constructor(context: ReplicaContext, executedHeight: (peer: ValidatorIndex) => Height) {
    this.#context = context;
    this.#executedHeight = executedHeight;
    this.#leftView = context.set.validators.map(() => 0);
    this.#finalizedView = context.set.validators.map(() => 0);
  }

  /** A vote shows that its signer has entered the view. */
  onVote(signer: ValidatorIndex, vote: Vote): void {
    this.#leftView[signer] = Math.max(this.#leftView[signer]!, viewOfVote(vote) - 1);
  }

  onCertificateFrom(peer: ValidatorIndex, { vote }: Certificate): void {
    const view = viewOfVote(vote);
    this.#leftView[peer] = Math.max(this.#leftView[peer]!, view);
    if (vote.type === 'finalize') this.#finalizedView[peer] = Math.max(this.#finalizedView[peer]!, view);
  }

  /** A certificate is new here: formed, or received from a peer. */
  onNew(certificate: Certificate, from: ValidatorIndex | null, hasVotedForIt: (peer: ValidatorIndex) => boolean): void {
    const voters = new Set<ValidatorIndex>();
    const lacking: ValidatorIndex[] = [];
    for (let i = 0; i < this.#context.set.validators.length; i++) {
      const peer = i as ValidatorIndex;
      if (peer === this.#context.self || peer === from) continue;
      if (hasVotedForIt(peer)) voters.add(peer);
      else lacking.push(peer);
    }
    this.#send(lacking, certificate);
    const isFinalization = certificate.vote.type === 'finalize';
    const before = isFinalization ? this.#finalization : this.#entry;
    if (before !== null && viewOfVote(before.certificate.vote) > viewOfVote(certificate.vote)) return;
    for (const peer of before?.peers ?? []) if (!lacking.includes(peer)) voters.add(peer);
    const dueAtMs = before?.dueAtMs ?? this.#context.now.ms + this.#context.constants.deltaMs / 2;
    const owed = voters.size === 0 ? null : { certificate, peers: voters, dueAtMs };
    if (isFinalization) this.#finalization = owed;
    else this.#entry = owed;
  }

  /** Sends what is owed for long enough to those who still show no sign of holding it. */
  sendDue(finalizedHeight: Height): void {
    const { ms } = this.#context.now;
    if (this.#finalization !== null && ms >= this.#finalization.dueAtMs) {
      const { certificate, peers } = this.#finalization;
      this.#finalization = null;
      const lacking = [...peers].filter(
        (peer) => !this.#holds(peer, certificate) && this.#executedHeight(peer) < finalizedHeight,
      );
      this.#send(lacking, certificate);
    }
    if (this.#entry !== null && ms >= this.#entry.dueAtMs) {
      const { certificate, peers } = this.#entry;
      this.#entry = null;
      this.#send(
        [...peers].filter((peer) => !this.#holds(peer, certificate)),
        certificate,
      );
    }
  }

  deadline(): number {
    return Math.min(
      this.#finalization?.dueAtMs ?? Number.POSITIVE_INFINITY,
      this.#entry?.dueAtMs ?? Number.POSITIVE_INFINITY,
    );
  }

  /** Whether a peer has shown that it holds this certificate, or one that makes it needless. */
  #holds(peer: ValidatorIndex, { vote }: Certificate): boolean {
    const view: View = viewOfVote(vote);
    return (vote.type === 'finalize' ? this.#finalizedView : this.#leftView)[peer]! >= view;
  }

  #send(to: readonly ValidatorIndex[], certificate: Certificate): void {
    if (to.length > 0 && this.#context.maySign)
      this.#context.emit({ type: 'send', to, message: { type: 'certificate', certificate } });
  }
}
