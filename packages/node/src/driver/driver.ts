/**
 * Performs what a replica decides. Everything outside is a port, so the same driver runs over real files and sockets and
 * in the simulator.
 *
 * Inputs are stepped as they come; what that decides is performed turn by turn, once its records are durable (`Turns`): nothing
 * leaves this node before what it depends on is durable. A failed append or sync is final: the driver stops signing and sending,
 * and says so (`onFailed`).
 *
 * A fenced driver (protocol.md section 6) goes on following the chain and answering, and signs nothing: no vote, no batch,
 * no checkpoint, also none that was decided before in the same turn.
 */
import {
  admitMessage,
  type Block,
  type CairnError,
  type Certificate,
  channelOf,
  decodeMessage,
  type Effect,
  type EpochSet,
  encodeMessage,
  epochOfMessage,
  type Hash,
  type Input,
  indexIn,
  type JournalRecord,
  type Message,
  type Outcome,
  Replica,
  type ReplicaOrigin,
  type Result,
  type UnsignedBatch,
  unreachable,
  type ValidatorIndex,
  type Vote,
} from '@cairn-ledger/core';
import { EpochView } from './epoch-view.ts';
import { Fences } from './fences.ts';
import { HandingOver, pagesOf, takersOf } from './handing-over.ts';
import type { DriverPorts, FenceReason } from './ports.ts';
import { isSigning, recordOf, recordOfSigning, type SigningEffect } from './records-of-effects.ts';
import { SafetyRecord } from './safety-record.ts';
import { Signing } from './signing.ts';
import type { SigningMark } from './signing-mark.ts';
import { type Decided, Turns } from './turns.ts';
import { UnlistedBatches } from './unlisted-batches.ts';

export type { DriverPorts, FenceReason } from './ports.ts';
export type { SigningMark } from './signing-mark.ts';

/** The least time between two ticks, in milliseconds. */
const timerStepMs = 0.5;

export class Driver {
  #replica: Replica;
  readonly #ports: DriverPorts;
  readonly #selfId: string;
  #view: EpochView;
  readonly #ledgerHash: Hash;
  /** Peers that are linked. */
  readonly #connected = new Set<string>();
  readonly #unlisted = new UnlistedBatches();
  readonly #handingOver: HandingOver;
  readonly #turns: Turns;
  /** A batch whose seal a fence has kept from being signed. */
  #withheld: UnsignedBatch | null = null;
  #inputs: Input[] = [];
  #isStepping = false;
  #timerAtMs = Number.POSITIVE_INFINITY;
  readonly #safety: SafetyRecord;
  readonly #signing: Signing;
  readonly #fences = new Fences();
  readonly counters = { messages: 0, refused: 0, unwanted: 0, votesSigned: 0 };

