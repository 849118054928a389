/**
 * A replica driven by hand, for tests: its effects are performed at once and written down, its peers are played by the
 * test. Signatures are zeros, since the core never checks one.
 *
 * Validator i of n leads the views v with (1 + v) mod n = i; the node under test is validator 0 unless told otherwise, so
 * with four it leads the views 3, 7, 11...
 */
import { sha256 } from '../../crypto/hash.ts';
import type { Verified } from '../../crypto/verified.ts';
import type { Verifier } from '../../crypto/verifier.ts';
import { type Batch, createBatch, signBatch } from '../../model/batch.ts';
import { type BatchReference, type Block, createBlock } from '../../model/block.ts';
import { type Hash, toEpoch, toHeight, toValidatorIndex, toView } from '../../model/brands.ts';
import { type Certificate, createCertificate } from '../../model/certificate.ts';
import { type CheckpointStatement, checkpointDigest } from '../../model/checkpoint.ts';
import type { CheckpointSignature } from '../../model/checkpoint-signature.ts';
import { createEpochTarget, type EpochTarget } from '../../model/epoch-target.ts';
import type { FaultProof } from '../../model/fault-proof.ts';
import type { Message } from '../../model/message.ts';
import { type Validator, validatorSetDigest } from '../../model/validator-set.ts';
import type { Proposal, SignedVote, Vote } from '../../model/vote.ts';
import { ok } from '../../result.ts';
import type { ChainTip } from '../agreement/block-tree.ts';
import { defaultConstants, type ProtocolConstants } from '../constants.ts';
import type { ReplicaContext } from '../context.ts';
import type { Effect, Fact, Input, JournalRecord, Outcome, ProvenFault } from '../effects.ts';
import { createEpochSet, type EpochSet } from '../epochs/epoch.ts';
import type { ReplicaOrigin } from '../origin.ts';
import { Replica } from '../replica.ts';

export const constants: ProtocolConstants = { ...defaultConstants, deltaMs: 100, heartbeatMs: 10_000 };
export const ledgerHash = sha256(Uint8Array.of(7));
/** What the clock on the wall shows at moment 0, in milliseconds. */
export const wallStartMs = 1_000_000;

const zeros = new Uint8Array(64);

/** What the tests sign is zeros. */
const noVerifier: Verifier = {
  id: 'zeros',
  verify: (_algorithm, _publicKey, _message, signature) => signature.every((byte) => byte === 0),
  checkPublicKey: () => ok(undefined),
};

export const validatorIdOf = (index: number): string => `v${String(index).padStart(3, '0')}`;

export function validatorsOf(count: number): Validator[] {
  return Array.from({ length: count }, (_, i) => ({
    id: validatorIdOf(i),
    member: `m${i}`,
    linkKey: new Uint8Array(32).fill(1 + i),
    votingKey: new Uint8Array(32).fill(101 + i),
    checkpointKey: new Uint8Array(32).fill(201 + i),
    addresses: [],
    life: null,
  }));
}

export function setOf(count: number): EpochSet {
  const validators = validatorsOf(count);
  const genesis = { digest: ledgerHash, height: toHeight(0), timeMs: 0 };
  return createEpochSet(toEpoch(1), validators, validatorSetDigest(validators), genesis, 1);
}

export const genesisTip: ChainTip = { digest: ledgerHash, height: toHeight(0), timeMs: 0, isBoundary: false };

// --- What validators make --------------------------------------------------------------------------------------------

export function proposalOf(view: number, parentView: number, block: Pick<Block, 'digest'>): Proposal {
  return { epoch: toEpoch(1), view: toView(view), parentView: toView(parentView), digest: block.digest };
}

export function signed(signer: number, vote: Vote): SignedVote {
  return { vote, signer: toValidatorIndex(signer), signature: zeros };
}

export const notarize = (signer: number, proposal: Proposal): SignedVote =>
  signed(signer, { type: 'notarize', proposal });
export const finalize = (signer: number, proposal: Proposal): SignedVote =>
  signed(signer, { type: 'finalize', proposal });
export const nullify = (signer: number, view: number): SignedVote =>
  signed(signer, { type: 'nullify', epoch: toEpoch(1), view: toView(view) });

export const notarization = (proposal: Proposal, signers: readonly number[]): Certificate =>
  createCertificate(signers.map((signer) => notarize(signer, proposal)));
export const finalization = (proposal: Proposal, signers: readonly number[]): Certificate =>
  createCertificate(signers.map((signer) => finalize(signer, proposal)));
