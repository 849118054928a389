/**
 * Agreement within one epoch: Simplex in the dialect of protocol.md section 3. The rules carry their names.
 *
 *     R1 enterView    R2 propose    R3 notarize    R4 certify    R5 nullify    R6 finalize    R7 helpBehind    R8 wanted
 *
 * Inputs change what is known (`on...`); `react` then applies the rules until none of them fires. Nothing here waits: a
 * rule that lacks something asks for it and is tried again when anything changes or time passes.
 *
 * Beside this module: what is known of views (views.ts, view-state.ts), what R3 and R4 demand of a block (block-rules.ts),
 * what R7 sends and asks for (help-behind.ts), what R8 takes in (wanted.ts), passing certificates on (pass-on.ts), timers
 * (timers.ts), own votes after a restart (recovery.ts), what is remembered of votes (recall.ts).
 */
import { equalBytes } from '../../bytes/hex.ts';
import { type Block, blockBatchBytesMax, createBlock } from '../../model/block.ts';
import { type Hash, type Height, toHeight, toView, type ValidatorIndex, type View } from '../../model/brands.ts';
import { type Certificate, votesOfCertificate } from '../../model/certificate.ts';
import type { Message } from '../../model/message.ts';
import {
  epochOfVote,
  isSameProposal,
  isSameVote,
  type Proposal,
  type SignedVote,
  type Vote,
  viewOfVote,
} from '../../model/vote.ts';
import { assert } from '../../result.ts';
import type { BatchBook } from '../batches/batch-book.ts';
import { nothingPending, type Pending } from '../batches/pending.ts';
import { retryMs, skipTimeoutMs } from '../constants.ts';
import type { ReplicaContext } from '../context.ts';
import type { NullifyReason } from '../effects.ts';
import { leaderOf } from '../epochs/epoch.ts';
import type { Accountability } from '../guard/accountability.ts';
import type { EvidenceReader } from '../guard/block-evidence.ts';
import type { EvidenceBook } from '../guard/evidence-book.ts';
import type { PeerActivity } from '../guard/peer-activity.ts';
import type { Fetcher } from '../sync/fetcher.ts';
import { checkNewBlock, checkpointHeightOf, hangsTogether } from './block-rules.ts';
import type { BlockTree } from './block-tree.ts';
import { HelpBehind } from './help-behind.ts';
import { PassOn } from './pass-on.ts';
import { heldVotesOf, isRemembered } from './recall.ts';
import { ownVotesOf, resendTo, restoreVote } from './recovery.ts';
import {
  advanceDeadlineMs,
  emptyProposalAtMs,
  fullProposalAtMs,
  isIdle,
  leaderDeadlineMs,
  type TimerState,
} from './timers.ts';
import { certificateOf, fixProposal, noteConflicts, tallyVote, type ViewState } from './view-state.ts';
import { Views } from './views.ts';
import { isInBounds, wantsCertificate, wantsVote } from './wanted.ts';

type Status = Extract<Message, { type: 'status' }>;
type SkipReason = 'leader-silent' | 'leader-nullified' | 'leader-suspended';

/** What agreement asks of the other chapters. */
export type AgreementPorts = {
  readonly batches: BatchBook;
  readonly tree: BlockTree;
  readonly fetcher: Fetcher;
  readonly activity: PeerActivity;
  readonly accountability: Accountability;
  readonly evidence: EvidenceBook;
  readonly proofsIn: EvidenceReader;
  /** Whether the ledger says that this validator's views may be skipped. */
  isSuspended(validator: ValidatorIndex): boolean;
  /**
   * Digest of the checkpoint at this height if it is certified for this node; null otherwise.
   *
   * @param named what a block says that it is: null also where that is the same result in a later round, not certified here
   */
  certifiedCheckpoint(height: Height, named?: Hash): Hash | null;
  /** The set that a block carrying this height's checkpoint must name as the next one; null where the epoch goes on. */
  nextSetAfter(height: Height): Hash | null;
  /** Whether the ledger wants another set or other rules than this epoch has: then a boundary block is due soon. */
  isChangePending(): boolean;
  /** Highest height executed here: its blocks and batches are durable, wherever they are kept now. */
  executedHeight(): Height;
  /** Highest height a peer is known to have executed. */
  executedHeightOf(peer: ValidatorIndex): Height;
  /** A finalization is held: its block and all ancestors are final. */
  onFinalized(certificate: Certificate, proposal: Proposal): void;
};

