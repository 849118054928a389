/**
 * Performs what a replica decides. Everything outside is a port, so the same driver runs over real files and sockets and
 * in the simulator.
 *
 * One turn: inputs are stepped as they come; the records their effects name are appended to the journal; one sync makes
 * them durable; only then are the effects performed, in order. Inputs that come during the sync belong to the next turn.
 * So nothing leaves this node before what it depends on is durable.
 *
 * A failed append or sync is final: the driver stops signing and sending, and says so (`onFailed`).
 *
 * A fenced driver (protocol.md section 6) goes on following the chain and answering, and signs nothing: no vote, no batch,
 * no checkpoint, also none that was decided before in the same turn.
 */
import {
  admitMessage,
  type Batch,
  type Block,
  type CairnError,
  type Certificate,
  type Channel,
  type CheckpointSignature,
  type CheckpointStatement,
  channelOf,
  decodeMessage,
  type Effect,
  type EpochSet,
  encodeMessage,
  epochOfMessage,
  epochOfVote,
  equalBytes,
  type Fact,
  type Hash,
  handedOverBytesMax,
  type Input,
  type Instant,
  indexIn,
  type JournalRecord,
  type Message,
  type Outcome,
  type ProvenFault,
  Replica,
  type ReplicaOrigin,
  type Result,
  type SignedVote,
  type Signer,
  signBatch,
  signCheckpoint,
  signedBytes,
  toHex,
  type UnsignedBatch,
  unreachable,
  type ValidatorIndex,
  type Verifier,
  type Vote,
  viewOfVote,
  voteSignedBytes,
} from '@cairn-ledger/core';
import { EpochView } from './epoch-view.ts';
import { isAhead, nothingSigned, raiseMark, type Signed, type SigningMark, voteRank } from './signing-mark.ts';

export type { SigningMark } from './signing-mark.ts';

/**
 * `diverged`: an own result differs from a certified one. `rolled-back`: the safety record remembers less than was signed; this
 * ends by itself in the epoch whose set names the life number of the present record. `damaged`: what is kept is not what was
 * written. `operator`: somebody took the node out.
 */
export type FenceReason = 'diverged' | 'rolled-back' | 'damaged' | 'operator';

export type DriverPorts = {
  readonly now: () => Instant;
  /** Calls back once, as soon as the work at hand is done. */
  readonly defer: (callback: () => void) => void;
  /** Calls back at this moment of `Instant.ms`; a new call replaces the one before. */
  readonly setTimer: (atMs: number, callback: () => void) => void;
  readonly journal: {
    append(record: JournalRecord): void;
    /** Calls back when everything appended so far is durable. */
    sync(done: (error: CairnError | null) => void): void;
  };
  readonly writeMark: (mark: SigningMark) => void;
  /** Peers are named by the id of their validator, or whatever their link says who they are. */
  readonly send: (peer: string, channel: Channel, frame: Uint8Array) => void;
  /** 16 random bytes: a life number. */
  readonly drawLife: () => Uint8Array;
  readonly votingSigner: Signer;
  readonly checkpointSigner: Signer;
  readonly verifier: Verifier;
  readonly ledger: {
    execute(
      block: Block,
      batches: readonly Batch[],
      finalization: Certificate | null,
      misbehaviour: readonly ProvenFault[],
    ): void;
    keepCertified(statement: CheckpointStatement, signatures: readonly CheckpointSignature[]): void;
    /** Answers a request from storage; null when it has no answer. */
    serve(request: Message, answer: (message: Message | null) => void, from: string): void;
  };
  /** A batch is held durably from now on: its device signatures may be checked. */
  readonly onBatch: (batch: Batch, isOwn: boolean) => void;
  readonly onFact: (fact: Fact) => void;
  readonly onRefused: (peer: string, error: CairnError) => void;
  /** A peer hands transactions over, to be admitted and sealed here. */
  readonly onHandedOver: (peer: string, transactions: readonly Uint8Array[]) => void;
  /** An epoch begins while the node runs. */
  readonly onEpoch: (set: EpochSet) => void;
  /** Nothing is signed from here on; told once for each fence. */
  readonly onFenced: (reason: FenceReason) => void;
  /** The fence has ended: the set of the epoch that has just begun names this record's life number, or the operator lifted it. */
  readonly onUnfenced: () => void;
  readonly onFailed: (error: CairnError) => void;
};