export const nullification = (view: number, signers: readonly number[]): Certificate =>
  createCertificate(signers.map((signer) => nullify(signer, view)));

export type BatchFields = {
  readonly previous?: Uint8Array;
  readonly base?: number;
  readonly epoch?: number;
  readonly expiryHeight?: number;
  readonly text?: string;
  readonly sizeBytes?: number;
};

/** A batch of one transaction. Without `previous` it links to the plain batch of the same author before it. */
export function batchOf(author: number, seq: number, fields: BatchFields = {}): Batch {
  const text = fields.text ?? `${author}/${seq}`;
  const bytes = new TextEncoder().encode(text);
  const transaction = new Uint8Array(Math.max(bytes.length, fields.sizeBytes ?? 0));
  transaction.set(bytes);
  const previous = fields.previous ?? (seq === 1 ? new Uint8Array(0) : batchOf(author, seq - 1).digest);
  const unsigned = createBatch(
    {
      epoch: toEpoch(fields.epoch ?? 1),
      author: toValidatorIndex(author),
      seq,
      base: fields.base ?? 1,
      previous,
      expiryHeight: toHeight(fields.expiryHeight ?? 10_000),
    },
    [transaction],
  );
  return signBatch(unsigned, zeros);
}

export const referenceOf = (batch: Batch): BatchReference => ({
  author: batch.header.author,
  seq: batch.header.seq,
  digest: batch.digest,
});

export type BlockFields = {
  readonly batches?: readonly Batch[];
  readonly timeMs?: number;
  readonly checkpoint?: CheckpointStatement;
  readonly rules?: number;
  readonly epoch?: number;
  readonly height?: number;
  readonly evidence?: readonly Uint8Array[];
  readonly nextSet?: Hash | null;
};

export function tipOf({ digest, header: { height, timeMs, nextSet } }: Block): ChainTip {
  return { digest, height, timeMs, isBoundary: nextSet !== null };
}

/** A block on a parent; its checkpoint is genesis unless told otherwise. */
export function blockOn(parent: ChainTip, fields: BlockFields = {}): Block {
  return createBlock(
    {
      epoch: toEpoch(fields.epoch ?? 1),
      height: toHeight(fields.height ?? parent.height + 1),
      rules: fields.rules ?? 1,
      parent: parent.digest,
      timeMs: fields.timeMs ?? Math.max(parent.timeMs + 1, wallStartMs),
      checkpoint: checkpointDigest(fields.checkpoint ?? genesisOutcome().statement),
      nextSet: fields.nextSet ?? null,
    },
    (fields.batches ?? []).map(referenceOf),
    fields.evidence ?? [],
  );
}

export function genesisOutcome(validatorsCount = 4): Outcome {
  return {
    timeMs: 0,
    target: createEpochTarget(validatorsOf(validatorsCount), 1),
    statement: {
      ledgerHash,
      epoch: toEpoch(1),
      height: toHeight(0),
      round: 0,
      historySize: 2,
      historyRoot: sha256(Uint8Array.of(0)),
      stateRoot: sha256(Uint8Array.of(1)),
      validatorSet: sha256(Uint8Array.of(2)),
    },
  };
}

/** What executing a block gives: here a function of the block alone. */
export function outcomeOf(block: Block, target: EpochTarget = genesisOutcome().target): Outcome {
  const { height, timeMs } = block.header;
  const { statement } = genesisOutcome();
  return { timeMs, target, statement: { ...statement, height, stateRoot: sha256(block.headerBytes) } };
}

/** Results of the genesis and of as many empty blocks above it, by height. */
export function outcomesUpTo(height: number): Outcome[] {
  let parent = genesisTip;
  const outcomes = [genesisOutcome()];
  for (let h = 1; h <= height; h++) {
    const block = blockOn(parent);
    outcomes.push(outcomeOf(block));
    parent = tipOf(block);
  }
  return outcomes;
}

export function checkpointOf(signer: number, statement: CheckpointStatement): CheckpointSignature {
  return { statement, signer: toValidatorIndex(signer), issuedSeconds: 1, signature: zeros };
}

export const verified = (message: Message): Verified<Message> => message as Verified<Message>;

// --- A chapter alone -------------------------------------------------------------------------------------------------

export type Bench = {
  readonly context: ReplicaContext & { now: { ms: number; wallMs: number } };
  readonly effects: Effect[];
  readonly proofs: FaultProof[];
  finalizedHeight: number;
  at(ms: number): void;
};

