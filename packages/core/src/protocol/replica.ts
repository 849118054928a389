/**
 * A replica: the chapters of the protocol (protocol.md sections 2 to 7, a folder each) put together. `step` takes one input and returns what is to be done, in order;
 * it reads no clock, draws no random number and touches nothing outside.
 *
 * Owns: views, batches not yet executed, blocks not yet executed, checkpoint tallies. Does not own: keys, sockets, files,
 * the ledger's state, executed blocks.
 */
import type { Verified } from '../crypto/verified.ts';
import type { Verifier } from '../crypto/verifier.ts';
import type { Batch } from '../model/batch.ts';
import type { Height, ValidatorIndex } from '../model/brands.ts';
import type { FaultProof } from '../model/fault-proof.ts';
import type { Message } from '../model/message.ts';
import { assert, unreachable } from '../result.ts';
import type { Agreement } from './agreement/agreement.ts';
import type { BlockTree } from './agreement/block-tree.ts';
import type { BatchBook } from './batches/batch-book.ts';
import { type Chapters, createChapters } from './chapters.ts';
import type { Checkpoints } from './checkpoints/checkpoints.ts';
import { OwnStatements } from './checkpoints/own-statements.ts';
import type { ProtocolConstants } from './constants.ts';
import type { ReplicaContext } from './context.ts';
import type { Effect, Input, Instant, JournalRecord, Outcome } from './effects.ts';
import type { EpochGenesis } from './epochs/epoch.ts';
import { nextOrigin } from './epochs/next-origin.ts';
import { OtherEpochs } from './epochs/other-epochs.ts';
import type { Accountability } from './guard/accountability.ts';
import { accusationOf } from './guard/accused.ts';
import type { EvidenceBook } from './guard/evidence-book.ts';
import type { PeerActivity } from './guard/peer-activity.ts';
import { RequestBudget } from './guard/request-budget.ts';
import { Whereabouts } from './guard/whereabouts.ts';
import { liveRecords } from './live-records.ts';
import type { ReplicaOrigin } from './origin.ts';
import type { Delivery } from './sync/delivery.ts';
import type { Fetcher } from './sync/fetcher.ts';
import { wantedPart } from './wanted-part.ts';

export type ReplicaStatus = {
  readonly epoch: number;
  readonly view: number;
  readonly lastFinalizedView: number;
  readonly finalizedHeight: Height;
  readonly executedHeight: Height;
  readonly certifiedHeight: Height;
  readonly isIdle: boolean;
  readonly isSyncing: boolean;
  readonly maySign: boolean;
  /** A quorum was heard since the start, and the chain up to the newest finalization they showed is known. */
  readonly isChecked: boolean;
  readonly pendingBatches: number;
  readonly waitingBytes: number;
  readonly proofsOfFault: number;
  /** Validators whose views are skipped, ascending. */
  readonly suspended: readonly ValidatorIndex[];
  /** The finalized chain is contradicted by a certificate (protocol.md section 6, "Accountability"). */
  readonly isForked: boolean;
};

export class Replica {
  readonly agreement: Agreement;
  readonly batches: BatchBook;
  readonly checkpoints: Checkpoints;
  readonly #chapters: Chapters;
  readonly #context: ReplicaContext;
  readonly #tree: BlockTree;
  readonly #delivery: Delivery;
  readonly #fetcher: Fetcher;
  readonly #activity: PeerActivity;
  readonly #accountability: Accountability;
  readonly #budget: RequestBudget;
  readonly #evidence: EvidenceBook;
  readonly #suspended: Set<ValidatorIndex>;
  readonly #otherEpochs: OtherEpochs;
  readonly #whereabouts: Whereabouts;
  /** Whether a quorum was heard, and the chain is known as far as it is final. */
  #hasBegun: boolean;
  /** False once fenced. */
  #isTrusted = true;
  /** The boundary block of this epoch, once it is executed. */
  #boundary: EpochGenesis | null = null;
  /** Statements signed before this start. */
  readonly #signed = new OwnStatements();
  #effects: Effect[] = [];
  #isStarted = false;
  #cleanedHeight: Height | null = null;

