/**
 * The proofs of fault that a replica holds (protocol.md section 6): persisted and told to everybody when they are found,
 * told again until a finalized block carries one for each accused, and given to leaders to list.
 *
 * A proof that no chain carries yet is pending like a batch: nobody is idle, and leaders propose at once.
 */
import { blockEvidenceMax, evidenceBytesMax } from '../../model/block.ts';
import type { ValidatorIndex } from '../../model/brands.ts';
import { decodeFaultProof, encodeFaultProof, type FaultProof } from '../../model/fault-proof.ts';
import { assert } from '../../result.ts';
import { retryMs } from '../constants.ts';
import type { ReplicaContext } from '../context.ts';
import type { Accused } from './block-evidence.ts';

type Held = {
  readonly proof: FaultProof;
  /** Place of the accused in the present set. */
  readonly accused: ValidatorIndex;
  readonly sinceMs: number;
  /** As it stands in a block; null when it does not fit into one. */
  readonly bytes: Uint8Array | null;
  /** When it was last told to all. */
  toldAtMs: number;
};

export class EvidenceBook {
  readonly #context: ReplicaContext;
  /** One of each kind for each accused is enough. */
  readonly #held = new Map<string, Held>();

  /** The last answer of `#pendingOn`: asked for several times in each step; a chain's accused are another set when they change. */
  #pending: { readonly accused: Accused; readonly answer: readonly Held[] } | null = null;

  constructor(context: ReplicaContext) {
    this.#context = context;
  }

  get count(): number {
    return this.#held.size;
  }

  *proofs(): Iterable<FaultProof> {
    for (const { proof } of this.#held.values()) yield proof;
  }

  /** Who is accused, by place in the present set. */
  accused(): Set<ValidatorIndex> {
    return new Set([...this.#held.values()].map(({ accused }) => accused));
  }

  has(accused: ValidatorIndex, type: FaultProof['type']): boolean {
    return this.#held.has(`${accused}/${type}`);
  }

  restore(proof: FaultProof, accused: ValidatorIndex): void {
    this.#hold(proof, accused);
  }

  /** Takes in a proof that was found or heard of; false when one of its kind is held already. */
  add(proof: FaultProof, accused: ValidatorIndex): boolean {
    if (this.has(accused, proof.type)) return false;
    this.#hold(proof, accused);
    this.#context.emit({ type: 'persist', record: { type: 'evidence', proof } });
    this.#tell(proof, 'all');
    this.#context.emit({ type: 'report', fact: { type: 'fault-proven', accused, kind: proof.type } });
    return true;
  }

  /** Holds bytes of its own: what was found keeps frames alive, and whole batches, of which a proof is a small part. */
  #hold(found: FaultProof, accused: ValidatorIndex): void {
    const bytes = encodeFaultProof(found);
    const own = decodeFaultProof(bytes);
    assert(own.ok, 'what was encoded here can be decoded');
    const { ms } = this.#context.now;
    this.#held.set(`${accused}/${found.type}`, {
      proof: own.value,
      accused,
      sinceMs: ms,
      bytes: bytes.length <= evidenceBytesMax ? bytes : null,
      toldAtMs: ms,
    });
    this.#pending = null;
  }

  #tell(proof: FaultProof, to: 'all' | readonly ValidatorIndex[]): void {
    this.#context.emit({ type: 'send', to, message: { type: 'evidence', proof } });
  }

  onConnected(peer: ValidatorIndex): void {
    for (const proof of this.proofs()) this.#tell(proof, [peer]);
  }

  // --- Blocks -------------------------------------------------------------------------------------------------------

  /** Proofs that no block of a chain carries, one for each accused, ascending. */
  #pendingOn(accused: Accused): readonly Held[] {
    if (this.#pending?.accused === accused) return this.#pending.answer;
    const first = new Map<ValidatorIndex, Held>();
    for (const held of this.#held.values()) {
      const { accused: validator } = held;
      if (held.bytes !== null && !accused.has(validator) && !first.has(validator)) first.set(validator, held);
    }
    const answer = [...first.values()].sort((a, b) => a.accused - b.accused);
    this.#pending = { accused, answer };
    return answer;
  }

  /** What a leader puts into a block on a chain. */
  list(accused: Accused): Uint8Array[] {
    return this.#pendingOn(accused)
      .slice(0, blockEvidenceMax)
      .map(({ bytes }) => bytes!);
  }

  /** Since when something is to be put into a block, in milliseconds; null when nothing is. */
  pendingSinceMs(accused: Accused): number | null {
    const since = this.#pendingOn(accused).map(({ sinceMs }) => sinceMs);
    return since.length === 0 ? null : Math.min(...since);
  }

  /** Tells everybody again, every tRetry, what the finalized chain does not carry yet. */
  tellDue(accused: Accused): void {
    for (const held of this.#pendingOn(accused)) {
      if (this.#context.now.ms < held.toldAtMs + retryMs(this.#context.constants)) continue;
      held.toldAtMs = this.#context.now.ms;
      this.#tell(held.proof, 'all');
    }
  }

  deadline(accused: Accused): number {
    let atMs = Number.POSITIVE_INFINITY;
    for (const { toldAtMs } of this.#pendingOn(accused))
      atMs = Math.min(atMs, toldAtMs + retryMs(this.#context.constants));
    return atMs;
  }
}