/** A context for one chapter of a replica, which keeps what is emitted. */
export function createBench(
  validatorsCount: number,
  self = 0,
  epoch: Partial<Pick<ReplicaContext, 'set' | 'previous' | 'selfId'>> = {},
): Bench {
  const effects: Effect[] = [];
  const proofs: FaultProof[] = [];
  const bench: Bench = {
    effects,
    proofs,
    finalizedHeight: 0,
    at: (ms) => {
      bench.context.now = { ms, wallMs: wallStartMs + ms };
    },
    context: {
      ledgerHash,
      set: setOf(validatorsCount),
      selfId: validatorIdOf(self),
      self: toValidatorIndex(self),
      previous: null,
      constants,
      now: { ms: 0, wallMs: wallStartMs },
      maySign: true,
      maySignCheckpoints: true,
      finalizedHeight: () => toHeight(bench.finalizedHeight),
      emit: (effect) => {
        effects.push(effect);
      },
      prove: (proof) => {
        proofs.push(proof);
      },
      isProven: (accused, type) => proofs.some((proof) => proof.accused === accused && proof.type === type),
      ...epoch,
    },
  };
  return bench;
}

// --- A whole replica -------------------------------------------------------------------------------------------------

export type Sent = { readonly to: 'all' | readonly number[]; readonly message: Message };

export type HandOptions = {
  readonly validatorsCount?: number;
  readonly self?: number;
  readonly origin?: Partial<ReplicaOrigin>;
  readonly records?: readonly JournalRecord[];
  /** Blocks are executed only when `execute` is called. */
  readonly holdExecution?: boolean;
  readonly startMs?: number;
  /** What the ledger wants after each height; without it what the epoch has. */
  readonly targetAfter?: (height: number) => EpochTarget;
};

export class Hand {
  readonly replica: Replica;
  readonly set: EpochSet;
  readonly self: number;
  readonly sent: Sent[] = [];
  readonly votes: Vote[] = [];
  readonly facts: Fact[] = [];
  readonly journal: JournalRecord[] = [];
  readonly served: Message[] = [];
  readonly delivered: Block[] = [];
  readonly misbehaviour: ProvenFault[] = [];
  readonly certifiedHeights: number[] = [];
  isFenced = false;
  nowMs: number;
  readonly #holdExecution: boolean;
  readonly #targetAfter: (height: number) => EpochTarget;
  #waiting: Block[] = [];

  constructor(options: HandOptions = {}) {
    this.set = setOf(options.validatorsCount ?? 4);
    this.self = options.self ?? 0;
    this.nowMs = options.startMs ?? 0;
    this.#holdExecution = options.holdExecution ?? false;
    const target = createEpochTarget(this.set.validators, this.set.rules);
    this.#targetAfter = options.targetAfter ?? (() => target);
    const origin: ReplicaOrigin = {
      ledgerHash,
      set: this.set,
      selfId: validatorIdOf(this.self),
      previous: null,
      constants,
      executed: genesisTip,
      floors: this.set.validators.map(() => ({ seq: 0, digest: null })),
      finalization: null,
      outcomes: [genesisOutcome(this.set.validators.length)],
      certifiedHeight: toHeight(0),
      accused: [],
      suspended: [],
      ...options.origin,
    };
    this.replica = new Replica(origin, noVerifier, this.#now());
    for (const record of options.records ?? []) this.replica.restore(record);
    this.#perform(this.replica.start(this.#now()));
  }

  #now() {
    return { ms: this.nowMs, wallMs: wallStartMs + this.nowMs };
  }

  input(input: Input): void {
    this.#perform(this.replica.step(this.#now(), input));
  }

  /** The fence that it was told to keep is lifted. */
  resume(): void {
    this.#perform(this.replica.resumeSigning(this.#now()));
  }

  /** Time passes: ticks come when the replica asks for them. */
  passTo(ms: number): void {
    for (let ticks = 0; this.nowMs < ms; ticks++) {
      if (ticks > 10_000) throw new Error('the replica asks for ticks without end');
      this.nowMs = Math.min(ms, Math.max(this.replica.deadline(), this.nowMs + 0.5));
      this.input({ type: 'tick' });
    }
  }

  pass(durationMs: number): void {
    this.passTo(this.nowMs + durationMs);
  }

  hear(from: number, message: Message): void {
    this.input({ type: 'message', from: toValidatorIndex(from), message: verified(message) });
  }

  hearVote(vote: SignedVote, entry: Certificate | null = null): void {
    this.hear(vote.signer, { type: 'vote', vote, entry });
  }

