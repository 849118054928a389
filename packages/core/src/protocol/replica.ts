/**
 * A replica: the chapters of the protocol (protocol.md sections 2 to 7, a folder each) put together. `step` takes one input and returns what is to be done, in order;
 * it reads no clock, draws no random number and touches nothing outside.
 *
 * Owns: views, batches not yet executed, blocks not yet executed, checkpoint tallies. Does not own: keys, sockets, files,
 * the ledger's state, executed blocks.
 */
import { equalBytes, toHex } from '../bytes/hex.ts';
import { sha256 } from '../crypto/hash.ts';
import type { Verified } from '../crypto/verified.ts';
import type { Verifier } from '../crypto/verifier.ts';
import type { Batch } from '../model/batch.ts';
import { type Hash, type Height, toHeight, toValidatorIndex, type ValidatorIndex } from '../model/brands.ts';
import type { Certificate } from '../model/certificate.ts';
import { type CheckpointStatement, checkpointDigest } from '../model/checkpoint.ts';
import type { FaultProof } from '../model/fault-proof.ts';
import type { Message, Recall } from '../model/message.ts';
import type { SignedVote } from '../model/vote.ts';
import { assert, unreachable } from '../result.ts';
import { Agreement } from './agreement/agreement.ts';
import { BlockTree, type ChainTip } from './agreement/block-tree.ts';
import { BatchBook } from './batches/batch-book.ts';
import { Checkpoints } from './checkpoints/checkpoints.ts';
import { type ProtocolConstants, skipTimeoutMs } from './constants.ts';
import type { ReplicaContext } from './context.ts';
import type { Effect, Input, Instant, JournalRecord, Outcome } from './effects.ts';
import {
  type EpochGenesis,
  type EpochSet,
  indexIn,
  isChange,
  nextEpochSet,
  type PreviousEpoch,
} from './epochs/epoch.ts';
import { OtherEpochs } from './epochs/other-epochs.ts';
import { Accountability } from './guard/accountability.ts';
import { createEvidenceReader } from './guard/block-evidence.ts';
import { isOfEpoch } from './guard/evidence.ts';
import { EvidenceBook } from './guard/evidence-book.ts';
import { PeerActivity } from './guard/peer-activity.ts';
import { RequestBudget } from './guard/request-budget.ts';
import { StartCheck } from './guard/start-check.ts';
import { Delivery } from './sync/delivery.ts';
import { Fetcher } from './sync/fetcher.ts';

