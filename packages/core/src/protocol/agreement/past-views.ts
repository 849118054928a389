/**
 * Certificates of past views, kept so that a fork names its culprits (protocol.md section 6, "Accountability"): two
 * finalizations that contradict each other leave, in one view, a finalization here and there a finalization of something
 * else, a notarization of something else, or a nullification. Whoever signed both of such a pair is faulty, and no two
 * quorums exist without at least 2Q - n of them.
 *
 * Of a view with a finalization that alone is kept: whatever contradicts its other certificates contradicts it too.
 * Of any other view its notarization and its nullification are kept.
 */
import type { View } from '../../model/brands.ts';
import type { Certificate } from '../../model/certificate.ts';
import { type SignedVote, type Vote, viewOfVote } from '../../model/vote.ts';
import { pastViewsMax } from '../constants.ts';
import { areConflictingStatements } from '../guard/evidence.ts';
import { certificateOf, type ViewState } from './view-state.ts';

/** So many more are let in before the lowest are dropped, all at once. */
const surplusMax = 64;

export class PastViews {
  readonly #kept = new Map<View, readonly Certificate[]>();

  get size(): number {
    return this.#kept.size;
  }

  /** Keeps what a state holds that is about to be forgotten. */
  keepState(state: ViewState): void {
    for (const type of ['finalize', 'notarize', 'nullify'] as const) {
      const certificate = certificateOf(state, type);
      if (certificate !== null) this.keep(certificate);
    }
  }

  /** Keeps a verified certificate; the first one of each kind stands. */
  keep(certificate: Certificate): void {
    const view = viewOfVote(certificate.vote);
    const kept = this.#kept.get(view) ?? [];
    if (kept.some(({ vote }) => vote.type === 'finalize' || vote.type === certificate.vote.type)) return;
    this.#kept.set(view, certificate.vote.type === 'finalize' ? [certificate] : [...kept, certificate]);
    if (this.#kept.size > pastViewsMax + surplusMax) this.#dropLowest();
  }

  #dropLowest(): void {
    const views = [...this.#kept.keys()].sort((a, b) => a - b);
    for (const view of views.slice(0, views.length - pastViewsMax)) this.#kept.delete(view);
  }

  /** Kept certificates of the same view that a certificate for this statement contradicts. */
  contradicting(vote: Vote): readonly Certificate[] {
    const kept = this.#kept.get(viewOfVote(vote));
    return kept === undefined ? [] : kept.filter((other) => areConflictingStatements(other.vote, vote));
  }

  /** What the signer of a vote has signed, in a kept certificate, that contradicts it; null when there is nothing. */
  contradictingRow({ vote, signer }: SignedVote): SignedVote | null {
    for (const certificate of this.contradicting(vote)) {
      const i = certificate.signers.indexOf(signer);
      if (i >= 0) return { vote: certificate.vote, signer, signature: certificate.signatures[i]! };
    }
    return null;
  }

  /** Finalizations kept, the newest views first, of views below one. */
  finalizationsBelow(view: number, countMax: number): Certificate[] {
    const found: Certificate[] = [];
    for (const [kept, [first]] of this.#kept) if (kept < view && first!.vote.type === 'finalize') found.push(first!);
    return found.sort((a, b) => viewOfVote(b.vote) - viewOfVote(a.vote)).slice(0, countMax);
  }

  /** What is kept of views below one, by ascending view: what the journal must hold. */
  *certificatesBelow(view: number): Iterable<Certificate> {
    const views = [...this.#kept.keys()].filter((kept) => kept < view).sort((a, b) => a - b);
    for (const kept of views) yield* this.#kept.get(kept)!;
  }
}