  /** @param verifier checks the proofs of fault in blocks; everything else comes in verified */
  constructor(origin: ReplicaOrigin, verifier: Verifier, now: Instant) {
    const chapters = createChapters(origin, verifier, now, (effect) => {
      // Whatever else goes wrong, no second statement of a height and round is signed, and none of a round that is over.
      if (effect.type !== 'sign-checkpoint' || this.#signed.allows(effect.outcome.statement))
        this.#effects.push(effect);
    });
    this.#chapters = chapters;
    this.agreement = chapters.agreement;
    this.batches = chapters.batches;
    this.checkpoints = chapters.checkpoints;
    this.#context = chapters.context;
    this.#tree = chapters.tree;
    this.#delivery = chapters.delivery;
    this.#fetcher = chapters.fetcher;
    this.#activity = chapters.activity;
    this.#accountability = chapters.accountability;
    this.#evidence = chapters.evidence;
    this.#suspended = chapters.suspended;
    for (const proof of origin.proofs ?? []) this.#restoreProof(proof);
    for (const statement of origin.signed ?? []) this.#signed.note(statement);
    this.#budget = new RequestBudget(origin.constants.deltaMs);
    this.#otherEpochs = new OtherEpochs(this.#context);
    this.#whereabouts = new Whereabouts(
      this.#context,
      { ...chapters, onForgotten: () => this.#fence('rolled-back', this.#delivery.executedHeight) },
      origin.awaitsQuorum !== true,
    );
    this.#hasBegun = this.#whereabouts.isChecked;
    this.#updateSigning();
  }

  // --- Recovery -----------------------------------------------------------------------------------------------------

  /** Takes in one record of the journal; all of them in order, before `start`. */
  restore(record: JournalRecord): void {
    assert(!this.#isStarted, 'records are restored before the start');
    switch (record.type) {
      case 'own-vote':
        return this.agreement.restoreVote(record.vote);
      case 'own-checkpoint':
        return this.#signed.note(record.statement);
      case 'batch':
        return this.batches.restore(record.batch);
      case 'block':
        if (
          record.block.header.height > this.#tree.root.height &&
          record.block.header.epoch === this.#context.set.epoch
        )
          this.#tree.add(record.block);
        return;
      case 'certificate':
        return this.agreement.restoreCertificate(record.certificate);
      case 'certified':
        if (record.epoch === this.#context.set.epoch) this.agreement.restoreCertified(record.view, record.isOk);
        return;
      case 'life':
        // The driver's: who may sign with this record.
        return;
      case 'evidence':
        return this.#restoreProof(record.proof);
      default:
        return unreachable(record);
    }
  }

  #restoreProof(proof: FaultProof): void {
    const { set, previous } = this.#context;
    const accusation = accusationOf(proof, set, previous?.set ?? null);
    if (accusation === null) return;
    this.#evidence.restore(proof, accusation.accused);
    if (proof.type === 'batches' && accusation.signers === set) this.batches.noteEquivocation(accusation.accused);
  }

  /** From here on this node follows and signs nothing: its safety record was lost, or its results can't be trusted. */
  stopSigning(): void {
    this.#isTrusted = false;
    this.#updateSigning();
  }

  /** Signs again, after a stop that was nobody's fault; nothing was forgotten meanwhile. */
  resumeSigning(now: Instant): Effect[] {
    this.#context.now = now;
    this.#isTrusted = true;
    this.#updateSigning();
    if (this.#hasBegun) {
      this.checkpoints.start();
      if (this.#context.maySign) this.agreement.sendVotesAgain();
    }
    this.#react();
    return this.#takeEffects();
  }

  /** Votes and batches are those of a validator of the set; checkpoints also of the set before. */
  #updateSigning(): void {
    const isReady = this.#isTrusted && this.#hasBegun;
    this.#context.maySign = isReady && this.#context.self < this.#context.set.validators.length;
    this.#context.maySignCheckpoints = isReady;
  }

  /** After all records: arms timers, resends what was signed, goes on where it was. */
  start(now: Instant): Effect[] {
    this.#context.now = now;
    // What restoring emitted was either persisted already or is sent again below.
    this.#effects = [];
    this.#isStarted = true;
    this.#activity.onMoment(now.ms);
    for (const { statement } of this.checkpoints.outcomes()) {
      if (this.#signed.contradicts(statement)) this.#fence('diverged', statement.height);
    }
    this.#forgetSigned(this.checkpoints.outcomes());
    this.batches.start();
    this.checkpoints.start();
    this.agreement.start();
    this.#react();
    return this.#takeEffects();
  }

  /** Records from which a replica with the storage of now would be restored: the journal may begin anew with these. */
  liveRecords(): Iterable<JournalRecord> {
    return liveRecords(this.#chapters, this.#signed.values());
  }

  // --- Steps --------------------------------------------------------------------------------------------------------

  step(now: Instant, input: Input): Effect[] {
    assert(this.#isStarted, 'a replica is started before it takes steps');
    this.#context.now = now;
    this.#activity.onMoment(now.ms);
    this.#take(input);
    this.#react();
    return this.#takeEffects();
  }

  #take(input: Input): void {
    switch (input.type) {
      case 'tick':
        return;
      case 'connected':
        return this.#onConnected(input.peer);
      case 'disconnected':
        return this.#activity.onDisconnected(input.peer);
      case 'message':
        this.#activity.onHeard(input.from);
        return this.#onMessage(input.from, input.message);
      case 'transactions':
        return this.batches.own.addTransactions(input.transactions);
      case 'own-vote':
        return this.agreement.onVote(input.signed, null);
      case 'own-batch':
        return this.batches.onOwnBatch(input.batch);
      case 'own-checkpoint':
        return this.checkpoints.onSignature(input.signature);
      case 'leader-hint':
        if (input.isSuspended) this.#suspended.add(input.validator);
        else this.#suspended.delete(input.validator);
        return;
      case 'other-epoch':
        return this.#otherEpochs.onHeard(input.from, input.epoch, input.message);
      case 'executed':
        return this.#onExecuted(input.outcome);
      default:
        return unreachable(input);
    }
  }

  #onConnected(peer: ValidatorIndex): void {
    this.#activity.onConnected(peer);
    this.#accountability.onConnected(peer);
    this.#whereabouts.onConnected(peer);
    this.batches.sendVector([peer]);
    this.#evidence.onConnected(peer);
    this.agreement.resendTo(peer);
    this.checkpoints.onConnected(peer, this.#tree.root.height);
    this.batches.relayTo(peer, this.agreement.pending());
  }

  #onMessage(from: ValidatorIndex, message: Verified<Message>): void {
    if (!this.#budget.admits(from, message, this.#context.now.ms)) return;
    switch (message.type) {
      case 'proposal':
        return this.agreement.onProposal(message.vote, message.block);
      case 'vote':
        return this.agreement.onVote(message.vote, message.entry);
      case 'certificate':
        return this.agreement.onCertificate(message.certificate, from);
      case 'acknowledgement':
        if (message.epoch === this.#context.set.epoch && from < this.#context.set.validators.length)
          this.batches.onAcknowledgement(from, message.rows);
        return;
      case 'checkpoint-signatures':
        for (const signature of message.signatures) this.checkpoints.onSignature(signature);
        return;
      case 'status':
        return this.#whereabouts.onStatus(from, message);
      case 'request-certificates':
        if (message.epoch === this.#context.set.epoch)
          this.agreement.onCertificatesRequest(from, message.from, message.to);
        return;
      case 'request-block': {
        const block = this.#tree.get(message.digest);
        if (block === undefined) this.#context.emit({ type: 'serve', to: from, request: message });
        else this.#context.emit({ type: 'send', to: [from], message: { type: 'block', block } });
        return;
      }
      case 'request-batch': {
        const batch = this.batches.get(message.digest);
        if (batch === undefined) this.#context.emit({ type: 'serve', to: from, request: message });
        else this.#context.emit({ type: 'send', to: [from], message: { type: 'batch', batch } });
        return;
      }
      case 'request-checkpoint':
        if (!this.checkpoints.onRequest(from, message.height))
          this.#context.emit({ type: 'serve', to: from, request: message });
        return;
      case 'request-boundary':
      case 'request-chain':
      case 'request-snapshot':
      case 'request-state':
      case 'request-tiles':
      case 'request-outcome':
      case 'request-epochs':
        this.#context.emit({ type: 'serve', to: from, request: message });
        return;
      case 'snapshot':
      case 'state':
      case 'tiles':
      case 'outcome':
      case 'epochs':
        // A replica asks for none of these; who does takes them off the link before it.
        return;
      case 'block':
        if (this.#fetcher.isWanted('block', message.block.digest)) this.agreement.acceptBlock(message.block);
        return;
      case 'batch': {
        const { batch } = message;
        const isWanted = this.#fetcher.isWanted('batch', batch.digest);
        if (this.batches.receive(batch, isWanted) !== 'dropped') this.#fetcher.forget('batch', batch.digest);
        return;
      }
      case 'chain':
        if (this.#delivery.onChain(message.blocks, message.finalization))
          this.agreement.onCertificate(message.finalization, from);
        return;
      case 'evidence':
        return this.#context.prove(message.proof);
      case 'transactions':
        // The driver hands these to admission.
        return;
      default:
        return unreachable(message);
    }
  }

  /** A quorum was heard: what was signed before this start is sent again, and new things are signed. */
  #beginSigning(): void {
    this.#hasBegun = true;
    this.#updateSigning();
    if (!this.#isTrusted) return;
    this.#context.emit({ type: 'report', fact: { type: 'start-checked' } });
    this.checkpoints.start();
    if (this.#context.maySign) this.agreement.sendVotesAgain();
  }

  #onExecuted(outcome: Outcome): void {
    const { statement } = outcome;
    const block = this.#delivery.onExecuted(statement.height);
    if (block !== null && block.header.nextSet !== null)
      this.#boundary = { digest: block.digest, height: block.header.height, timeMs: block.header.timeMs };
    if (this.#signed.contradicts(statement)) return this.#fence('diverged', statement.height);
    this.checkpoints.onExecuted(outcome);
    this.#forgetSigned([outcome]);
  }

  /**
   * What is executed is durable with its outcome, so the record of that statement has done its work. One of another round of a height has not,
   * until the height is certified.
   */
  #forgetSigned(executed: readonly Outcome[]): void {
    const own = new Map(executed.map(({ statement }) => [statement.height, statement]));
    const { certifiedHeight } = this.checkpoints;
    this.#signed.forget((signed) => {
      const statement = own.get(signed.height);
      const isHeld = statement?.round === signed.round && !this.#signed.contradicts(statement);
      return isHeld || signed.height < certifiedHeight;
    });
  }

  /** `diverged`: this node has signed another result for this height before, and must not sign a second one. */
  #fence(reason: 'diverged' | 'rolled-back', height: Height): void {
    this.#isTrusted = false;
    this.#updateSigning();
    this.#context.emit({ type: 'fence', reason, height });
  }

  #react(): void {
    // With the chain up to the newest finalization known, its own batches are: those that it has forgotten are listed there.
    if (!this.#hasBegun && this.#whereabouts.isChecked && !this.#delivery.isSyncing) this.#beginSigning();
    this.batches.own.sealDue();
    this.#delivery.react();
    this.agreement.react();
    this.#delivery.react();
    this.#forgetLosers();
    this.batches.acknowledgeDue(this.agreement.isIdle);
    this.batches.relayDue(this.agreement.pending());
    this.checkpoints.retryDue(this.#tree.root.height);
    this.#accountability.react();
    this.#evidence.tellDue(this.#tree.rootAccused);
    this.#fetcher.askDue();
    this.#whereabouts.askDue();
  }

  /** After a finalization: blocks that lost, and batches that only they list, are nobody's any more. */
  #forgetLosers(): void {
    const { height } = this.#tree.root;
    if (this.#delivery.isSyncing || height === this.#cleanedHeight) return;
    this.#cleanedHeight = height;
    this.#tree.retain(this.agreement.namedBlocks());
    this.batches.retain(this.#tree.blocks());
  }

  /** When `tick` must come, in the milliseconds of `Instant.ms`, if nothing else does before. */
  deadline(): number {
    return Math.min(
      this.agreement.deadline(),
      this.batches.deadline(),
      this.batches.relayDeadline(this.agreement.pending()),
      this.checkpoints.deadline(this.#tree.root.height),
      this.#fetcher.deadline(),
      this.#delivery.deadline(),
      this.#accountability.deadline(),
      this.#evidence.deadline(this.#tree.rootAccused),
      this.#whereabouts.deadline(),
    );
  }

  /** The part of a message that could say anything new, asked before signatures are checked; null when nothing of it is wanted. */
  wantedPart(message: Message): Message | null {
    if (message.type === 'status') return this.#whereabouts.wantedPart(message);
    return wantedPart(message, this.#chapters);
  }

  /**
   * Where the next epoch starts from, once this one's boundary block is executed; null before. What was handed in and is in no block
   * of this epoch is told apart (`leftovers`).
   */
  nextOrigin(): ReplicaOrigin | null {
    if (this.#boundary === null) return null;
    return { ...nextOrigin(this.#boundary, this.#chapters, this.#hasBegun), signed: [...this.#signed.values()] };
  }

  get constants(): ProtocolConstants {
    return this.#context.constants;
  }

  /** Own batches that no block of this epoch lists. */
  unlisted(): Batch[] {
    return this.batches.own.unlisted();
  }

  /** What was handed in here and no block of this epoch lists. */
  leftovers(): Uint8Array[] {
    return this.batches.own.leftovers();
  }

  wants(message: Message): boolean {
    return this.wantedPart(message) !== null;
  }

  status(): ReplicaStatus {
    return {
      epoch: this.#context.set.epoch,
      view: this.agreement.view,
      lastFinalizedView: this.agreement.lastFinalized,
      finalizedHeight: this.#tree.root.height,
      executedHeight: this.#delivery.executedHeight,
      certifiedHeight: this.checkpoints.certifiedHeight,
      isIdle: this.agreement.isIdle,
      isSyncing: this.#delivery.isSyncing || this.#tree.root.height > this.#delivery.executedHeight + 16,
      maySign: this.#context.maySign,
      isChecked: this.#hasBegun,
      pendingBatches: this.agreement.pending().batches.length,
      waitingBytes: this.batches.own.waitingBytes,
      proofsOfFault: this.#evidence.count,
      suspended: [...this.#suspended].sort((a, b) => a - b),
      isForked: this.#accountability.isForked,
    };
  }

  /** How much is held of what has a limit of its own, and stands in no record. */
  sizes(): { readonly wanted: number; readonly checkpointHeights: number; readonly pastViews: number } {
    const { past } = this.#accountability;
    return { wanted: this.#fetcher.size, checkpointHeights: this.checkpoints.heightsHeld, pastViews: past.size };
  }

  /** Places in the present set of those that a proof held here accuses. */
  accused(): ReadonlySet<ValidatorIndex> {
    return this.#evidence.accused();
  }

  proofs(): Iterable<FaultProof> {
    return this.#evidence.proofs();
  }

  #takeEffects(): Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