/** What storage knows when a replica starts: everything executed and certified. */
export type ReplicaOrigin = {
  readonly ledgerHash: Hash;
  readonly set: EpochSet;
  /** Id of this node, which need not be a validator of the set. */
  readonly selfId: string;
  /** The epoch before; null in the first one. */
  readonly previous: PreviousEpoch | null;
  readonly constants: ProtocolConstants;
  /** The last executed block, or the epoch's genesis; no boundary block, since the next epoch begins with that. */
  readonly executed: ChainTip;
  /** Highest number listed of each author up to that block in this epoch, and its digest. */
  readonly floors: readonly { readonly seq: number; readonly digest: Hash | null }[];
  /** Finalization of the last executed block of this epoch that has one of its own; null at its genesis. */
  readonly finalization: Certificate | null;
  /** Own outcomes of the last executed heights, genesis included: at least L + 1 or all. */
  readonly outcomes: readonly Outcome[];
  readonly certifiedHeight: Height;
  /** Whom the chain up to the executed block accuses, and whose views may be skipped. */
  readonly accused: readonly ValidatorIndex[];
  readonly suspended: readonly ValidatorIndex[];
  /** Signing waits until a quorum was heard (guard/start-check.ts): so after every start of a process, not where an epoch follows another. */
  readonly awaitsQuorum?: boolean;
};

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
  readonly #startCheck: StartCheck;
  /** Whether a quorum was heard, and the chain is known as far as it is final. */
  #hasBegun: boolean;
  /** False once fenced. */
  #isTrusted = true;
  #polledAtMs = Number.NEGATIVE_INFINITY;
  #pollNext = 0;
  readonly #statusSentAtMs = new Map<ValidatorIndex, number>();
  /** The boundary block of this epoch, once it is executed. */
  #boundary: EpochGenesis | null = null;
  /** Statements signed before this start, by height: no other one is ever signed. */
  readonly #ownCheckpoints = new Map<Height, CheckpointStatement>();
  #effects: Effect[] = [];
  #isStarted = false;
  #cleanedHeight: Height | null = null;

  /** @param verifier checks the proofs of fault in blocks; everything else comes in verified */
  constructor(origin: ReplicaOrigin, verifier: Verifier, now: Instant) {
    const { set, constants } = origin;
    const self = indexIn(set, origin.selfId) ?? toValidatorIndex(set.validators.length);
    this.#context = {
      ledgerHash: origin.ledgerHash,
      set: origin.set,
      self,
      selfId: origin.selfId,
      previous: origin.previous,
      constants: origin.constants,
      now,
      maySign: false,
      maySignCheckpoints: false,
      finalizedHeight: () => this.#tree.root.height,
      emit: (effect) => {
        this.#effects.push(effect);
      },
      prove: (proof) => this.#prove(proof),
      isProven: (accused, type) => this.#evidence.has(accused, type),
    };
    this.#otherEpochs = new OtherEpochs(this.#context);
    this.#startCheck = new StartCheck(this.#context, origin.awaitsQuorum !== true);
    this.#hasBegun = this.#startCheck.isDone;
    this.#updateSigning();
    const proofsIn = createEvidenceReader(set, origin.ledgerHash, verifier);
    this.#evidence = new EvidenceBook(this.#context);
    this.#suspended = new Set(origin.suspended);
    const floors = set.validators.map((_, i) => origin.floors[i]?.seq ?? 0);
    this.#tree = new BlockTree(origin.executed, { floors, accused: new Set(origin.accused) }, proofsIn);
    this.batches = new BatchBook(this.#context, origin.floors);
    this.#activity = new PeerActivity(set.validators.length, self, set.quorum, skipTimeoutMs(constants), now.ms);
    this.#accountability = new Accountability(this.#context, this.#activity);
    this.#budget = new RequestBudget(constants.deltaMs);
    this.#fetcher = new Fetcher(this.#context, this.#activity);
    this.#delivery = new Delivery(
      this.#context,
      this.#tree,
      this.batches,
      this.#fetcher,
      this.#activity,
      this.#accountability,
      proofsIn,
      origin.executed.height,
    );
    this.checkpoints = new Checkpoints(this.#context, origin.outcomes, origin.certifiedHeight);
    this.agreement = new Agreement(
      this.#context,
      {
        batches: this.batches,
        tree: this.#tree,
        fetcher: this.#fetcher,
        activity: this.#activity,
        accountability: this.#accountability,
        evidence: this.#evidence,
        proofsIn,
        // With a quorum of them suspended, those alone could nullify every view, for ever and at the network's pace.
        isSuspended: (validator) => this.#suspended.size < set.quorum && this.#suspended.has(validator),
        certifiedCheckpoint: (height) => this.checkpoints.certifiedDigest(height),
        nextSetAfter: (height) => {
          const target = this.checkpoints.targetAt(height);
          return target !== null && isChange(set, target) ? target.digest : null;
        },
        isChangePending: () => {
          const target = this.checkpoints.latestTarget;
          return target !== null && isChange(set, target);
        },
        executedHeight: () => this.#delivery.executedHeight,
        executedHeightOf: (peer) => this.checkpoints.signedHeight(peer),
        onFinalized: (certificate, proposal) => this.#delivery.onFinalized(certificate, proposal),
      },
      origin.finalization,
    );
  }

  // --- Recovery -----------------------------------------------------------------------------------------------------

  /** Takes in one record of the journal; all of them in order, before `start`. */
  restore(record: JournalRecord): void {
    assert(!this.#isStarted, 'records are restored before the start');
    switch (record.type) {
      case 'own-vote':
        return this.agreement.restoreVote(record.vote);
      case 'own-checkpoint':
        this.#ownCheckpoints.set(record.statement.height, record.statement);
        return;
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
        if (!isOfEpoch(record.proof, this.#context.set.epoch)) return;
        this.#evidence.restore(record.proof);
        if (record.proof.type === 'batches') this.batches.noteEquivocation(record.proof.accused);
        return;
      default:
        return unreachable(record);
    }
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
      const signed = this.#ownCheckpoints.get(statement.height);
      if (signed !== undefined && toHex(checkpointDigest(signed)) !== toHex(checkpointDigest(statement)))
        this.#fence(statement.height);
    }
    // What is executed is durable with its outcome, so its record has done its work.
    for (const height of this.#ownCheckpoints.keys())
      if (height <= this.#delivery.executedHeight) this.#ownCheckpoints.delete(height);
    this.batches.start();
    this.checkpoints.start();
    this.agreement.start();
    this.#react();
    return this.#takeEffects();
  }

  /** Records from which a replica with the storage of now would be restored: the journal may begin anew with these. */
  *liveRecords(): Iterable<JournalRecord> {
    for (const batch of this.batches.held()) yield { type: 'batch', batch };
    for (const block of this.#tree.blocks()) yield { type: 'block', block };
    const { past } = this.#accountability;
    for (const certificate of past.certificatesBelow(this.agreement.lastFinalized))
      yield { type: 'certificate', certificate };
    for (const state of this.agreement.liveViews()) {
      const { own } = state;
      if (own.notarize !== null) yield { type: 'own-vote', vote: { type: 'notarize', proposal: own.notarize } };
      if (own.isNullified)
        yield { type: 'own-vote', vote: { type: 'nullify', epoch: this.#context.set.epoch, view: state.view } };
      if (own.finalize !== null) yield { type: 'own-vote', vote: { type: 'finalize', proposal: own.finalize } };
      for (const certificate of [state.notarization, state.nullification, state.finalization]) {
        if (certificate !== null) yield { type: 'certificate', certificate };
      }
      if (state.certification === 'ok' || state.certification === 'rejected') {
        yield {
          type: 'certified',
          epoch: this.#context.set.epoch,
          view: state.view,
          isOk: state.certification === 'ok',
        };
      }
    }
    for (const statement of this.#ownCheckpoints.values()) yield { type: 'own-checkpoint', statement };
    for (const { statement } of this.checkpoints.outcomes()) {
      if (statement.height > this.checkpoints.certifiedHeight) yield { type: 'own-checkpoint', statement };
    }
    for (const proof of this.#evidence.proofs()) yield { type: 'evidence', proof };
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
        return this.batches.addTransactions(input.transactions);
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
    this.agreement.sendStatus([peer], this.#statusFor(peer, !this.#startCheck.isDone));
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
        return this.#onStatus(from, message);
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
        return this.#prove(message.proof);
      case 'transactions':
        // The driver hands these to admission.
        return;
      default:
        return unreachable(message);
    }
  }

  #statusFor(peer: ValidatorIndex, asks: boolean) {
    const batch = this.batches.highestOf(peer);
    return {
      asks,
      finalization: this.agreement.lastFinalization,
      recall: { votes: this.agreement.votesOf(peer), batch },
    };
  }

  #onStatus(from: ValidatorIndex, message: Extract<Message, { type: 'status' }>): void {
    if (message.epoch !== this.#context.set.epoch) return;
    if (message.finalization !== null) this.agreement.onCertificate(message.finalization, from);
    this.#onRecall(message.recall);
    const isBehind = message.lastFinalized < this.agreement.lastFinalized;
    if (message.asks) this.#answerStatus(from);
    if (isBehind) this.agreement.helpBehind(from, message.view);
    this.#startCheck.onStatus(from);
  }

  #answerStatus(peer: ValidatorIndex): void {
    const { now, constants } = this.#context;
    if (now.ms < (this.#statusSentAtMs.get(peer) ?? Number.NEGATIVE_INFINITY) + constants.deltaMs / 4) return;
    this.#statusSentAtMs.set(peer, now.ms);
    this.agreement.sendStatus([peer], this.#statusFor(peer, false));
  }

  /** What a peer holds with this node's own signature. */
  #onRecall({ votes, batch }: Recall): void {
    const { self, set } = this.#context;
    const isUnknownVote = ({ signer, vote }: SignedVote) => signer === self && !this.agreement.remembers(vote);
    const isUnknownBatch =
      batch !== null &&
      batch.header.author === self &&
      batch.header.epoch === set.epoch &&
      !this.batches.remembers(batch.header.seq, sha256(batch.headerBytes));
    if (!isUnknownBatch && !votes.some(isUnknownVote)) return;
    this.#isTrusted = false;
    this.#updateSigning();
    this.#context.emit({ type: 'fence', reason: 'rolled-back', height: this.#delivery.executedHeight });
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
    const signed = this.#ownCheckpoints.get(statement.height);
    this.#ownCheckpoints.delete(statement.height);
    const block = this.#delivery.onExecuted(statement.height);
    if (block !== null && block.header.nextSet !== null)
      this.#boundary = { digest: block.digest, height: block.header.height, timeMs: block.header.timeMs };
    if (signed !== undefined && toHex(checkpointDigest(signed)) !== toHex(checkpointDigest(statement)))
      this.#fence(statement.height);
    else this.checkpoints.onExecuted(outcome);
  }

  /** This node has signed another result for this height before: it must not sign a second one. */
  #fence(height: Height): void {
    this.#isTrusted = false;
    this.#updateSigning();
    this.#context.emit({ type: 'fence', reason: 'diverged', height });
  }

  #react(): void {
    // With the chain up to the newest finalization known, its own batches are: those that it has forgotten are listed there.
    if (!this.#hasBegun && this.#startCheck.isDone && !this.#delivery.isSyncing) this.#beginSigning();
    this.batches.sealDue();
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
    this.#askWhereOthersAre();
  }

  /** Who has just started asks all; who is no validator is told nothing by itself, and asks one after the other. */
  #askWhereOthersAre(): void {
    const { set, self, now, constants } = this.#context;
    if (this.#startCheck.isAskDue()) this.agreement.sendStatus('all', { asks: true });
    if (self < set.validators.length || now.ms < this.#polledAtMs + constants.deltaMs) return;
    this.#polledAtMs = now.ms;
    for (let tried = 0; tried < set.validators.length; tried++) {
      const peer = toValidatorIndex(this.#pollNext++ % set.validators.length);
      if (!this.#activity.isConnected(peer)) continue;
      this.agreement.sendStatus([peer], { asks: true });
      return;
    }
  }

  #pollDeadline(): number {
    const { set, self, constants } = this.#context;
    return self < set.validators.length ? Number.POSITIVE_INFINITY : this.#polledAtMs + constants.deltaMs;
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
      this.#startCheck.deadline(),
      this.#pollDeadline(),
    );
  }

  /**
   * The part of a message that could say anything new, asked before signatures are checked: what is known already, or is
   * not taken at all, costs no check. Null when nothing of it is wanted.
   */
  wantedPart(message: Message): Message | null {
    switch (message.type) {
      case 'vote': {
        const hasNewEntry = message.entry !== null && this.agreement.wantsCertificate(message.entry);
        if (!hasNewEntry && !this.agreement.wantsVote(message.vote)) return null;
        return hasNewEntry ? message : { ...message, entry: null };
      }
      case 'proposal':
        return this.agreement.wantsVote(message.vote) ? message : null;
      case 'certificate':
        return this.agreement.wantsCertificate(message.certificate) ? message : null;
      case 'batch': {
        const { batch } = message;
        return this.batches.wants(batch, this.#fetcher.isWanted('batch', batch.digest)) ? message : null;
      }
      case 'checkpoint-signatures': {
        const signatures = message.signatures.filter((signature) => this.checkpoints.wants(signature));
        return signatures.length > 0 ? { ...message, signatures } : null;
      }
      case 'evidence':
        return !isOfEpoch(message.proof, this.#context.set.epoch) ||
          this.#context.isProven(message.proof.accused, message.proof.type)
          ? null
          : message;
      case 'chain':
        return this.#delivery.wantsChain(message.blocks, message.finalization) ? message : null;
      default:
        return message;
    }
  }

  /**
   * Where the next epoch starts from, once this one's boundary block is executed; null before. What was handed in and is in no block
   * of this epoch is told apart (`leftovers`).
   */
  nextOrigin(): ReplicaOrigin | null {
    const boundary = this.#boundary;
    if (boundary === null) return null;
    const { set, selfId, ledgerHash, constants, self } = this.#context;
    const target = this.checkpoints.targetAt(toHeight(boundary.height - constants.checkpointLag));
    assert(
      target !== null && isChange(set, target),
      'a boundary block follows from what the ledger wanted L heights before',
    );
    const next = nextEpochSet(set, target, boundary);
    const { certifiedHeight } = this.checkpoints;
    return {
      ledgerHash,
      set: next,
      selfId,
      previous: {
        set,
        ownFloor: this.batches.chains[self]?.floor ?? 0,
        isCertified: this.checkpoints.isQuorumHeld(boundary.height),
      },
      constants,
      executed: { ...boundary, isBoundary: false },
      floors: next.validators.map(() => ({ seq: 0, digest: null })),
      finalization: null,
      outcomes: this.checkpoints.outcomes(),
      certifiedHeight,
      accused: this.#inNextSet(next, this.#tree.rootAccused),
      suspended: this.#inNextSet(next, this.#suspended),
      awaitsQuorum: !this.#hasBegun,
    };
  }

  /** Places, in the next set, of validators that keep their voting key. */
  #inNextSet(next: EpochSet, validators: Iterable<ValidatorIndex>): ValidatorIndex[] {
    const { set } = this.#context;
    const places: ValidatorIndex[] = [];
    for (const validator of validators) {
      const { id, votingKey } = set.validators[validator]!;
      const place = indexIn(next, id);
      if (place !== null && equalBytes(next.validators[place]!.votingKey, votingKey)) places.push(place);
    }
    return places.sort((a, b) => a - b);
  }

  get constants(): ProtocolConstants {
    return this.#context.constants;
  }

  /** Own batches that no block of this epoch lists. */
  unlisted(): Batch[] {
    return this.batches.unlisted();
  }

  /** What was handed in here and no block of this epoch lists. */
  leftovers(): Uint8Array[] {
    return this.batches.leftovers();
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
      pendingBatches: this.agreement.pending().batches.length,
      waitingBytes: this.batches.waitingBytes,
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

  proofs(): Iterable<FaultProof> {
    return this.#evidence.proofs();
  }

  #prove(proof: FaultProof): void {
    if (this.#evidence.add(proof) && proof.type === 'batches') this.batches.noteEquivocation(proof.accused);
  }

  #takeEffects(): Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