  hearCertificate(certificate: Certificate, from = 1): void {
    this.hear(from, { type: 'certificate', certificate });
  }

  /** The leader of the proposal's view proposes. */
  hearProposal(proposal: Proposal, block: Block): void {
    const leader = (1 + proposal.view) % this.set.validators.length;
    this.hear(leader, { type: 'proposal', vote: notarize(leader, proposal), block });
  }

  hearBatch(batch: Batch, from = 1): void {
    this.hear(from, { type: 'batch', batch });
  }

  connectAll(): void {
    for (let peer = 0; peer < this.set.validators.length; peer++)
      if (peer !== this.self) this.input({ type: 'connected', peer: toValidatorIndex(peer) });
  }

  /** The others sign the outcome of a block. */
  certify(block: Block, signers: readonly number[] = [1, 2]): void {
    const signatures = signers.map((signer) => checkpointOf(signer, outcomeOf(block).statement));
    this.hear(1, { type: 'checkpoint-signatures', signatures });
  }

  execute(): void {
    const block = this.#waiting.shift();
    if (block !== undefined) this.input({ type: 'executed', outcome: this.#outcomeOf(block) });
  }

  #outcomeOf(block: Block): Outcome {
    return outcomeOf(block, this.#targetAfter(block.header.height));
  }

  /** A block in one view, agreed on by everybody: proposed, notarized and finalized with the votes of 1 and 2. */
  agreeOn(view: number, parentView: number, block: Block): Proposal {
    const proposal = proposalOf(view, parentView, block);
    this.hearProposal(proposal, block);
    this.hearCertificate(notarization(proposal, [1, 2, 3]));
    this.hearCertificate(finalization(proposal, [1, 2, 3]));
    return proposal;
  }

  sentOf<T extends Message['type']>(type: T): (Extract<Message, { type: T }> & { readonly peers: Sent['to'] })[] {
    return this.sent
      .filter(({ message }) => message.type === type)
      .map(({ to, message }) => ({ peers: to, ...(message as Extract<Message, { type: T }>) }));
  }

  votesOf(type: Vote['type'], view: number): Vote[] {
    return this.votes.filter(
      (vote) => vote.type === type && (vote.type === 'nullify' ? vote.view : vote.proposal.view) === view,
    );
  }

  forgetSent(): void {
    this.sent.length = 0;
  }

  get view(): number {
    return this.replica.status().view;
  }

  #perform(effects: readonly Effect[]): void {
    const inputs: Input[] = [];
    for (const effect of effects) {
      switch (effect.type) {
        case 'persist':
          this.journal.push(effect.record);
          break;
        case 'vote': {
          if (!effect.isResend) this.journal.push({ type: 'own-vote', vote: effect.vote });
          this.votes.push(effect.vote);
          const vote = signed(this.self, effect.vote);
          const message: Message =
            effect.block === null
              ? { type: 'vote', vote, entry: effect.entry }
              : { type: 'proposal', vote, block: effect.block };
          this.sent.push({ to: 'all', message });
          inputs.push({ type: 'own-vote', signed: vote });
          break;
        }
        case 'seal': {
          const batch = signBatch(effect.batch, zeros);
          this.journal.push({ type: 'batch', batch });
          this.sent.push({ to: 'all', message: { type: 'batch', batch } });
          inputs.push({ type: 'own-batch', batch });
          break;
        }
        case 'sign-checkpoint': {
          const signature = checkpointOf(this.self, effect.outcome.statement);
          this.journal.push({ type: 'own-checkpoint', statement: effect.outcome.statement });
          this.sent.push({ to: 'all', message: { type: 'checkpoint-signatures', signatures: [signature] } });
          inputs.push({ type: 'own-checkpoint', signature });
          break;
        }
        case 'send':
          this.sent.push({ to: effect.to, message: effect.message });
          break;
        case 'serve':
          this.served.push(effect.request);
          break;
        case 'deliver':
          this.delivered.push(effect.block);
          this.misbehaviour.push(...effect.misbehaviour);
          if (this.#holdExecution) this.#waiting.push(effect.block);
          else inputs.push({ type: 'executed', outcome: this.#outcomeOf(effect.block) });
          break;
        case 'certified-checkpoint':
          this.certifiedHeights.push(effect.statement.height);
          break;
        case 'fence':
          this.isFenced = true;
          break;
        case 'report':
          this.facts.push(effect.fact);
          break;
      }
    }
    for (const input of inputs) this.input(input);
  }
}
