/**
 * Performs what a replica decides. Everything outside is a port, so the same driver runs over real files and sockets and
 * in the simulator.
 *
 * One turn: inputs are stepped as they come; the records their effects name are appended to the journal; one sync makes
 * them durable; only then are the effects performed, in order. Inputs that come during the sync belong to the next turn.
 * So nothing leaves this node before what it depends on is durable.
 *
 * A failed append or sync is final: the driver stops signing and sending, and says so (`onFailed`).
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
  type JournalRecord,
  type Message,
  type Outcome,
  Replica,
  type ReplicaOrigin,
  type SignedVote,
  type Signer,
  signBatch,
  signCheckpoint,
  signedBytes,
  type UnsignedBatch,
  unreachable,
  type ValidatorIndex,
  type Verifier,
  type Vote,
  viewOfVote,
  voteSignedBytes,
} from '@cairn-ledger/core';

/** The highest this node has signed of each kind: kept beside the keys, to notice a journal that was rolled back. */
export type SigningMark = {
  readonly epoch: number;
  readonly view: number;
  readonly seq: number;
  readonly checkpointHeight: number;
};

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
    execute(block: Block, batches: readonly Batch[], finalization: Certificate | null): void;
    keepCertified(statement: CheckpointStatement, signatures: readonly CheckpointSignature[]): void;
    /** Answers a request from storage; null when it has no answer. */
    serve(request: Message, answer: (message: Message | null) => void): void;
  };
  /** A batch is held durably from now on: its device signatures may be checked. */
  readonly onBatch: (batch: Batch, isOwn: boolean) => void;
  readonly onFact: (fact: Fact) => void;
  readonly onRefused: (peer: ValidatorIndex, error: CairnError) => void;
  readonly onFenced: (reason: string) => void;
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
  /** Effects of turns that are not durable yet, in order. */
  #waiting: Effect[] = [];
  #hasUnsyncedRecords = false;
  #isSyncing = false;
  #isFlushPlanned = false;
  #isStopped = false;
  #inputs: Input[] = [];
  #isStepping = false;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #mark: SigningMark;
  readonly counters = { messages: 0, refused: 0, unwanted: 0, votesSigned: 0, syncs: 0 };

  constructor(origin: ReplicaOrigin, ports: DriverPorts, mark: SigningMark) {
    this.#ports = ports;
    this.#set = origin.set;
    this.#self = origin.self;
    this.#ledgerHash = origin.ledgerHash;
    this.#mark = mark;
    this.replica = new Replica(origin, ports.now());
  }

  /** Restores the journal's records and starts. Own batches were kept unsigned: signing is deterministic. */
  start(records: Iterable<JournalRecord>): void {
    for (const record of records) {
      if (record.type === 'batch' && record.batch.header.author === this.#self) {
        const batch = this.#signBatch(record.batch);
        this.replica.restore({ type: 'batch', batch });
        this.#ports.onBatch(batch, false);
      } else {
        this.replica.restore(record);
        if (record.type === 'batch') this.#ports.onBatch(record.batch, false);
      }
    }
    this.#collect(this.replica.start(this.#ports.now()));
    this.#armTimer();
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
    if (this.#isStopped) return;
    this.counters.messages++;
    const decoded = decodeMessage(frame);
    if (!decoded.ok) return this.#refuse(from, decoded.error);
    if (!this.replica.wants(decoded.value)) {
      this.counters.unwanted++;
      return;
    }
    const admitted = admitMessage(decoded.value, from, this.#set, this.#ledgerHash, this.#ports.verifier);
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
      const record = recordOf(effect);
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

  #flush(): void {
    this.#isFlushPlanned = false;
    if (this.#isStopped || this.#isSyncing) return;
    const turn = this.#waiting;
    this.#waiting = [];
    if (!this.#hasUnsyncedRecords) return this.#performAll(turn);
    this.#hasUnsyncedRecords = false;
    this.#isSyncing = true;
    this.counters.syncs++;
    this.#ports.journal.sync((error) => {
      this.#isSyncing = false;
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
    this.#markTurn(turn);
    for (const effect of turn) {
      if (this.#isStopped) return;
      this.#perform(effect);
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
        this.#ports.ledger.serve(effect.request, (answer) => {
          if (answer !== null && !this.#isStopped) this.#send([effect.to], answer);
        });
        return;
      case 'deliver':
        return this.#ports.ledger.execute(effect.block, effect.batches, effect.finalization);
      case 'certified-checkpoint':
        return this.#ports.ledger.keepCertified(effect.statement, effect.signatures);
      case 'fence':
        return this.#ports.onFenced(effect.reason);
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
      if (effect.type === 'vote') this.#raiseMark({ epoch: epochOfVote(effect.vote), view: viewOfVote(effect.vote) });
      if (effect.type === 'seal') this.#raiseMark({ epoch: effect.batch.header.epoch, seq: effect.batch.header.seq });
      if (effect.type === 'sign-checkpoint') this.#raiseMark({ checkpointHeight: effect.outcome.statement.height });
    }
    if (this.#mark !== before) this.#ports.writeMark(this.#mark);
  }

  #raiseMark(signed: Partial<SigningMark>): void {
    const before = this.#mark;
    const epoch = Math.max(before.epoch, signed.epoch ?? 0);
    const isNewEpoch = epoch > before.epoch;
    this.#mark = {
      epoch,
      view: Math.max(isNewEpoch ? 0 : before.view, signed.view ?? 0),
      seq: Math.max(isNewEpoch ? 0 : before.seq, signed.seq ?? 0),
      checkpointHeight: Math.max(before.checkpointHeight, signed.checkpointHeight ?? 0),
    };
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

/** The record that must be durable before an effect, and everything after it, is performed. */
function recordOf(effect: Effect): JournalRecord | null {
  switch (effect.type) {
    case 'persist':
      return effect.record;
    case 'vote':
      return effect.isResend ? null : { type: 'own-vote', vote: effect.vote };
    case 'seal':
      return { type: 'batch', batch: signBatch(effect.batch, new Uint8Array(64)) };
    case 'sign-checkpoint':
      return effect.isResend ? null : { type: 'own-checkpoint', statement: effect.outcome.statement };
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
