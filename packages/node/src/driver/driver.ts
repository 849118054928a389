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
  epochOfVote,
  type Fact,
  type Hash,
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
  toValidatorIndex,
  type UnsignedBatch,
  unreachable,
  type ValidatorIndex,
  type Verifier,
  type Vote,
  viewOfVote,
  voteSignedBytes,
} from '@cairn-ledger/core';
import { isAhead, raiseMark, type Signed, type SigningMark, voteRank } from './signing-mark.ts';

export type { SigningMark } from './signing-mark.ts';

/** `diverged`: an own result differs from a certified one. `rolled-back`: the safety record remembers less than was signed. */
export type FenceReason = 'diverged' | 'rolled-back' | 'operator';

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
  readonly send: (peer: ValidatorIndex, channel: Channel, frame: Uint8Array) => void;
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
    serve(request: Message, answer: (message: Message | null) => void, from: ValidatorIndex): void;
  };
  /** A batch is held durably from now on: its device signatures may be checked. */
  readonly onBatch: (batch: Batch, isOwn: boolean) => void;
  readonly onFact: (fact: Fact) => void;
  readonly onRefused: (peer: ValidatorIndex, error: CairnError) => void;
  /** Nothing is signed from here on. Called once. */
  readonly onFenced: (reason: FenceReason) => void;
  readonly onFailed: (error: CairnError) => void;
};

/** The least time between two ticks, in milliseconds. */
const timerStepMs = 0.5;

export class Driver {
  readonly replica: Replica;
  readonly #ports: DriverPorts;
  readonly #set: EpochSet;
  readonly #self: ValidatorIndex;
  readonly #ledgerHash: Hash;
  /** Effects of turns that are not durable yet, in order; and those of the turn whose sync is under way. */
  #waiting: Effect[] = [];
  #underWay: readonly Effect[] = [];
  #hasUnsyncedRecords = false;
  #isSyncing = false;
  #isFlushPlanned = false;
  #isStopped = false;
  #inputs: Input[] = [];
  #isStepping = false;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #mark: SigningMark;
  /** The highest that storage and the restored records show as signed. */
  #remembered: SigningMark;
  /**
   * The last own batch and checkpoint stay in the journal although the replica needs them no more: so a journal alone,
   * without the databases, remembers the highest that was signed.
   */
  #lastSealed: JournalRecord | null = null;
  #lastCheckpoint: Extract<JournalRecord, { type: 'own-checkpoint' }> | null = null;
  #fencedFor: FenceReason | null = null;
  readonly counters = { messages: 0, refused: 0, unwanted: 0, votesSigned: 0, syncs: 0 };

  constructor(origin: ReplicaOrigin, ports: DriverPorts, mark: SigningMark) {
    this.#ports = ports;
    this.#set = origin.set;
    this.#self = indexIn(origin.set, origin.selfId) ?? toValidatorIndex(origin.set.validators.length);
    this.#ledgerHash = origin.ledgerHash;
    this.#mark = mark;
    this.replica = new Replica(origin, ports.verifier, ports.now());
    this.#remembered = {
      epoch: origin.set.epoch,
      view: 0,
      seq: origin.floors[this.#self]?.seq ?? 0,
      checkpointHeight: origin.executed.height,
    };
  }