/** Transactions in one message, as many as its reader takes. */
const handedOverMax = 1_000;

/** The least time between two ticks, in milliseconds. */
const timerStepMs = 0.5;

/** An effect, and the epoch in which it was decided. */
type Decided = { readonly effect: Effect; readonly view: EpochView };

export class Driver {
  #replica: Replica;
  readonly #ports: DriverPorts;
  readonly #selfId: string;
  #view: EpochView;
  readonly #ledgerHash: Hash;
  /** Peers that are linked. */
  readonly #connected = new Set<string>();
  /** The life number of this safety record; null for the first one of a validator of the genesis. */
  #life: Uint8Array | null = null;
  /** What the journal holds durably of it: only that may be told to others. */
  #durableLife: Uint8Array | null = null;
  /** Own batches of the epoch before that no block of it lists: in the journal until their transactions are safe elsewhere. */
  #unlisted: Batch[] = [];
  /** Transactions that this node was handed, may not seal, and has not seen executed: handed over again and again. */
  readonly #owed = new Map<string, Uint8Array>();
  #handOverAtMs = Number.POSITIVE_INFINITY;
  /** Effects of turns that are not durable yet, in order; and those of the turn whose sync is under way. */
  #waiting: Decided[] = [];
  #underWay: readonly Decided[] = [];
  #hasUnsyncedRecords = false;
  #isSyncing = false;
  #isFlushPlanned = false;
  #isStopped = false;
  #inputs: Input[] = [];
  #isStepping = false;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #mark: SigningMark;
  readonly #isMarkLost: boolean;
  /** The highest that storage and the restored records show as signed. */
  #remembered: SigningMark;
  /**
   * The last own batch and checkpoint stay in the journal although the replica needs them no more: so a journal alone,
   * without the databases, remembers the highest that was signed.
   */
  #lastSealed: JournalRecord | null = null;
  #lastCheckpoint: Extract<JournalRecord, { type: 'own-checkpoint' }> | null = null;
  #fencedFor: FenceReason | null = null;
  /** Transactions of own batches of this epoch, in hexadecimal, while the journal is read. */
  readonly #sealedAgain = new Set<string>();
  readonly counters = { messages: 0, refused: 0, unwanted: 0, votesSigned: 0, syncs: 0 };

  /** @param mark null where none is kept beside the keys: then nothing is known of what was signed before */
  constructor(origin: ReplicaOrigin, ports: DriverPorts, mark: SigningMark | null) {
    this.#ports = ports;
    this.#selfId = origin.selfId;
    this.#view = new EpochView(origin.set, origin.previous, origin.selfId);
    this.#ledgerHash = origin.ledgerHash;
    this.#mark = mark ?? nothingSigned;
    this.#isMarkLost = mark === null;
    this.#replica = new Replica({ ...origin, awaitsQuorum: true }, ports.verifier, ports.now());
    this.#remembered = {
      epoch: origin.set.epoch,
      view: 0,
      seq: origin.floors[this.#view.self]?.seq ?? 0,
      checkpointHeight: origin.executed.height,
    };
  }

  /** The replica of the present epoch. */
  get replica(): Replica {
    return this.#replica;
  }

  get set(): EpochSet {
    return this.#view.set;
  }

  /** What `ready` must carry so that this node may sign again; null where nothing was lost. */
  get life(): Uint8Array | null {
    return this.#durableLife;
  }

  get fencedFor(): FenceReason | null {
    return this.#fencedFor;
  }

