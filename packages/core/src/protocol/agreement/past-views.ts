/**
 * Certificates of past views, kept so that a fork names its culprits (protocol.md section 6, "Accountability"): two
 * finalizations that contradict each other leave, in one view, a finalization here and there a finalization of something
 * else, a notarization of something else, or a nullification. Whoever signed both of such a pair is faulty, and no two
 * quorums exist without at least 2Q - n of them.
 *
 * Of a view with a finalization that alone is kept: whatever contradicts its other certificates contradicts it too.
 * Of any other view its notarization and its nullification are kept.
 */
import { toHash, type View } from '../../model/brands.ts';
import { type Certificate, decodeCertificate, encodeCertificate } from '../../model/certificate.ts';
import { type SignedVote, type Vote, viewOfVote } from '../../model/vote.ts';
import { assert } from '../../result.ts';
import { pastViewsMax } from '../constants.ts';
import { areConflictingStatements } from '../guard/evidence.ts';
import { certificateOf, type ViewState } from './view-state.ts';

/** So many more are let in before the lowest are dropped, all at once. */
const surplusMax = 64;

/**
 * A certificate as bytes of its own: decoded, it would keep the frames alive that its signatures came in, each a part of
 * something much larger. The statement stands beside them, since that is all that is mostly asked for.
 */
type Kept = { readonly vote: Vote; readonly bytes: Uint8Array };

export class PastViews {
  readonly #kept = new Map<View, readonly Kept[]>();

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
    const before = this.#kept.get(view) ?? [];
    if (before.some(({ vote }) => vote.type === 'finalize' || vote.type === certificate.vote.type)) return;
    const kept = { vote: ownVote(certificate.vote), bytes: encodeCertificate(certificate) };
    this.#kept.set(view, certificate.vote.type === 'finalize' ? [kept] : [...before, kept]);
    if (this.#kept.size > pastViewsMax + surplusMax) this.#dropLowest();
  }

  #dropLowest(): void {
    const views = [...this.#kept.keys()].sort((a, b) => a - b);
    for (const view of views.slice(0, views.length - pastViewsMax)) this.#kept.delete(view);
  }

  /** Whether a certificate for this statement would contradict one that is kept. */
  isContradictedBy(vote: Vote): boolean {
    return this.#contradicting(vote).length > 0;
  }

  /** Kept certificates of the same view that a certificate for this statement contradicts. */
  contradicting(vote: Vote): readonly Certificate[] {
    return this.#contradicting(vote).map(({ bytes }) => certificateOfBytes(bytes));
  }

  #contradicting(vote: Vote): readonly Kept[] {
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
    const views: View[] = [];
    for (const [kept, [first]] of this.#kept) if (kept < view && first!.vote.type === 'finalize') views.push(kept);
    return views
      .sort((a, b) => b - a)
      .slice(0, countMax)
      .map((kept) => certificateOfBytes(this.#kept.get(kept)![0]!.bytes));
  }

  /** What is kept of views below one, by ascending view: what the journal must hold. */
  *certificatesBelow(view: number): Iterable<Certificate> {
    const views = [...this.#kept.keys()].filter((kept) => kept < view).sort((a, b) => a - b);
    for (const kept of views) for (const { bytes } of this.#kept.get(kept)!) yield certificateOfBytes(bytes);
  }
}

function ownVote(vote: Vote): Vote {
  if (vote.type === 'nullify') return vote;
  return { type: vote.type, proposal: { ...vote.proposal, digest: toHash(vote.proposal.digest.slice()) } };
}

/** Of bytes that were made here. */
function certificateOfBytes(bytes: Uint8Array): Certificate {
  const decoded = decodeCertificate(bytes);
  assert(decoded.ok, 'what was encoded here can be decoded');
  return decoded.value;
}
