/**
 * R7 and its counterpart (protocol.md section 3): certificates for those who are behind, and asking for those that lack
 * here. Both are paced for each peer.
 */
import { toView, type ValidatorIndex, type View } from '../../model/brands.ts';
import type { Certificate } from '../../model/certificate.ts';
import { certificatesPageMax } from '../../model/message.ts';
import type { ReplicaContext } from '../context.ts';
import type { Views } from './views.ts';
import { viewsAhead } from './wanted.ts';

/** Requests remembered, so that none is repeated within Delta. */
const askedMax = 4096;

export class HelpBehind {
  readonly #context: ReplicaContext;
  readonly #views: Views;
  readonly #helpedAtMs = new Map<ValidatorIndex, number>();
  readonly #askedAtMs = new Map<string, number>();

  constructor(context: ReplicaContext, views: Views) {
    this.#context = context;
    this.#views = views;
  }

  /** Whether a peer was not helped just now. */
  mayHelp(peer: ValidatorIndex): boolean {
    const last = this.#helpedAtMs.get(peer);
    return last === undefined || this.#context.now.ms >= last + this.#context.constants.deltaMs / 4;
  }

  /** R7. Helps a peer that is behind: highest finalization, own entry certificate, and what is held for its view. */
  help(peer: ValidatorIndex, view: View, entry: Certificate | null): void {
    if (!this.mayHelp(peer)) return;
    this.#helpedAtMs.set(peer, this.#context.now.ms);
    const state = this.#views.find(view);
    const held = [this.#views.lastFinalization, state?.notarization, state?.nullification, entry];
    for (const certificate of new Set(held)) if (certificate) this.#send(peer, certificate);
  }

  /** Answers a request for certificates of some views: whatever is held. */
  answer(peer: ValidatorIndex, from: View, to: View): void {
    const { lastFinalized, lastFinalization, current } = this.#views;
    if (from < lastFinalized && lastFinalization !== null) this.#send(peer, lastFinalization);
    for (let view = Math.max(from, lastFinalized); view <= to && view <= current + viewsAhead; view++) {
      const state = this.#views.find(toView(view));
      for (const certificate of [state?.finalization ?? state?.notarization, state?.nullification]) {
        if (certificate) this.#send(peer, certificate);
      }
    }
  }

  /**
   * Asks peers for the certificates of some views, the first page of them; nobody twice within Delta.
   *
   * @returns when to ask again, in the milliseconds of `Instant.ms`; infinity when nobody was to be asked
   */
  ask(from: View, to: View, peers: readonly ValidatorIndex[]): number {
    const { ms } = this.#context.now;
    const { deltaMs } = this.#context.constants;
    let againAtMs = Number.POSITIVE_INFINITY;
    for (const peer of peers) {
      if (peer === this.#context.self) continue;
      const key = `${peer}/${from}`;
      const last = this.#askedAtMs.get(key);
      const isAsked = last !== undefined && ms < last + deltaMs;
      againAtMs = Math.min(againAtMs, (isAsked ? last : ms) + deltaMs);
      if (isAsked) continue;
      if (this.#askedAtMs.size > askedMax) this.#askedAtMs.clear();
      this.#askedAtMs.set(key, ms);
      const page = toView(Math.min(to, from + certificatesPageMax - 1));
      this.#context.emit({
        type: 'send',
        to: [peer],
        message: { type: 'request-certificates', epoch: this.#context.set.epoch, from, to: page },
      });
    }
    return againAtMs;
  }

  #send(peer: ValidatorIndex, certificate: Certificate): void {
    this.#context.emit({ type: 'send', to: [peer], message: { type: 'certificate', certificate } });
  }
}