export class Agreement {
  readonly #views: Views;
  readonly #help: HelpBehind;
  readonly #passOn: PassOn;
  readonly #context: ReplicaContext;
  readonly #ports: AgreementPorts;
  #enteredAtMs = 0;
  /** When an own proposal is due, as of the last time the rules were applied. */
  #proposeAtMs = Number.POSITIVE_INFINITY;
  /** The certificate that let this node enter its view. */
  #entry: Certificate | null = null;
  /** Why the leader's turn is skipped without waiting, as judged on entering the view; null when it is not. */
  #skipReason: SkipReason | null = null;
  #nullifiesSinceFinalized = 0;
  /** When a rule that waits for an answer or for the clock is to be tried again, as found by the last `react`. */
  #retryAtMs = Number.POSITIVE_INFINITY;

  constructor(context: ReplicaContext, ports: AgreementPorts, finalization: Certificate | null) {
    this.#context = context;
    this.#ports = ports;
    this.#views = new Views(ports.tree, ports.accountability.past, context.set.genesis.digest, finalization);
    this.#help = new HelpBehind(context, this.#views);
    this.#passOn = new PassOn(context, ports.executedHeightOf);
  }

  get view(): View {
    return this.#views.current;
  }

  get lastFinalization(): Certificate | null {
    return this.#views.lastFinalization;
  }

  get lastFinalized(): View {
    return this.#views.lastFinalized;
  }

  // --- R1 -----------------------------------------------------------------------------------------------------------