  /** Takes in one record of the journal; all of them in order, before `start`. */
  restore(record: JournalRecord): void {
    const { self } = this.#view;
    for (const signed of this.#signedBy(record)) this.#remembered = raiseMark(this.#remembered, signed);
    this.#noteLast(record);
    if (record.type === 'life') {
      this.#life = record.life;
      this.#durableLife = record.life;
    }
    if (record.type !== 'batch') return this.#replica.restore(record);
    if (this.#isOwnOfBefore(record.batch)) this.#unlisted.push(record.batch);
    if (record.batch.header.author !== self || record.batch.header.epoch !== this.set.epoch)
      return this.#replica.restore(record);
    // Own batches were kept unsigned: signing is deterministic.
    const own: JournalRecord = { type: 'batch', batch: this.#signBatch(record.batch) };
    for (const transaction of record.batch.transactions) this.#sealedAgain.add(toHex(transaction));
    this.#replica.restore(own);
  }

  /** Whether a batch was sealed here in the epoch before, and no block lists it. */
  #isOwnOfBefore({ header, digest }: Batch): boolean {
    const { previous } = this.#view;
    if (previous === null || header.epoch !== previous.set.epoch || header.seq <= previous.ownFloor) return false;
    // A journal that began anew in the middle of a turn may hold a record twice.
    const isKnown = this.#unlisted.some((batch) => equalBytes(batch.digest, digest));
    return !isKnown && previous.set.validators[header.author]?.id === this.#selfId;
  }

  /** Restores what is left to restore, and starts; fenced when the mark says that more was signed than is remembered. */
  start(records: Iterable<JournalRecord> = []): void {
    for (const record of records) this.restore(record);
    // Nothing is signed for a view at or below a finalized one, so what was forgotten there cannot be contradicted.
    const view = this.#replica.agreement.lastFinalized;
    const finalized = { epoch: this.set.epoch, view, vote: voteRank.finalize };
    const hasForgotten = this.#isMarkLost || isAhead(this.#mark, raiseMark(this.#remembered, finalized));
    if (hasForgotten || !this.#isOwnLife()) this.fence('rolled-back');
    else this.#markRemembered();
    if (this.#fencedFor === null && !this.#view.isMember && this.#life === null) this.#drawLife();
    for (const batch of this.#replica.batches.held()) this.#ports.onBatch(batch, false);
    this.#collect(this.#replica.start(this.#ports.now()));
    this.#handIn(this.#unsealed());
    this.#sealedAgain.clear();
    this.#armTimer();
  }

  /** What the journal holds may be sent from now on, also what was never sent before the last stop: the mark must know it. */
  #markRemembered(): void {
    const { epoch, view, vote, seq, checkpointHeight } = this.#remembered;
    const voted = vote === undefined ? { epoch, view } : { epoch, view, vote };
    const before = this.#mark;
    if (view > 0) this.#mark = raiseMark(this.#mark, voted);
    if (seq > 0) this.#mark = raiseMark(this.#mark, { epoch, seq });
    this.#mark = raiseMark(this.#mark, { checkpointHeight });
    if (this.#mark !== before) this.#ports.writeMark(this.#mark);
  }

  /** Whether the set names the life number of this safety record; so too where it does not name this node. */
  #isOwnLife(): boolean {
    if (!this.#view.isMember) return true;
    const named = this.set.validators[this.#view.self]!.life;
    return named === null || this.#life === null ? named === this.#life : equalBytes(named, this.#life);
  }

  /** Signs nothing from here on, and goes on following. */
  fence(reason: FenceReason): void {
    if (this.#fencedFor !== null) return;
    this.#fencedFor = reason;
    this.#replica.stopSigning();
    // One drawn after an earlier loss, and not named by the set yet, will do; a named one belongs to the record that was lost.
    const isUnused = this.#life !== null && !this.#isOwnLife();
    if (reason === 'rolled-back' && !isUnused) this.#drawLife();
    this.#ports.onFenced(reason);
  }

  /** An operator's fence ends; every other one ends by itself or not at all. */
  unfence(): boolean {
    if (this.#fencedFor !== 'operator') return false;
    this.#fencedFor = null;
    // What was decided and not signed meanwhile is in the journal; a replica that starts anew takes it from there.
    this.#collect(this.#replica.resumeSigning(this.#ports.now()));
    this.#armTimer();
    this.#ports.onUnfenced();
    return true;
  }

  #drawLife(): void {
    this.#life = this.#ports.drawLife();
    this.#collect([{ type: 'persist', record: { type: 'life', life: this.#life } }]);
  }

  /** Transactions of the epoch before that were not sealed again before this start. */
  #unsealed(): Uint8Array[] {
    const transactions = this.#unlisted.flatMap((batch) => batch.transactions);
    return transactions.filter((transaction) => !this.#sealedAgain.has(toHex(transaction)));
  }

  /** Transactions to be sealed: here, or by others where this node may not. */
  #handIn(transactions: readonly Uint8Array[]): void {
    if (transactions.length === 0) return;
    if (this.#view.isMember && this.#fencedFor === null) this.input({ type: 'transactions', transactions });
    else this.#owe(transactions);
  }

  /** Handed over, and again until a block has them. */
  #owe(transactions: readonly Uint8Array[]): void {
    for (const transaction of transactions) this.#owed.set(toHex(transaction), transaction);
    this.#handOverOwed();
  }

  #handOverOwed(): void {
    const { deltaMs } = this.#replica.constants;
    this.#handOverAtMs = this.#owed.size === 0 ? Number.POSITIVE_INFINITY : this.#ports.now().ms + 4 * deltaMs;
    if (this.#owed.size > 0) this.handOver([...this.#owed.values()]);
  }

  /** Hands transactions to f + 1 validators that are linked: at least one of them is honest. */
  handOver(transactions: readonly Uint8Array[]): void {
    const peers = this.#view.set.validators
      .map((_, i) => i as ValidatorIndex)
      .filter((i) => i !== this.#view.self && this.#connected.has(this.#view.idOf(i)))
      .slice(0, this.#view.set.faultsMax + 1);
    for (const page of pagesOf(transactions))
      this.#send(this.#view, peers, { type: 'transactions', transactions: page });
  }

  /** What a journal that begins anew must hold: what the replica holds, and what is decided and not yet signed. */
  *liveRecords(): Iterable<JournalRecord> {
    yield* this.#replica.liveRecords();
    if (this.#life !== null) yield { type: 'life', life: this.#life };
    // Until their transactions are in batches of this epoch, or executed.
    if (this.#owed.size > 0 || this.#replica.batches.waitingBytes > 0)
      for (const batch of this.#unlisted) yield { type: 'batch', batch };
    if (this.#lastSealed !== null) yield this.#lastSealed;
    if (this.#lastCheckpoint !== null) yield this.#lastCheckpoint;
    for (const { effect } of [...this.#underWay, ...this.#waiting]) {
      const record = recordOf(effect);
      if (record !== null) yield record;
    }
  }

  /** No effect is performed and no input taken from here on. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Takes one input: steps at once, or right after the step under way. */
  input(input: Input): void {
    if (this.#isStopped) return;
    this.#inputs.push(input);
    if (this.#isStepping) return;
    this.#isStepping = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
        this.#collect(this.#replica.step(this.#ports.now(), next));
        this.#beginNextEpoch();
      }
      if (this.#ports.now().ms >= this.#handOverAtMs) this.#handOverOwed();
    } finally {
      this.#isStepping = false;
    }
    this.#armTimer();
  }

  /** The boundary block is executed: from here on the next epoch's replica decides. */
  #beginNextEpoch(): void {
    const origin = this.#replica.nextOrigin();
    if (origin === null) return;
    this.#unlisted = this.#replica.unlisted();
    const leftovers = [...this.#replica.leftovers(), ...this.#owed.values()];
    const hint = this.#fencedFor;
    this.#view = new EpochView(origin.set, origin.previous, this.#selfId);
    this.#replica = new Replica(origin, this.#ports.verifier, this.#ports.now());
    // A record whose life number the new set names has signed nothing that it does not remember.
    if (hint === 'rolled-back' && this.#view.isMember && this.#isOwnLife()) this.#fencedFor = null;
    if (this.#fencedFor !== null) this.#replica.stopSigning();
    this.#collect(this.#replica.start(this.#ports.now()));
    if (!this.#isOwnLife()) this.fence('rolled-back');
    this.#ports.onEpoch(origin.set);
    if (hint !== null && this.#fencedFor === null) this.#ports.onUnfenced();
    for (const peer of this.#connected) {
      const index = this.#view.indexOf(peer);
      if (index !== null) this.#inputs.push({ type: 'connected', peer: index });
    }
    if (leftovers.length === 0) return;
    if (!this.#view.isMember || this.#fencedFor !== null) return this.#owe(leftovers);
    this.#inputs.push({ type: 'transactions', transactions: leftovers });
    this.#owed.clear();
  }

  // --- Peers --------------------------------------------------------------------------------------------------------

  onConnected(peer: string): void {
    this.#connected.add(peer);
    const index = this.#view.indexOf(peer);
    if (index !== null) this.input({ type: 'connected', peer: index });
  }

  onDisconnected(peer: string): void {
    this.#connected.delete(peer);
    const index = this.#view.indexOf(peer);
    if (index !== null) this.input({ type: 'disconnected', peer: index });
  }

  /** Takes bytes from an authenticated link: decoded, wanted at all, verified, in this order. */
  onFrame(peer: string, frame: Uint8Array): void {
    if (!this.#isStopped) this.onDecoded(peer, decodeMessage(frame));
  }

  /** Takes a frame that is decoded already: the simulator decodes once what many nodes receive. */
  onDecoded(peer: string, decoded: Result<Message, CairnError>): void {
    if (this.#isStopped) return;
    this.counters.messages++;
    const from = this.#view.indexOf(peer);
    if (!decoded.ok) return this.#refuse(peer, decoded.error);
    if (from === null) return;
    const { set, previous } = this.#view;
    const epoch = epochOfMessage(decoded.value);
    if (epoch !== null && epoch !== set.epoch)
      return this.input({ type: 'other-epoch', from, epoch, message: decoded.value.type });
    if (decoded.value.type === 'transactions') return this.#ports.onHandedOver(peer, decoded.value.transactions);
    const wanted = this.#replica.wantedPart(decoded.value);
    if (wanted === null) {
      this.counters.unwanted++;
      return;
    }
    const admitted = admitMessage(wanted, from, set, this.#ledgerHash, this.#ports.verifier, previous?.set);
    if (!admitted.ok) return this.#refuse(peer, admitted.error);
    this.input({ type: 'message', from, message: admitted.value });
  }

  #refuse(peer: string, error: CairnError): void {
    this.counters.refused++;
    this.#ports.onRefused(peer, error);
  }

  /** What the ledger has decided of a validator, named by its id. */
  onLeaderHint(id: string, isSuspended: boolean): void {
    const validator = this.#view.indexOf(id);
    if (validator !== null && validator < this.set.validators.length)
      this.input({ type: 'leader-hint', validator, isSuspended });
  }

  // --- Turns --------------------------------------------------------------------------------------------------------

  /** Appends the records that effects name, and plans their performance. */
  #collect(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === 'fence') this.fence(effect.reason);
      const record = recordOf(effect);
      if (record !== null) this.#noteLast(record);
      if (record !== null) {
        this.#ports.journal.append(record);
        this.#hasUnsyncedRecords = true;
      }
      this.#waiting.push({ effect, view: this.#view });
    }
    if (this.#waiting.length === 0 || this.#isFlushPlanned || this.#isSyncing) return;
    this.#isFlushPlanned = true;
    this.#ports.defer(() => this.#flush());
  }

  #noteLast(record: JournalRecord): void {
    if (record.type === 'batch') {
      const { author, epoch } = record.batch.header;
      if (author === this.#view.self && epoch === this.set.epoch) this.#lastSealed = record;
    }
    if (record.type !== 'own-checkpoint') return;
    const height = this.#lastCheckpoint?.statement.height ?? 0;
    if (record.statement.height >= height) this.#lastCheckpoint = record;
  }

  #flush(): void {
    this.#isFlushPlanned = false;
    if (this.#isStopped || this.#isSyncing) return;
    const turn = this.#waiting;
    this.#waiting = [];
    if (!this.#hasUnsyncedRecords) return this.#performAll(turn);
    this.#hasUnsyncedRecords = false;
    this.#isSyncing = true;
    this.#underWay = turn;
    this.counters.syncs++;
    this.#ports.journal.sync((error) => {
      this.#isSyncing = false;
      this.#underWay = [];
      if (this.#isStopped) return;
      if (error !== null) {
        this.stop();
        this.#ports.onFailed(error);
        return;
      }
      this.#performAll(turn);
    });
  }

  #performAll(turn: readonly Decided[]): void {
    if (this.#fencedFor === null) this.#markTurn(turn);
    for (const { effect, view } of turn) {
      if (this.#isStopped) return;
      if (isSigning(effect) && (this.#fencedFor !== null || this.#isOver(effect, view))) this.#giveUp(effect);
      else this.#perform(effect, view);
    }
    if (this.#waiting.length > 0 && !this.#isFlushPlanned && !this.#isSyncing) {
      this.#isFlushPlanned = true;
      this.#ports.defer(() => this.#flush());
    }
  }

  /** Whether what was to be signed is of an epoch that has ended meanwhile; checkpoints of its heights are signed all the same. */
  #isOver(effect: SigningEffect, view: EpochView): boolean {
    return view !== this.#view && effect.type !== 'sign-checkpoint';
  }

  /** What is not signed after all: its transactions are not lost. */
  #giveUp(effect: SigningEffect): void {
    if (effect.type === 'seal') this.#handIn(effect.batch.transactions);
  }

  #perform(effect: Effect, view: EpochView): void {
    switch (effect.type) {
      case 'persist':
        if (effect.record.type === 'batch') this.#ports.onBatch(effect.record.batch, false);
        if (effect.record.type === 'life') this.#durableLife = effect.record.life;
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
        this.#ports.ledger.serve(
          effect.request,
          (answer) => {
            if (answer !== null && !this.#isStopped) this.#send(view, [effect.to], answer);
          },
          view.idOf(effect.to),
        );
        return;
      case 'deliver':
        this.#forgetOwed(effect.batches);
        return this.#ports.ledger.execute(effect.block, effect.batches, effect.finalization, effect.misbehaviour);
      case 'certified-checkpoint':
        return this.#ports.ledger.keepCertified(effect.statement, effect.signatures);
      case 'fence':
        // Done as soon as it was decided.
        return;
      case 'report':
        return this.#ports.onFact(effect.fact);
      default:
        return unreachable(effect);
    }
  }

  #forgetOwed(batches: readonly Batch[]): void {
    if (this.#owed.size === 0) return;
    for (const { transactions } of batches) for (const each of transactions) this.#owed.delete(toHex(each));
  }

  #vote(vote: Vote, block: Block | null, entry: Certificate | null): void {
    this.counters.votesSigned++;
    const signed: SignedVote = {
      vote,
      signer: this.#view.self,
      signature: this.#ports.votingSigner.sign(voteSignedBytes(vote, this.#ledgerHash)),
    };
    this.#send(
      this.#view,
      'all',
      block === null ? { type: 'vote', vote: signed, entry } : { type: 'proposal', vote: signed, block },
    );
    this.input({ type: 'own-vote', signed });
  }

  #seal(unsigned: UnsignedBatch): void {
    const batch = this.#signBatch(unsigned);
    this.#ports.onBatch(batch, true);
    this.#send(this.#view, 'all', { type: 'batch', batch });
    this.input({ type: 'own-batch', batch });
  }

  #signBatch(batch: UnsignedBatch): Batch {
    return signBatch(batch, this.#ports.votingSigner.sign(signedBytes('batch', this.#ledgerHash, batch.headerBytes)));
  }

  /** With the key, and the place, of the epoch of that height. */
  #signCheckpoint({ statement, timeMs }: Outcome): void {
    const { set, previous } = this.#view;
    const signers = previous !== null && statement.epoch === previous.set.epoch ? previous.set : set;
    const place = indexIn(signers, this.#selfId);
    if (place === null || signers.epoch !== statement.epoch) return;
    const seconds = Math.floor(timeMs / 1000);
    const signature = signCheckpoint(
      statement,
      place,
      signers.validators[place]!,
      seconds,
      this.#ports.checkpointSigner,
    );
    this.#send(this.#view, 'all', { type: 'checkpoint-signatures', signatures: [signature] });
    this.input({ type: 'own-checkpoint', signature });
  }

  /** Writes the mark for everything that a turn is about to sign: after the journal, before anything is sent. */
  #markTurn(turn: readonly Decided[]): void {
    const before = this.#mark;
    for (const { effect, view } of turn) {
      if (!isSigning(effect) || this.#isOver(effect, view)) continue;
      for (const signed of this.#signedBy(recordOfSigning(effect))) this.#mark = raiseMark(this.#mark, signed);
    }
    if (this.#mark !== before) this.#ports.writeMark(this.#mark);
  }

  #send(view: EpochView, to: 'all' | readonly ValidatorIndex[], message: Message): void {
    const frame = encodeMessage(message);
    const channel = channelOf(message);
    const places = to === 'all' ? view.set.validators.map((_, i) => i as ValidatorIndex) : to;
    for (const peer of places) if (peer !== view.self) this.#ports.send(view.idOf(peer), channel, frame);
  }

  /** What a record says that this node has signed. */
  #signedBy(record: JournalRecord): Signed[] {
    switch (record.type) {
      case 'own-vote':
        return [{ epoch: epochOfVote(record.vote), view: viewOfVote(record.vote), vote: voteRank[record.vote.type] }];
      case 'own-checkpoint':
        return [{ checkpointHeight: record.statement.height }];
      case 'batch': {
        const { author, epoch, seq } = record.batch.header;
        return author === this.#view.self && epoch === this.set.epoch ? [{ epoch, seq }] : [];
      }
      default:
        return [];
    }
  }

  #armTimer(): void {
    const atMs = Math.min(this.#replica.deadline(), this.#handOverAtMs);
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

type SigningEffect = Extract<Effect, { type: 'vote' | 'seal' | 'sign-checkpoint' }>;

function isSigning(effect: Effect): effect is SigningEffect {
  return effect.type === 'vote' || effect.type === 'seal' || effect.type === 'sign-checkpoint';
}

/** The record that must be durable before an effect, and everything after it, is performed. */
function recordOf(effect: Effect): JournalRecord | null {
  switch (effect.type) {
    case 'persist':
      return effect.record;
    case 'vote':
    case 'sign-checkpoint':
      return effect.isResend ? null : recordOfSigning(effect);
    case 'seal':
      return recordOfSigning(effect);
    case 'send':
    case 'serve':
    case 'deliver':
    case 'certified-checkpoint':
    case 'fence':
    case 'report':
      return null;
    default:
      return unreachable(effect);
  }
}

function recordOfSigning(effect: SigningEffect): JournalRecord {
  switch (effect.type) {
    case 'vote':
      return { type: 'own-vote', vote: effect.vote };
    case 'seal':
      return { type: 'batch', batch: signBatch(effect.batch, new Uint8Array(64)) };
    case 'sign-checkpoint':
      return { type: 'own-checkpoint', statement: effect.outcome.statement };
    default:
      return unreachable(effect);
  }
}

/** Transactions in messages of at most `handedOverBytesMax`; a larger one does not exist. */
function pagesOf(transactions: readonly Uint8Array[]): Uint8Array[][] {
  const pages: Uint8Array[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const transaction of transactions) {
    const last = pages.at(-1);
    if (last === undefined || bytes + transaction.length > handedOverBytesMax || last.length >= handedOverMax) {
      pages.push([transaction]);
      bytes = transaction.length;
    } else {
      last.push(transaction);
      bytes += transaction.length;
    }
  }
  return pages;
}