  /** @param mark null where none is kept beside the keys: then nothing is known of what was signed before */
  constructor(origin: ReplicaOrigin, ports: DriverPorts, mark: SigningMark | null) {
    this.#ports = ports;
    this.#turns = new Turns(ports, (turn) => this.#performAll(turn));
    this.#selfId = origin.selfId;
    this.#view = new EpochView(origin.set, origin.previous, origin.selfId);
    this.#ledgerHash = origin.ledgerHash;
    this.#signing = new Signing(ports, origin.ledgerHash, origin.selfId);
    const keys = { voting: ports.votingSigner.publicKey, checkpoint: ports.checkpointSigner.publicKey };
    this.#safety = new SafetyRecord(this.#view, origin, keys, mark);
    this.#handingOver = new HandingOver(
      () => ports.now().ms,
      () => 4 * this.#replica.constants.deltaMs,
      (transactions) => this.handOver(transactions),
    );
    this.#replica = new Replica({ ...origin, awaitsQuorum: true }, ports.verifier, ports.now());
  }

  /** The replica of the present epoch. */
  get replica(): Replica {
    return this.#replica;
  }

  get set(): EpochSet {
    return this.#view.set;
  }

  /** The set of the epoch before; null in the first one. */
  get previousSet(): EpochSet | null {
    return this.#view.previous?.set ?? null;
  }

  /** Whether this epoch's set names this node, whosever key it names for it. */
  get isMember(): boolean {
    return this.#view.isMember;
  }

  /** What `ready` must carry so that this node may sign again; null where nothing was lost. */
  get life(): Uint8Array | null {
    return this.#safety.life;
  }

  /** The gravest reason why nothing is signed; null where something may be. */
  get fencedFor(): FenceReason | null {
    return this.#fences.reasons[0] ?? null;
  }

  /** Every reason why nothing is signed, the gravest first. */
  get fences(): readonly FenceReason[] {
    return this.#fences.reasons;
  }

  /** Whether the set names the life number that was drawn for this record: what was forgotten before is nobody's concern. */
  get isTakenBack(): boolean {
    return this.#view.isMember && this.#safety.hasLife && this.#safety.isOwnLife;
  }

  /** Takes in one record of the journal; all of them in order, before `start`. */
  restore(record: JournalRecord): void {
    this.#safety.restore(record);
    if (record.type !== 'batch') return this.#replica.restore(record);
    this.#unlisted.restore(record.batch, this.#view);
    const { author, epoch } = record.batch.header;
    if (author !== this.#view.self || epoch !== this.set.epoch) return this.#replica.restore(record);
    // Own batches were kept unsigned: signing is deterministic.
    this.#replica.restore({ type: 'batch', batch: this.#signing.batch(record.batch) });
  }

  /** Restores what is left to restore, and starts; fenced when the mark says that more was signed than is remembered. */
  start(records: Iterable<JournalRecord> = []): void {
    for (const record of records) this.restore(record);
    const hasForgotten = this.#safety.hasForgotten(this.#replica.agreement.lastFinalized);
    if (hasForgotten || !this.#safety.isOwnLife) this.fence('rolled-back');
    else this.#writeMark(this.#safety.raiseToRemembered());
    if (!this.#fences.isFenced && !this.#view.isMember && !this.#safety.hasLife) this.#beginLife();
    for (const batch of this.#replica.batches.held()) this.#ports.onBatch(batch, false);
    this.#collect(this.#replica.start(this.#ports.now()));
    this.handIn(this.#unlisted.takeUnsealed());
    this.#armTimer();
  }

  /** Signs nothing from here on, and goes on following. */
  fence(reason: FenceReason): void {
    if (!this.#fences.add(reason)) return;
    this.#replica.stopSigning();
    // One drawn after an earlier loss, and not named by the set yet, will do; a named one belongs to the record that was lost.
    const isUnused = this.#safety.hasLife && !this.#safety.isOwnLife;
    if (reason === 'rolled-back' && !isUnused) this.#beginLife();
    this.#ports.onFenced(reason);
  }

  /**
   * A fence ends of which nothing was forgotten: the operator's, or that of a node whose data is whole again. Every other one ends
   * by itself or not at all.
   */
  unfence(reason: 'operator' | 'damaged' = 'operator'): boolean {
    if (!this.#fences.lift(reason)) return false;
    if (this.#fences.isFenced) return true;
    // What was decided and not signed meanwhile is in the journal; a replica that starts anew takes it from there.
    this.#collect(this.#replica.resumeSigning(this.#ports.now()));
    if (this.#withheld !== null) this.#collect([{ type: 'seal', batch: this.#withheld }]);
    this.#withheld = null;
    this.#armTimer();
    this.#ports.onUnfenced();
    return true;
  }

  #beginLife(): void {
    this.#collect([{ type: 'persist', record: this.#safety.beginLife(this.#ports.drawLife()) }]);
  }

  /** Transactions to be sealed: here, or by others where this node may not. */
  handIn(transactions: readonly Uint8Array[]): void {
    if (transactions.length === 0) return;
    if (this.#view.isMember && !this.#fences.isFenced) this.input({ type: 'transactions', transactions });
    else this.#handingOver.owe(transactions);
  }

  /** What this node says itself: sealed here, or, where it may not seal, handed over once; it says it again. */
  say(transaction: Uint8Array): void {
    if (this.#view.isMember && !this.#fences.isFenced)
      this.input({ type: 'transactions', transactions: [transaction] });
    else this.handOver([transaction]);
  }

  /** Hands transactions to f + 1 validators that are linked: at least one of them is honest. */
  handOver(transactions: readonly Uint8Array[]): void {
    const peers = takersOf(this.#view, this.#connected);
    for (const page of pagesOf(transactions))
      this.#send(this.#view, peers, { type: 'transactions', transactions: page });
  }

  /** What a journal that begins anew must hold: what the replica holds, and what is decided and not yet signed. */
  *liveRecords(): Iterable<JournalRecord> {
    yield* this.#replica.liveRecords();
    yield* this.#safety.liveRecords();
    // Until their transactions are in batches of this epoch, or executed.
    if (this.#handingOver.isOwing || this.#replica.batches.own.waitingBytes > 0)
      for (const batch of this.#unlisted) yield { type: 'batch', batch };
    yield* this.#turns.records();
  }

  /** No effect is performed and no input taken from here on. */
  stop(): void {
    this.#turns.stop();
  }

  /** Takes one input: steps at once, or right after the step under way. */
  input(input: Input): void {
    if (this.#turns.isStopped) return;
    this.#inputs.push(input);
    if (this.#isStepping) return;
    this.#isStepping = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
        this.#collect(this.#replica.step(this.#ports.now(), next));
        this.#beginNextEpoch();
      }
      this.#handingOver.react();
    } finally {
      this.#isStepping = false;
    }
    this.#armTimer();
  }

  /** The boundary block is executed: from here on the next epoch's replica decides. */
  #beginNextEpoch(): void {
    const next = this.#replica.nextOrigin();
    if (next === null) return;
    const origin = { ...next, constants: this.#ports.constants?.() ?? next.constants };
    this.#unlisted.onEpoch(this.#replica.unlisted());
    const leftovers = [...this.#replica.leftovers(), ...this.#handingOver.owed()];
    if (this.#withheld !== null) leftovers.push(...this.#withheld.transactions);
    this.#withheld = null;
    const wasFenced = this.#fences.isFenced;
    const wasMember = this.#view.isMember;
    this.#view = new EpochView(origin.set, origin.previous, this.#selfId);
    this.#safety.onEpoch(this.#view);
    this.#replica = new Replica(origin, this.#ports.verifier, this.#ports.now());
    // A record whose life number the new set names has signed nothing that it does not remember.
    if (this.#view.isMember && this.#safety.isOwnLife) this.#fences.lift('rolled-back');
    if (this.#fences.isFenced) this.#replica.stopSigning();
    this.#collect(this.#replica.start(this.#ports.now()));
    if (!this.#safety.isOwnLife) this.fence('rolled-back');
    // Who leaves comes back with another life, if ever: so an old copy of its record never counts as this one.
    if (wasMember && !this.#view.isMember) this.#beginLife();
    this.#ports.onEpoch(origin.set);
    if (wasFenced && !this.#fences.isFenced) this.#ports.onUnfenced();
    for (const peer of this.#connected) {
      const index = this.#view.indexOf(peer);
      if (index !== null) this.#inputs.push({ type: 'connected', peer: index });
    }
    if (leftovers.length === 0) return;
    if (!this.#view.isMember || this.#fences.isFenced) return this.#handingOver.owe(leftovers);
    this.#inputs.push({ type: 'transactions', transactions: leftovers });
    this.#handingOver.clear();
  }

  // --- Peers --------------------------------------------------------------------------------------------------------

  onConnected(peer: string): void {
    this.#connected.add(peer);
    const index = this.#view.onConnected(peer);
    if (index !== null) this.input({ type: 'connected', peer: index });
  }

  onDisconnected(peer: string): void {
    this.#connected.delete(peer);
    const index = this.#view.onDisconnected(peer);
    if (index !== null) this.input({ type: 'disconnected', peer: index });
  }

  /** Takes bytes from an authenticated link: decoded, wanted at all, verified, in this order. */
  onFrame(peer: string, frame: Uint8Array): void {
    if (!this.#turns.isStopped) this.onDecoded(peer, decodeMessage(frame));
  }

  /** Takes a frame that is decoded already: the simulator decodes, and verifies, once what many nodes receive. */
  onDecoded(peer: string, decoded: Result<Message, CairnError>, admit: typeof admitMessage = admitMessage): void {
    if (this.#turns.isStopped) return;
    this.counters.messages++;
    const from = this.#view.indexOf(peer);
    if (!decoded.ok) return this.#refuse(peer, decoded.error);
    if (this.#ports.takesAnswer?.(peer, decoded.value) || from === null) return;
    const { set, previous } = this.#view;
    const epoch = epochOfMessage(decoded.value);
    if (epoch !== null && epoch > set.epoch) this.#ports.onLaterEpoch?.(peer, epoch);
    if (epoch !== null && epoch !== set.epoch)
      return this.input({ type: 'other-epoch', from, epoch, message: decoded.value.type });
    if (decoded.value.type === 'epochs') return this.#ports.onEpochs?.(peer, decoded.value.proofs);
    if (decoded.value.type === 'transactions') return this.#ports.onHandedOver(peer, decoded.value.transactions);
    const wanted = this.#replica.wantedPart(decoded.value);
    if (wanted === null) {
      this.counters.unwanted++;
      return;
    }
    const admitted = admit(wanted, from, set, this.#ledgerHash, this.#ports.verifier, previous?.set);
    if (!admitted.ok) return this.#refuse(peer, admitted.error);
    this.input({ type: 'message', from, message: admitted.value });
  }

  #refuse(peer: string, error: CairnError): void {
    this.counters.refused++;
    this.#ports.onRefused(peer, error);
  }

  /** What the ledger has decided of a validator, named by its id. */
  onLeaderHint(id: string, isSuspended: boolean): void {
    const validator = indexIn(this.set, id);
    if (validator !== null) this.input({ type: 'leader-hint', validator, isSuspended });
  }

  // --- Effects ------------------------------------------------------------------------------------------------------

  /** Effects of a step join the turn that comes. */
  #collect(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === 'fence') this.fence(effect.reason);
      const record = recordOf(effect);
      if (record !== null) this.#safety.note(record);
      this.#turns.add({ effect, view: this.#view }, record);
    }
    this.#turns.plan();
  }

  #performAll(turn: readonly Decided[]): void {
    if (!this.#fences.isFenced) this.#markTurn(turn);
    for (const { effect, view } of turn) {
      if (this.#turns.isStopped) return;
      const isGivenUp = isSigning(effect) && (this.#fences.isFenced || this.#isOver(effect, view));
      if (!isGivenUp) this.#perform(effect, view);
      else if (effect.type === 'seal') this.#giveUpSeal(effect.batch, view);
    }
  }

  /**
   * What is not sealed after all is not lost. Its number is taken, in the journal and in the replica: in the same epoch it must be
   * sealed as it is once this node signs again, or nothing above it could be listed.
   */
  #giveUpSeal(batch: UnsignedBatch, view: EpochView): void {
    if (view === this.#view) this.#withheld = batch;
    else this.handIn(batch.transactions);
  }

  /** Whether what was to be signed is of an epoch that has ended meanwhile; checkpoints of its heights are signed all the same. */
  #isOver(effect: SigningEffect, view: EpochView): boolean {
    return view !== this.#view && effect.type !== 'sign-checkpoint';
  }

  #perform(effect: Effect, view: EpochView): void {
    switch (effect.type) {
      case 'persist':
        if (effect.record.type === 'batch') this.#ports.onBatch(effect.record.batch, false);
        if (effect.record.type === 'life') this.#safety.onLifeDurable(effect.record.life);
        return;
      case 'vote':
        return this.#vote(effect.vote, effect.block, effect.entry);
      case 'seal':
        return this.#seal(effect.batch);
      case 'sign-checkpoint':
        return this.#signCheckpoint(effect.outcome);
      case 'send':
        return this.#send(view, effect.to, effect.message);
      case 'serve':
        return this.#serve(effect.request, effect.to, view);
      case 'deliver':
        this.#handingOver.onExecuted(effect.batches);
        return this.#ports.ledger.execute(effect.block, effect.batches, effect.finalization, effect.misbehaviour);
      case 'certified-checkpoint':
        return this.#ports.ledger.keepCertified(effect.statement, effect.signatures);
      case 'fence':
        // Done as soon as it was decided.
        return;
      case 'report':
        return this.#ports.onFact(effect.fact, view.set);
      default:
        return unreachable(effect);
    }
  }

  #serve(request: Message, to: ValidatorIndex, view: EpochView): void {
    const peer = view.idOf(to);
    if (peer === null) return;
    const answer = (message: Message | null): void => {
      if (message !== null && !this.#turns.isStopped) this.#send(view, [to], message);
    };
    this.#ports.ledger.serve(request, answer, peer);
  }

  #vote(vote: Vote, block: Block | null, entry: Certificate | null): void {
    this.counters.votesSigned++;
    const signed = this.#signing.vote(vote, this.#view);
    const own: Message =
      block === null ? { type: 'vote', vote: signed, entry } : { type: 'proposal', vote: signed, block };
    this.#send(this.#view, 'all', own);
    this.input({ type: 'own-vote', signed });
  }

  #seal(unsigned: UnsignedBatch): void {
    const batch = this.#signing.batch(unsigned);
    this.#ports.onBatch(batch, true);
    this.#send(this.#view, 'all', { type: 'batch', batch });
    this.input({ type: 'own-batch', batch });
  }

  #signCheckpoint(outcome: Outcome): void {
    const signature = this.#signing.checkpoint(outcome, this.#view);
    if (signature === null) return;
    this.#send(this.#view, 'all', { type: 'checkpoint-signatures', signatures: [signature] });
    this.input({ type: 'own-checkpoint', signature });
  }

  /** Writes the mark for everything that a turn is about to sign: after the journal, before anything is sent. */
  #markTurn(turn: readonly Decided[]): void {
    const records: JournalRecord[] = [];
    for (const { effect, view } of turn)
      if (isSigning(effect) && !this.#isOver(effect, view)) records.push(recordOfSigning(effect));
    this.#writeMark(this.#safety.raise(records));
  }

  #writeMark(mark: SigningMark | null): void {
    if (mark !== null) this.#ports.writeMark(mark);
  }

  #send(view: EpochView, to: 'all' | readonly ValidatorIndex[], message: Message): void {
    const frame = encodeMessage(message);
    const channel = channelOf(message);
    const places = to === 'all' ? view.set.validators.map((_, i) => i as ValidatorIndex) : to;
    for (const place of places) {
      const peer = place === view.self ? null : view.idOf(place);
      if (peer !== null) this.#ports.send(peer, channel, frame);
    }
  }

  #armTimer(): void {
    const atMs = Math.min(this.#replica.deadline(), this.#handingOver.deadline());
    if (atMs === this.#timerAtMs && Number.isFinite(atMs)) return;
    this.#timerAtMs = atMs;
    if (!Number.isFinite(atMs)) return;
    // Never at this very moment: a rule that could have fired has been tried just now.
    this.#ports.setTimer(Math.max(atMs, this.#ports.now().ms + timerStepMs), () => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.input({ type: 'tick' });
    });
  }
}