  /** R1. Enters a view, only forward. */
  #enterView(
    view: View,
    entry: Certificate | null,
    by: 'nullification' | 'notarization' | 'finalization' | 'start',
  ): void {
    if (view <= this.view && by !== 'start') return;
    this.#views.current = view;
    this.#entry = entry;
    this.#enteredAtMs = this.#context.now.ms;
    this.#skipReason = this.#reasonToSkip(view);
    this.#context.emit({ type: 'report', fact: { type: 'entered-view', view, by } });
  }

  #reasonToSkip(view: View): SkipReason | null {
    const leader = leaderOf(this.#context.set, view);
    if (leader === this.#context.self) return null;
    if (this.#ports.isSuspended(leader)) return 'leader-suspended';
    if (this.#views.find(view)?.tally.nullify.has(leader)) return 'leader-nullified';
    return this.#ports.activity.isSilent(leader, skipTimeoutMs(this.#context.constants)) ? 'leader-silent' : null;
  }

  // --- R2 -----------------------------------------------------------------------------------------------------------

  /** R2. Proposes once in an own view. Returns whether it did. */
  #propose(): boolean {
    const state = this.#views.at(this.view);
    if (leaderOf(this.#context.set, this.view) !== this.#context.self || !this.#context.maySign) return false;
    if (state.own.isNullified || state.own.notarize !== null || state.notarization !== null) return false;
    const { view: parentView, digest, tip: parent, marks } = this.#views.head();
    if (digest === null || parent === null || marks === null) return false;
    if (!this.#hasNullifications(parentView, this.view, this.#others())) return false;

    const height = toHeight(parent.height + 1);
    const checkpoint = this.#ports.certifiedCheckpoint(checkpointHeightOf(height, this.#context));
    const isParentFinalized = parentView <= this.lastFinalized;
    if (!isParentFinalized && (parent.isBoundary || checkpoint === null)) {
      // The finalization of the parent is most likely under way: proposing again before it comes would only cost views.
      this.#proposeAtMs = this.#enteredAtMs + this.#context.constants.deltaMs / 4;
      if (this.#context.now.ms < this.#proposeAtMs) return false;
      const again = this.#ports.tree.get(digest);
      if (again === undefined) return false;
      this.#voteNotarize(state, { epoch: this.#context.set.epoch, view: this.view, parentView, digest }, again);
      return true;
    }
    if (checkpoint === null || parent.isBoundary) return false;
    const nextSet = this.#ports.nextSetAfter(checkpointHeightOf(height, this.#context));

    const batches = this.#ports.batches.list(marks.floors, height);
    const proofs = this.#ports.evidence.list(marks.accused);
    const isDue = batches.length + proofs.length > 0 || nextSet !== null || this.#ports.isChangePending();
    const dueAtMs = isDue
      ? fullProposalAtMs(this.#context.now, this.#enteredAtMs, parent.timeMs)
      : emptyProposalAtMs(this.#context.constants, this.#enteredAtMs, isParentFinalized);
    this.#proposeAtMs = dueAtMs;
    if (this.#context.now.ms < dueAtMs) return false;
    const block = createBlock(
      {
        epoch: this.#context.set.epoch,
        height,
        rules: this.#context.set.rules,
        parent: digest,
        timeMs: Math.max(parent.timeMs + 1, this.#context.now.wallMs),
        checkpoint,
        nextSet,
      },
      batches,
      proofs,
    );
    this.#ports.tree.add(block);
    this.#voteNotarize(
      state,
      { epoch: this.#context.set.epoch, view: this.view, parentView, digest: block.digest },
      block,
    );
    return true;
  }

  // --- R3 -----------------------------------------------------------------------------------------------------------

  /** R3. Notarizes the leader's proposal of the current view, once. Returns whether it voted. */
  #notarize(): boolean {
    const state = this.#views.at(this.view);
    const { proposal } = state;
    if (proposal === null || !this.#context.maySign) return false;
    if (state.own.notarize !== null || state.own.isNullified || state.proposalStatus === 'equivocated') return false;
    if (state.leaderVote === null) return false;
    const verdict = this.#checkProposal(proposal);
    if (verdict === 'wait') return false;
    if (verdict === 'invalid') {
      this.#nullify(state, 'invalid-proposal');
      return true;
    }
    state.proposalStatus = 'verified';
    this.#voteNotarize(state, proposal, null);
    return true;
  }

  /** Whether the conditions of R3 hold; asks this leader for what is missing. "Not yet" is never "invalid". */
  #checkProposal(proposal: Proposal): 'ok' | 'wait' | 'invalid' {
    const { parentView, view, digest } = proposal;
    const leader = [leaderOf(this.#context.set, view)];
    if (parentView < this.lastFinalized) return 'invalid';
    if (!this.#views.isUsable(parentView)) {
      if (this.#views.find(parentView)?.certification === 'rejected') return 'invalid';
      this.#askCertificates(parentView, parentView, leader);
      return 'wait';
    }
    if (!this.#hasNullifications(parentView, view, leader)) return 'wait';
    const parentDigest = this.#views.digestOf(parentView);
    if (parentDigest === null) return 'wait';
    const isRepeat = equalBytes(digest, parentDigest);
    if (isRepeat && this.#isDurable(parentView, digest)) return 'ok';
    const block = this.#ports.tree.get(digest);
    if (block === undefined) {
      this.#ports.fetcher.want('block', digest, leader);
      return 'wait';
    }
    // A leader that lists more than fits is refused before the rest is asked for.
    if (!isRepeat && this.#ports.batches.heldBytesOf(block) > blockBatchBytesMax) return 'invalid';
    if (!this.#holdsBatches(block, leader)) return 'wait';
    return isRepeat ? 'ok' : this.#checkBlock(block, parentDigest);
  }

  /** Whether a new block is valid on its parent. */
  #checkBlock(block: Block, parentDigest: Hash): 'ok' | 'wait' | 'invalid' {
    const parent = this.#ports.tree.tip(parentDigest);
    const marks = this.#ports.tree.marksAt(parentDigest);
    if (parent === null || marks === null) return 'wait';
    const height = checkpointHeightOf(block.header.height, this.#context);
    const certified = this.#ports.certifiedCheckpoint(height, block.header.checkpoint);
    const due = certified === null ? null : { checkpoint: certified, nextSet: this.#ports.nextSetAfter(height) };
    const { batches, proofsIn } = this.#ports;
    const verdict = checkNewBlock(block, parent, marks, batches, proofsIn, due, this.#context);
    if (verdict.type === 'wait') this.#retryAtMs = Math.min(this.#retryAtMs, verdict.retryAtMs);
    return verdict.type;
  }

  #voteNotarize(state: ViewState, proposal: Proposal, block: Block | null): void {
    assert(
      state.own.notarize === null && !state.own.isNullified,
      'a validator notarizes once in a view, before it nullifies',
    );
    state.own.notarize = proposal;
    if (block !== null) {
      state.proposal ??= proposal;
      state.proposalStatus = 'verified';
      state.proposalAtMs ??= this.#context.now.ms;
      this.#context.emit({ type: 'persist', record: { type: 'block', block } });
    }
    this.#emitVote({ type: 'notarize', proposal }, block, false);
  }

  // --- R4 -----------------------------------------------------------------------------------------------------------

  /** R4. Certifies the payload of notarized views, lowest first: links and presence, nothing that depends on state or clock. */
  #certifyPending(): boolean {
    let hasChanged = false;
    for (const state of this.#views.inOrder()) {
      if (state.view <= this.lastFinalized || state.notarization === null) continue;
      if (state.certification === 'ok' || state.certification === 'rejected') continue;
      state.certification = 'pending';
      const verdict = this.#certify(state);
      if (verdict === 'wait') continue;
      hasChanged = true;
      state.certification = verdict;
      const isOk = verdict === 'ok';
      this.#context.emit({
        type: 'persist',
        record: { type: 'certified', epoch: this.#context.set.epoch, view: state.view, isOk },
      });
      if (isOk) this.#enterView(toView(state.view + 1), state.notarization, 'notarization');
      else if (state.view === this.view) this.#nullify(state, 'rejected-notarization');
    }
    return hasChanged;
  }

  #certify(state: ViewState): 'ok' | 'wait' | 'rejected' {
    const { parentView, digest } = state.proposal!;
    const signers = state.notarization!.signers.filter((signer) => signer !== this.#context.self);
    if (!this.#views.isUsable(parentView)) {
      if (this.#views.find(parentView)?.certification === 'rejected') return 'rejected';
      if (parentView > this.lastFinalized) this.#askCertificates(parentView, parentView, signers);
      return 'wait';
    }
    const parentDigest = this.#views.digestOf(parentView)!;
    if (equalBytes(digest, parentDigest) && this.#isDurable(parentView, digest)) return 'ok';
    const block = this.#ports.tree.get(digest);
    if (block === undefined) {
      this.#ports.fetcher.want('block', digest, signers);
      return 'wait';
    }
    if (!this.#holdsBatches(block, signers)) return 'wait';
    if (equalBytes(digest, parentDigest)) return 'ok';
    const parent = this.#ports.tree.tip(parentDigest);
    if (parent === null) return 'wait';
    return hangsTogether(block, parent, this.#ports.batches) ? 'ok' : 'rejected';
  }

  // --- R5 -----------------------------------------------------------------------------------------------------------

  /** R5. Nullifies the current view; afterwards neither notarize nor finalize is ever voted in it. */
  #nullify(state: ViewState, reason: NullifyReason): void {
    if (state.view !== this.view || state.own.isNullified || state.own.finalize !== null || !this.#context.maySign)
      return;
    state.own.isNullified = true;
    state.nullifySentAtMs = this.#context.now.ms;
    if (reason !== this.#skipReason) this.#nullifiesSinceFinalized++;
    this.#context.emit({ type: 'report', fact: { type: 'nullified', view: state.view, reason } });
    this.#emitVote({ type: 'nullify', epoch: this.#context.set.epoch, view: state.view }, null, false);
  }

  /** The reason to nullify the current view by now, if there is one. */
  #nullifyReason(state: ViewState): NullifyReason | null {
    const { ms } = this.#context.now;
    const leader = leaderOf(this.#context.set, this.view);
    if (state.notarization !== null && state.certification === 'rejected') return 'rejected-notarization';
    if (state.tally.nullify.has(leader)) return 'leader-nullified';
    if (state.proposal === null && this.#skipReason !== null) return this.#skipReason;
    const timers = this.#timers();
    if (state.proposal === null) return ms >= leaderDeadlineMs(timers) ? 'leader-late' : null;
    return ms >= advanceDeadlineMs(timers) ? 'certification-late' : null;
  }

  /**
   * R5, retry: while still in the view, every tRetry the nullify is sent again with the certificate that let us enter. The
   * others may be idle in the same view and take no notice, since they hold a finalization that never came here: the
   * status makes them send it.
   */
  #retryNullify(state: ViewState): void {
    if (!state.own.isNullified || this.#context.now.ms < state.nullifySentAtMs + retryMs(this.#context.constants))
      return;
    state.nullifySentAtMs = this.#context.now.ms;
    this.#emitVote({ type: 'nullify', epoch: this.#context.set.epoch, view: state.view }, null, true);
    if (this.#context.maySign) this.sendStatus('all');
  }

  // --- R6 -----------------------------------------------------------------------------------------------------------

  /** R6. Votes to finalize every certified view, also one already left. */
  #finalizePending(): boolean {
    let hasVoted = false;
    if (!this.#context.maySign) return false;
    for (const state of this.#views.inOrder()) {
      if (state.view <= this.lastFinalized || state.notarization === null || state.certification !== 'ok') continue;
      if (state.proposalStatus === 'equivocated' || state.own.isNullified || state.own.finalize !== null) continue;
      const proposal = state.proposal!;
      // Own votes on two proposals of one view would prove this node faulty.
      if (state.own.notarize !== null && !isSameProposal(state.own.notarize, proposal)) continue;
      state.own.finalize = proposal;
      this.#emitVote({ type: 'finalize', proposal }, null, false);
      hasVoted = true;
    }
    return hasVoted;
  }

  // --- R7 -----------------------------------------------------------------------------------------------------------

  /** R7. Helps a peer that is behind. */
  helpBehind(peer: ValidatorIndex, view: View): void {
    this.#help.help(peer, view, this.#bestEntry());
  }

  /** Tells where this node is: who is ahead answers with what is lacking here. */
  sendStatus(
    to: 'all' | readonly ValidatorIndex[],
    more: Partial<Pick<Status, 'asks' | 'finalization' | 'recall'>> = {},
  ): void {
    const { set, finalizedHeight } = this.#context;
    const { view, lastFinalized } = this;
    const { asks = false, finalization = null, recall = null } = more;
    const height = finalizedHeight();
    const message: Status = {
      type: 'status',
      epoch: set.epoch,
      view,
      lastFinalized,
      height,
      asks,
      finalization,
      recall,
    };
    this.#context.emit({ type: 'send', to, message });
  }

  /** The newest votes of a validator that are held here, of views that are not finalized. */
  votesOf(validator: ValidatorIndex): SignedVote[] {
    return heldVotesOf(this.#views, validator);
  }

  /** Whether this node remembers a vote that carries its own signature, or need not. */
  remembers(vote: Vote): boolean {
    return isRemembered(this.#views, this.#context, vote);
  }

  /** The best certificate that lets a node enter this view: finalization, else nullification, else notarization. */
  #bestEntry(): Certificate | null {
    const { lastFinalized, lastFinalization } = this.#views;
    if (lastFinalization !== null && lastFinalized === this.view - 1) return lastFinalization;
    const before = this.#views.find(toView(this.view - 1));
    return before?.finalization ?? before?.nullification ?? before?.notarization ?? this.#entry;
  }

  /** Answers a request for certificates of some views: whatever is held. */
  onCertificatesRequest(peer: ValidatorIndex, from: View, to: View): void {
    this.#help.answer(peer, from, to);
  }

  // --- R8 -----------------------------------------------------------------------------------------------------------

  /** R8. Whether a certificate could say anything new. */
  wantsCertificate(certificate: Certificate): boolean {
    return wantsCertificate(this.#context, this.#views, this.#ports.accountability, certificate);
  }

  /** R8. Whether a vote could say anything new. */
  wantsVote(signed: SignedVote): boolean {
    const mayHelp = this.#help.mayHelp(signed.signer);
    return wantsVote(this.#context, this.#views, this.#ports.accountability, signed, mayHelp);
  }

  // --- Inputs -------------------------------------------------------------------------------------------------------

  onProposal(signed: SignedVote, block: Block): void {
    assert(signed.vote.type === 'notarize', 'a proposal is a vote to notarize');
    const { proposal } = signed.vote;
    this.onVote(signed, null);
    // Only the block of the view's proposal is kept: a leader that signs many would fill the memory and the journal.
    const fixed = this.#views.find(proposal.view)?.proposal ?? null;
    if (fixed !== null && isSameProposal(fixed, proposal) && equalBytes(block.digest, proposal.digest))
      this.acceptBlock(block);
  }

  /** Takes in a block that a proposal or a certificate names. */
  acceptBlock(block: Block): void {
    if (this.#ports.tree.has(block.digest)) return;
    this.#ports.tree.add(block);
    this.#ports.fetcher.forget('block', block.digest);
    this.#context.emit({ type: 'persist', record: { type: 'block', block } });
  }

  onVote(signed: SignedVote, entry: Certificate | null): void {
    const view = viewOfVote(signed.vote);
    if (epochOfVote(signed.vote) !== this.#context.set.epoch) return;
    if (entry !== null) this.onCertificate(entry, signed.signer);
    this.#passOn.onVote(signed.signer, signed.vote);
    if (signed.vote.type === 'nullify' && view < this.view && signed.signer !== this.#context.self)
      this.helpBehind(signed.signer, view);
    if (view <= this.lastFinalized) return this.#ports.accountability.onVote(signed);
    if (!isInBounds(this.#views, view)) return;
    const state = this.#views.at(view);
    noteConflicts(this.#context, state, signed);
    if (signed.vote.type === 'notarize' && signed.signer === leaderOf(this.#context.set, view))
      fixProposal(state, signed, signed.vote.proposal, this.#context.now.ms);
    const certificate = tallyVote(state, signed, this.#context.set.quorum);
    if (certificate !== null) this.onCertificate(certificate, null);
  }

  /**
   * Takes in a certificate: persisted, and passed on once to those who lack it.
   *
   * @param certificate verified, or formed here
   * @param from who sent it; null when it was formed here
   */
  onCertificate(certificate: Certificate, from: ValidatorIndex | null): void {
    const { vote } = certificate;
    if (from !== null && epochOfVote(vote) === this.#context.set.epoch)
      this.#passOn.onCertificateFrom(from, certificate);
    if (!this.wantsCertificate(certificate)) return;
    if (viewOfVote(vote) <= this.lastFinalized) return this.#ports.accountability.onCertificate(certificate);
    const state = this.#views.at(viewOfVote(vote));
    const votes = state.tally[vote.type];
    const hasVotedForIt = (peer: ValidatorIndex) => votes.has(peer) && isSameVote(votes.get(peer)!.vote, vote);
    const voters = new Set(this.#others().filter(hasVotedForIt));
    for (const row of votesOfCertificate(certificate)) {
      noteConflicts(this.#context, state, row);
      if (!votes.has(row.signer)) votes.set(row.signer, row);
    }
    if (certificateOf(state, vote.type) !== null) return;
    this.#context.emit({ type: 'persist', record: { type: 'certificate', certificate } });
    this.#passOn.onNew(certificate, from, (peer) => voters.has(peer));
    this.#apply(state, certificate);
  }

  #apply(state: ViewState, certificate: Certificate): void {
    const { vote } = certificate;
    if (vote.type === 'nullify') {
      state.nullification = certificate;
      this.#enterView(toView(state.view + 1), certificate, 'nullification');
      return;
    }
    // R4: the certificate's proposal replaces the local one, and stands against the leader's later Notarize.
    const known = state.proposal ?? state.own.notarize;
    if (known !== null && !isSameProposal(known, vote.proposal)) state.proposalStatus = 'equivocated';
    state.proposal = vote.proposal;
    state.proposalAtMs ??= this.#context.now.ms;
    if (vote.type === 'notarize') {
      state.notarization = certificate;
      return;
    }
    state.finalization = certificate;
    this.#onFinalization(state, certificate, vote.proposal);
  }

  #onFinalization(state: ViewState, certificate: Certificate, proposal: Proposal): void {
    this.#views.finalize(certificate, proposal);
    this.#nullifiesSinceFinalized = 0;
    this.#context.emit({ type: 'report', fact: { type: 'finalized', view: state.view, digest: proposal.digest } });
    this.#ports.onFinalized(certificate, proposal);
    this.#enterView(toView(state.view + 1), certificate, 'finalization');
  }

  // --- Applying the rules -------------------------------------------------------------------------------------------

  /** Applies the rules until none of them fires. */
  react(): void {
    this.#passOn.sendDue(this.#context.finalizedHeight());
    for (let round = 0; round < 64; round++) {
      this.#retryAtMs = Number.POSITIVE_INFINITY;
      let hasChanged = this.#certifyPending();
      hasChanged = this.#finalizePending() || hasChanged;
      if (this.isOver) return;
      hasChanged = this.#propose() || hasChanged;
      hasChanged = this.#notarize() || hasChanged;
      const state = this.#views.at(this.view);
      const reason = state.own.isNullified ? null : this.#nullifyReason(state);
      if (reason !== null && state.own.finalize === null && this.#context.maySign) {
        this.#nullify(state, reason);
        hasChanged = true;
      }
      this.#retryNullify(state);
      if (!hasChanged) return;
    }
  }

  /** When the rules must be applied again though nothing has come in. */
  deadline(): number {
    if (!this.#context.maySign || this.isOver) return Math.min(this.#retryAtMs, this.#passOn.deadline());
    return Math.min(this.#viewDeadline(), this.#retryAtMs, this.#passOn.deadline());
  }

  #viewDeadline(): number {
    const state = this.#views.at(this.view);
    if (state.own.isNullified) return state.nullifySentAtMs + retryMs(this.#context.constants);
    const timers = this.#timers();
    let at = state.proposal === null ? leaderDeadlineMs(timers) : advanceDeadlineMs(timers);
    if (state.own.finalize !== null) at = Number.POSITIVE_INFINITY;
    if (leaderOf(this.#context.set, this.view) === this.#context.self && state.own.notarize === null) {
      if (this.#proposeAtMs > this.#context.now.ms) at = Math.min(at, this.#proposeAtMs);
    }
    return at;
  }

  /** Whether the boundary block of this epoch is final: nothing more is agreed on in it. */
  get isOver(): boolean {
    const digest = this.#views.digestOf(this.lastFinalized);
    return digest !== null && this.#ports.tree.tip(digest)?.isBoundary === true;
  }

  get isIdle(): boolean {
    return isIdle(this.#timers());
  }

  #timers(): TimerState {
    const head = this.#views.head();
    const isTailFinalized = head.view <= this.lastFinalized;
    return {
      constants: this.#context.constants,
      enteredAtMs: this.#enteredAtMs,
      pendingSinceMs: this.#pendingSinceMs(),
      isTailFinalized,
      isBoundaryPending: this.#ports.isChangePending() || (!isTailFinalized && head.tip?.isBoundary === true),
      proposalAtMs: this.#views.at(this.view).proposalAtMs,
      nullifiesCount: this.#nullifiesSinceFinalized,
      faultsMax: this.#context.set.faultsMax,
    };
  }

  /** When the oldest thing that a block should carry became known here: a batch, or a proof of fault. */
  #pendingSinceMs(): number | null {
    const batchesSinceMs = this.pending().sinceMs;
    const { marks } = this.#views.head();
    const proofsSinceMs = marks === null ? null : this.#ports.evidence.pendingSinceMs(marks.accused);
    if (batchesSinceMs === null || proofsSinceMs === null) return batchesSinceMs ?? proofsSinceMs;
    return Math.min(batchesSinceMs, proofsSinceMs);
  }

  /** Batches pending on the chain of the highest usable block. */
  pending(): Pending {
    const { tip, marks } = this.#views.head();
    if (marks === null || tip === null) return nothingPending;
    return this.#ports.batches.pending(marks.floors, toHeight(tip.height + 1));
  }

  // --- Recovery -----------------------------------------------------------------------------------------------------

  restoreVote(vote: Vote): void {
    if (epochOfVote(vote) === this.#context.set.epoch) restoreVote(this.#views, vote);
  }

  restoreCertificate(certificate: Certificate): void {
    const view = viewOfVote(certificate.vote);
    if (epochOfVote(certificate.vote) !== this.#context.set.epoch) return;
    if (view <= this.lastFinalized) this.#ports.accountability.past.keep(certificate);
    else if (this.wantsCertificate(certificate)) this.#apply(this.#views.at(view), certificate);
  }

  restoreCertified(view: View, isOk: boolean): void {
    const state = this.#views.find(view);
    if (state === undefined || state.notarization === null) return;
    state.certification = isOk ? 'ok' : 'rejected';
    if (isOk) this.#enterView(toView(view + 1), state.notarization, 'notarization');
  }

  /** After all records: arms the timers, and sends own votes again. */
  start(): void {
    this.#enterView(this.view, this.#entry, 'start');
    this.sendVotesAgain();
  }

  /** Own votes of open views are signed and sent again, so that they stand in the tallies. */
  sendVotesAgain(): void {
    for (const state of this.#views.open()) {
      state.nullifySentAtMs = this.#context.now.ms;
      const isLeader = leaderOf(this.#context.set, state.view) === this.#context.self;
      for (const vote of ownVotesOf(state, this.#context)) {
        const isProposal = vote.type === 'notarize' && isLeader;
        this.#emitVote(vote, isProposal ? (this.#ports.tree.get(vote.proposal.digest) ?? null) : null, true);
      }
    }
  }

  /** Sends a peer that has just connected what still matters. */
  resendTo(peer: ValidatorIndex): void {
    resendTo(peer, this.#context, this.#views, this.#ports.tree);
  }

  /** Names of the blocks that a view above the finalized one may still stand on. */
  namedBlocks(): Set<string> {
    return this.#views.namedBlocks();
  }

  /** What must survive a restart: certificates, own votes, certifications of views that are not finalized. */
  *liveViews(): Iterable<ViewState> {
    for (const state of this.#views.inOrder()) if (state.view >= this.lastFinalized) yield state;
  }

  // --- Small questions ----------------------------------------------------------------------------------------------

  /** Whether block and batches of a usable view are durable here: certified, or executed. */
  #isDurable(view: View, digest: Hash): boolean {
    if (view > this.lastFinalized || this.#views.find(view)?.certification === 'ok') return true;
    const tip = this.#ports.tree.tip(digest);
    return tip !== null && tip.height <= this.#ports.executedHeight();
  }

  /** Whether a nullification of every view between is held; asks for those that are not. */
  #hasNullifications(after: View, before: View, ask: readonly ValidatorIndex[]): boolean {
    const gap = this.#views.gapBetween(after, before);
    if (gap !== null) this.#askCertificates(gap.first, gap.last, ask);
    return gap === null;
  }

  #askCertificates(from: View, to: View, peers: readonly ValidatorIndex[]): void {
    this.#retryAtMs = Math.min(this.#retryAtMs, this.#help.ask(from, to, peers));
  }

  #holdsBatches(block: Block, ask: readonly ValidatorIndex[]): boolean {
    let holdsAll = true;
    for (const { digest } of block.batches) {
      if (this.#ports.batches.has(digest)) continue;
      holdsAll = false;
      this.#ports.fetcher.want('batch', digest, ask);
    }
    return holdsAll;
  }

  #others(): ValidatorIndex[] {
    return this.#context.set.validators.map((_, i) => i as ValidatorIndex).filter((i) => i !== this.#context.self);
  }

  #emitVote(vote: Vote, block: Block | null, isResend: boolean): void {
    if (!this.#context.maySign) return;
    const entry = vote.type === 'nullify' && isResend ? this.#bestEntry() : null;
    this.#context.emit({ type: 'vote', vote, block, entry, isResend });
  }
}