  /** Takes in one record of the journal; all of them in order, before `start`. */
  restore(record: JournalRecord): void {
    for (const signed of signedBy(record, this.#self)) this.#remembered = raiseMark(this.#remembered, signed);
    this.#noteLast(record);
    if (record.type !== 'batch' || record.batch.header.author !== this.#self) return this.replica.restore(record);
    // Own batches were kept unsigned: signing is deterministic.
    const own: JournalRecord = { type: 'batch', batch: this.#signBatch(record.batch) };
    this.replica.restore(own);
  }

  /** Restores what is left to restore, and starts; fenced when the mark says that more was signed than is remembered. */
  start(records: Iterable<JournalRecord> = []): void {
    for (const record of records) this.restore(record);
    // Nothing is signed for a view at or below a finalized one, so what was forgotten there cannot be contradicted.
    const finalized = { epoch: this.#set.epoch, view: this.replica.agreement.lastFinalized, vote: voteRank.finalize };
    if (isAhead(this.#mark, raiseMark(this.#remembered, finalized))) this.fence('rolled-back');
    for (const batch of this.replica.batches.held()) this.#ports.onBatch(batch, false);
    this.#collect(this.replica.start(this.#ports.now()));
    this.#armTimer();
  }

  /** Signs nothing from here on, and goes on following. */
  fence(reason: FenceReason): void {
    if (this.#fencedFor !== null) return;
    this.#fencedFor = reason;
    this.replica.stopSigning();
    this.#ports.onFenced(reason);
  }

  /** What a journal that begins anew must hold: what the replica holds, and what is decided and not yet signed. */
  *liveRecords(): Iterable<JournalRecord> {
    yield* this.replica.liveRecords();
    if (this.#lastSealed !== null) yield this.#lastSealed;
    if (this.#lastCheckpoint !== null) yield this.#lastCheckpoint;
    for (const effect of [...this.#underWay, ...this.#waiting]) {
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
        this.#collect(this.replica.step(this.#ports.now(), next));
      }
    } finally {
      this.#isStepping = false;
    }
    this.#armTimer();
  }

  /** Takes bytes from an authenticated link: decoded, wanted at all, verified, in this order. */
  onFrame(from: ValidatorIndex, frame: Uint8Array): void {
    if (!this.#isStopped) this.onDecoded(from, decodeMessage(frame));
  }

  /** Takes a frame that is decoded already: the simulator decodes once what many nodes receive. */
  onDecoded(from: ValidatorIndex, decoded: Result<Message, CairnError>): void {
    if (this.#isStopped) return;
    this.counters.messages++;
    if (!decoded.ok) return this.#refuse(from, decoded.error);
    const wanted = this.replica.wantedPart(decoded.value);
    if (wanted === null) {
      this.counters.unwanted++;
      return;
    }
    const admitted = admitMessage(wanted, from, this.#set, this.#ledgerHash, this.#ports.verifier);
    if (!admitted.ok) return this.#refuse(from, admitted.error);
    this.input({ type: 'message', from, message: admitted.value });
  }

  #refuse(from: ValidatorIndex, error: CairnError): void {
    this.counters.refused++;
    this.#ports.onRefused(from, error);
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
      this.#waiting.push(effect);
    }
    if (this.#waiting.length === 0 || this.#isFlushPlanned || this.#isSyncing) return;
    this.#isFlushPlanned = true;
    this.#ports.defer(() => this.#flush());
  }

  #noteLast(record: JournalRecord): void {
    if (record.type === 'batch' && record.batch.header.author === this.#self) this.#lastSealed = record;
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

  #performAll(turn: readonly Effect[]): void {
    if (this.#fencedFor === null) this.#markTurn(turn);
    for (const effect of turn) {
      if (this.#isStopped) return;
      if (this.#fencedFor === null || !isSigning(effect)) this.#perform(effect);
    }
    if (this.#waiting.length > 0 && !this.#isFlushPlanned && !this.#isSyncing) {
      this.#isFlushPlanned = true;
      this.#ports.defer(() => this.#flush());
    }
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'persist':
        if (effect.record.type === 'batch') this.#ports.onBatch(effect.record.batch, false);
        return;
      case 'vote':
        return this.#vote(effect.vote, effect.block, effect.entry);
      case 'seal':
        return this.#seal(effect.batch);
      case 'sign-checkpoint':
        return this.#signCheckpoint(effect.outcome);
      case 'send':
        return this.#send(effect.to, effect.message);
      case 'serve':
        this.#ports.ledger.serve(
          effect.request,
          (answer) => {
            if (answer !== null && !this.#isStopped) this.#send([effect.to], answer);
          },
          effect.to,
        );
        return;
      case 'deliver':
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

  #vote(vote: Vote, block: Block | null, entry: Certificate | null): void {
    this.counters.votesSigned++;
    const signed: SignedVote = {
      vote,
      signer: this.#self,
      signature: this.#ports.votingSigner.sign(voteSignedBytes(vote, this.#ledgerHash)),
    };
    this.#send(
      'all',
      block === null ? { type: 'vote', vote: signed, entry } : { type: 'proposal', vote: signed, block },
    );
    this.input({ type: 'own-vote', signed });
  }

  #seal(unsigned: UnsignedBatch): void {
    const batch = this.#signBatch(unsigned);
    this.#ports.onBatch(batch, true);
    this.#send('all', { type: 'batch', batch });
    this.input({ type: 'own-batch', batch });
  }

  #signBatch(batch: UnsignedBatch): Batch {
    return signBatch(batch, this.#ports.votingSigner.sign(signedBytes('batch', this.#ledgerHash, batch.headerBytes)));
  }

  #signCheckpoint({ statement, timeMs }: Outcome): void {
    const validator = this.#set.validators[this.#self]!;
    const signature = signCheckpoint(
      statement,
      this.#self,
      validator,
      Math.floor(timeMs / 1000),
      this.#ports.checkpointSigner,
    );
    this.#send('all', { type: 'checkpoint-signatures', signatures: [signature] });
    this.input({ type: 'own-checkpoint', signature });
  }

  /** Writes the mark for everything that a turn is about to sign: after the journal, before anything is sent. */
  #markTurn(turn: readonly Effect[]): void {
    const before = this.#mark;
    for (const effect of turn) {
      if (!isSigning(effect)) continue;
      for (const signed of signedBy(recordOfSigning(effect), this.#self)) this.#mark = raiseMark(this.#mark, signed);
    }
    if (this.#mark !== before) this.#ports.writeMark(this.#mark);
  }

  #send(to: 'all' | readonly ValidatorIndex[], message: Message): void {
    const frame = encodeMessage(message);
    const channel = channelOf(message);
    if (to === 'all') {
      this.#set.validators.forEach((_, i) => {
        if (i !== this.#self) this.#ports.send(i as ValidatorIndex, channel, frame);
      });
      return;
    }
    for (const peer of to) if (peer !== this.#self) this.#ports.send(peer, channel, frame);
  }

  #armTimer(): void {
    const atMs = this.replica.deadline();
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

/** What a record says that this validator has signed. */
function signedBy(record: JournalRecord, self: ValidatorIndex): Signed[] {
  switch (record.type) {
    case 'own-vote':
      return [{ epoch: epochOfVote(record.vote), view: viewOfVote(record.vote), vote: voteRank[record.vote.type] }];
    case 'own-checkpoint':
      return [{ checkpointHeight: record.statement.height }];
    case 'batch': {
      const { author, epoch, seq } = record.batch.header;
      return author === self ? [{ epoch, seq }] : [];
    }
    default:
      return [];
  }
}
