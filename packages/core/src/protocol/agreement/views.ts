/**
 * What a replica knows of the views of its epoch (protocol.md section 3, "State"): which one it is in, which are usable,
 * and the chain that ends with the highest usable one.
 *
 * Views below the last finalized one are forgotten but for their certificates (past-views.ts); the finalized one itself
 * stays.
 */
import type { Hash, View } from '../../model/brands.ts';
import { toView } from '../../model/brands.ts';
import type { Certificate } from '../../model/certificate.ts';
import type { Proposal } from '../../model/vote.ts';
import { nameOf } from '../digest-name.ts';
import type { BlockTree, ChainMarks, ChainTip } from './block-tree.ts';
import type { PastViews } from './past-views.ts';
import { createViewState, type ViewState } from './view-state.ts';

/** The highest usable view, and the chain that ends with its block: `null` while parts of that are unknown here. */
export type Head = {
  readonly view: View;
  readonly digest: Hash | null;
  readonly tip: ChainTip | null;
  readonly marks: ChainMarks | null;
};

export class Views {
  /** The view this node is in. */
  current: View = toView(1);
  /** Highest view with a finalization; 0 is the epoch's genesis. */
  lastFinalized: View = toView(0);
  lastFinalization: Certificate | null = null;
  #finalizedDigest: Hash;
  readonly #states = new Map<View, ViewState>();
  /** The same by ascending view; null when it must be sorted anew. */
  #inOrder: ViewState[] | null = null;
  readonly #tree: BlockTree;
  readonly #past: PastViews;
  #head: { readonly head: Head; readonly lastFinalized: View; readonly treeVersion: number } | null = null;

  constructor(tree: BlockTree, past: PastViews, genesisDigest: Hash, finalization: Certificate | null) {
    this.#tree = tree;
    this.#past = past;
    this.#finalizedDigest = genesisDigest;
    if (finalization !== null && finalization.vote.type === 'finalize') {
      this.#moveFloor(finalization, finalization.vote.proposal);
      this.current = toView(this.lastFinalized + 1);
    }
  }

  find(view: View): ViewState | undefined {
    return this.#states.get(view);
  }

  /** The state of a view; makes it where there is none. The caller keeps `view` within bounds (R8). */
  at(view: View): ViewState {
    let state = this.#states.get(view);
    if (state === undefined) {
      state = createViewState(view);
      this.#states.set(view, state);
      this.#inOrder = null;
    }
    return state;
  }

  /** Every view known, ascending. */
  inOrder(): readonly ViewState[] {
    this.#inOrder ??= [...this.#states.values()].sort((a, b) => a.view - b.view);
    return this.#inOrder;
  }

  /** Those above the last finalized one, ascending. */
  *open(): Iterable<ViewState> {
    for (const state of this.inOrder()) if (state.view > this.lastFinalized) yield state;
  }

  /** A view is finalized: what lies below it is forgotten, but for its certificates. */
  finalize(certificate: Certificate, proposal: Proposal): void {
    for (const state of this.inOrder()) {
      if (state.view >= proposal.view) break;
      this.#past.keepState(state);
      this.#states.delete(state.view);
    }
    this.#moveFloor(certificate, proposal);
    this.#inOrder = null;
  }

  #moveFloor(certificate: Certificate, { view, digest }: Proposal): void {
    this.lastFinalized = view;
    this.lastFinalization = certificate;
    this.#finalizedDigest = digest;
    this.#past.keep(certificate);
  }

  /** Usable: the epoch's genesis, finalized, or notarized with certification ok. */
  isUsable(view: View): boolean {
    if (view === this.lastFinalized) return true;
    const state = this.#states.get(view);
    return (
      view > this.lastFinalized && state !== undefined && state.notarization !== null && state.certification === 'ok'
    );
  }

  /** Digest of the block of a finalized or notarized view; null when it is neither. */
  digestOf(view: View): Hash | null {
    if (view === this.lastFinalized) return this.#finalizedDigest;
    const state = this.#states.get(view);
    return state === undefined || state.notarization === null ? null : state.proposal!.digest;
  }

  /** Asked for many times in a step: looked up anew only when the view, the finalized one or the known blocks changed. */
  head(): Head {
    const view = this.#highestUsable();
    const last = this.#head;
    const { version } = this.#tree;
    if (
      last !== null &&
      last.head.view === view &&
      last.lastFinalized === this.lastFinalized &&
      last.treeVersion === version
    )
      return last.head;
    const digest = this.digestOf(view);
    const head: Head = {
      view,
      digest,
      tip: digest === null ? null : this.#tree.tip(digest),
      marks: digest === null ? null : this.#tree.marksAt(digest),
    };
    this.#head = { head, lastFinalized: this.lastFinalized, treeVersion: version };
    return head;
  }

  #highestUsable(): View {
    for (let view = this.current - 1; view > this.lastFinalized; view--)
      if (this.isUsable(toView(view))) return toView(view);
    return this.lastFinalized;
  }

  /** The first and the last view between two that has no nullification here; null when every one has. */
  gapBetween(after: View, before: View): { readonly first: View; readonly last: View } | null {
    let first: number | null = null;
    let last = 0;
    for (let view = after + 1; view < before; view++) {
      if (this.#states.get(toView(view))?.nullification != null) continue;
      first ??= view;
      last = view;
    }
    return first === null ? null : { first: toView(first), last: toView(last) };
  }

  /** Names of the blocks that a view above the finalized one may still stand on. */
  namedBlocks(): Set<string> {
    const names = new Set<string>();
    for (const { proposal, own } of this.open()) {
      for (const named of [proposal, own.notarize]) if (named !== null) names.add(nameOf(named.digest));
    }
    return names;
  }
}
