/** What the fuzzer says and does at each step, with the keys of the Byzantine validators and what was said to them. */
import * as core from '../../packages/core/src/index.ts';
import { createRandom } from '../../packages/sim/src/random.ts';
import { type Step, says } from './door-step.ts';
import type { DoorNode, DoorWorld } from './door-world.ts';
import { createCorpus, drawInput } from './mutator.ts';

const { toEpoch, toHeight, toValidatorIndex, toView } = core;
const max = Number.MAX_SAFE_INTEGER;

/** What the fuzzer has made or heard and may use again. */
export class Fuzzer {
  readonly #world: DoorWorld;
  readonly #blocks: core.Block[] = [];
  readonly #batches: core.Batch[] = [];
  readonly #certificates: core.Certificate[] = [];
  readonly #votes: core.SignedVote[] = [];
  readonly #ownBatches = new Map<number, core.Batch>();
  #read = 0;
  #frames = 0;

  constructor(world: DoorWorld) {
    this.#world = world;
  }

  take(step: Step): void {
    const world = this.#world;
    const { byzantine, honest } = world;
    const from = byzantine[step.from % byzantine.length]!;
    // Mostly the first honest node: what is to be filled is filled by many.
    const node = honest[step.to % 2 === 0 ? 0 : (step.to >> 1) % honest.length]!;
    switch (step.does) {
      case 'pass':
        return world.pass(1 + (step.c % 4 === 3 ? step.c % 3_000 : step.c % 60));
      case 'submit':
        world.submit(node, step.b > 250 ? 60_000 : 20);
        return;
      case 'cut':
      case 'join': {
        const peer = step.a % world.nodes.length;
        return world.setLink(peer, step.b % 2 === 0 ? node.index : from, step.does === 'join');
      }
      case 'restart':
        return node.start();
      default: {
        this.#listen();
        for (let i = 0; i < step.times; i++) {
          const frame = this.#frameOf({ ...step, a: step.a + 2 * i, c: step.c + i }, from, node);
          if (frame !== null) world.say(from, node.index, frame);
        }
      }
    }
  }

  /** Takes in what was heard since: blocks, batches, votes and certificates to build on. */
  #listen(): void {
    const { heard } = this.#world;
    const fresh = heard.slice(-Math.min(heard.length, 40));
    for (const { frame } of fresh.slice(this.#read % 2)) {
      const decoded = core.decodeMessage(frame);
      if (!decoded.ok) throw new Error('an honest node sends what can be decoded');
      const message = decoded.value;
      if (message.type === 'proposal' || message.type === 'block') keep(this.#blocks, message.block);
      if (message.type === 'proposal' || message.type === 'vote') keep(this.#votes, message.vote);
      if (message.type === 'batch') keep(this.#batches, message.batch);
      if (message.type === 'certificate') keep(this.#certificates, message.certificate);
      if (message.type === 'chain') {
        keep(this.#certificates, message.finalization);
        for (const block of message.blocks) keep(this.#blocks, block);
      }
    }
    this.#read++;
  }

  #frameOf(step: Step, from: number, node: DoorNode): Uint8Array | null {
    if (step.does === 'replay') return pick(this.#world.heard, step.c)?.frame ?? null;
    if (step.does === 'mutant') return this.#mutant(step, from, node);
    const message = this.#messageOf(step, from, node);
    return message === null ? null : core.encodeMessage(message);
  }

  /** A frame heard, or one of the fuzzer's own, with its bytes changed. */
  #mutant(step: Step, from: number, node: DoorNode): Uint8Array | null {
    const own = this.#frameOf({ ...step, does: says[step.a % (says.length - 2)]! }, from, node);
    const source = step.b % 2 === 0 ? own : (pick(this.#world.heard, step.c)?.frame ?? own);
    if (source === null) return null;
    this.#frames++;
    return drawInput(createRandom(step.c * 65_537 + this.#frames), createCorpus([source]), 1 << 20);
  }

  #messageOf(step: Step, from: number, node: DoorNode): core.Message | null {
    const { a, b, c } = step;
    const { replica } = node.driver;
    switch (step.does) {
      case 'notarize':
      case 'finalize':
      case 'nullify':
        return {
          type: 'vote',
          vote: this.#sign(from, this.#voteOf(step, step.does, node)),
          entry: b % 5 === 4 ? this.#certificate(step, from) : null,
        };
      case 'proposal': {
        const block = this.#block(step, node);
        const vote = this.#voteOf(step, 'notarize', node);
        if (vote.type === 'nullify') return null;
        const proposal = b % 7 === 6 ? vote.proposal : { ...vote.proposal, digest: block.digest };
        return { type: 'proposal', vote: this.#sign(from, { type: 'notarize', proposal }), block };
      }
      case 'proposal-in-turn':
        return this.#proposalInTurn(step, from, node);
      case 'certificate':
      case 'certificate-heard': {
        const certificate = step.does === 'certificate' ? this.#certificate(step, from) : pick(this.#certificates, c);
        return certificate === null ? null : { type: 'certificate', certificate };
      }
      case 'batch':
        return { type: 'batch', batch: this.#batch(step, from, node) };
      case 'batch-in-turn': {
        const batch = this.#batchInTurn(from, a);
        this.#ownBatches.set(from, batch);
        keep(this.#batches, batch);
        return { type: 'batch', batch };
      }
      case 'batch-twin':
        return { type: 'batch', batch: this.#batchInTurn(from, 1 + a) };
      case 'acknowledgement': {
        const rows = Array.from({ length: 1 + (c % 9) }, (_, i) => ({
          author: toValidatorIndex(b % 11 === 10 ? 255 : (b + i) % this.#world.nodes.length),
          seq: pick(this.#batches, c + i)?.header.seq ?? edge(a, 1),
          digest: pick(this.#batches, c + i)?.digest ?? core.sha256(Uint8Array.of(a)),
        }));
        return {
          type: 'acknowledgement',
          epoch: epochOf(a),
          rows: a % 4 === 3 ? rows.map((row) => ({ ...row, seq: edge(c, row.seq) })) : rows,
        };
      }
      case 'checkpoint':
      case 'checkpoints': {
        const count = step.does === 'checkpoint' ? 1 : 1 + (c % 64);
        return {
          type: 'checkpoint-signatures',
          signatures: Array.from({ length: count }, (_, i) => this.#checkpoint({ ...step, c: c + i }, from, node)),
        };
      }
      case 'status':
        return {
          type: 'status',
          epoch: epochOf(a),
          view: toView(edge(b, replica.agreement.view)),
          lastFinalized: toView(edge(c, replica.agreement.lastFinalized)),
          height: toHeight(edge(b, 1)),
          asks: b % 2 === 1,
          finalization: null,
          recall: { votes: [], batch: null },
        };
      case 'request-certificates': {
        const first = b % 3 === 0 ? 0 : Math.min(edge(b, replica.agreement.lastFinalized), max - 64);
        return {
          type: 'request-certificates',
          epoch: epochOf(a),
          from: toView(first),
          to: toView(c % 5 === 4 ? 0 : first + 63),
        };
      }
      case 'request-block':
        return { type: 'request-block', digest: pick(this.#blocks, c)?.digest ?? core.sha256(Uint8Array.of(c)) };
      case 'request-batch':
        return { type: 'request-batch', digest: pick(this.#batches, c)?.digest ?? core.sha256(Uint8Array.of(c)) };
      case 'request-checkpoint':
        return { type: 'request-checkpoint', height: toHeight(edge(b, node.certifiedHeight)) };
      case 'request-boundary':
        return { type: 'request-boundary', epoch: epochOf(a) };
      case 'request-chain':
        return { type: 'request-chain', from: toHeight(edge(b, 1)) };
      case 'block':
        return {
          type: 'block',
          block: a % 2 === 0 ? (pick(this.#blocks, c) ?? this.#block(step, node)) : this.#block(step, node),
        };
      case 'chain': {
        const finalization =
          pick(
            this.#certificates.filter(({ vote }) => vote.type === 'finalize'),
            a,
          ) ?? this.#certificate(step, from);
        if (finalization === null || finalization.vote.type !== 'finalize') return null;
        const { digest } = finalization.vote.proposal;
        const blocks = this.#blocks.filter((_, i) => i % (1 + (b % 3)) === 0).slice(-20);
        const last = this.#blocks.find((block) => core.equalBytes(block.digest, digest));
        return { type: 'chain', blocks: last === undefined ? blocks : [...blocks, last], finalization };
      }
      case 'evidence':
        return { type: 'evidence', proof: this.#evidence(step, from, node) };
      default:
        return null;
    }
  }

  // --- Parts --------------------------------------------------------------------------------------------------------

  #sign(from: number, vote: core.Vote): core.SignedVote {
    const signature = this.#world.chain.signers[from]!.voting.sign(
      core.voteSignedBytes(vote, this.#world.chain.ledgerHash),
    );
    const signed = { vote, signer: toValidatorIndex(from), signature };
    keep(this.#votes, signed);
    return signed;
  }

  #voteOf({ a, b, c }: Step, type: core.Vote['type'], node: DoorNode): core.Vote {
    const { agreement } = node.driver.replica;
    // Half of them echo a vote that was heard, of the same or of another kind.
    const echoed = a % 2 === 1 ? pick(this.#votes, c)?.vote : undefined;
    const view = Math.max(1, echoed === undefined ? edge(b, agreement.view) : core.viewOfVote(echoed));
    if (type === 'nullify') return { type, epoch: epochOf(a >> 1), view: toView(view) };
    if (echoed !== undefined && echoed.type !== 'nullify') return { type, proposal: echoed.proposal };
    const parentView = toView(Math.min(view - 1, edge(a >> 1, agreement.lastFinalized)));
    const digest = pick(this.#blocks, c)?.digest ?? core.sha256(Uint8Array.of(c));
    return { type, proposal: { epoch: epochOf(a >> 2), view: toView(view), parentView, digest } };
  }

  /** A block on the top of the chain, or on anything else; its fields are at their edges as often as right. */
  #block({ a, b, c }: Step, node: DoorNode): core.Block {
    const parent = c % 3 === 0 ? undefined : pick(this.#blocks, b);
    const last = node.disk.executed.at(-1)?.block;
    const under = parent ?? last;
    const height = Math.min(max, (under?.header.height ?? 0) + 1);
    const listed = this.#batches
      .slice(-(a % 5))
      .map(({ header, digest }) => ({ author: header.author, seq: header.seq, digest }));
    const unknown = {
      author: toValidatorIndex(a % 7 === 6 ? 65_535 : a % this.#world.nodes.length),
      seq: edge(c, 1),
      digest: core.sha256(Uint8Array.of(c)),
    };
    const references =
      a % 11 === 10 ? new Array(64).fill(unknown) : b % 4 === 3 ? [...listed, unknown, ...listed] : listed;
    const block = core.createBlock(
      {
        epoch: epochOf(c >> 2),
        height: toHeight(b % 5 === 4 ? edge(c, height) : height),
        rules: b % 9 === 8 ? 2 : 1,
        parent: under?.digest ?? this.#world.chain.ledgerHash,
        timeMs:
          b % 6 === 5
            ? edge(c, under?.header.timeMs ?? 0)
            : Math.max(
                Math.min(max - 1, under?.header.timeMs ?? 0) + 1,
                Math.floor(1_700_000_000_000 + this.#world.events.nowMs),
              ),
        checkpoint: this.#checkpointDigestOf(node, height, b),
        nextSet: b % 13 === 12 ? core.sha256(Uint8Array.of(c)) : null,
      },
      references.slice(0, 64),
      b % 10 === 9 ? [new Uint8Array(1 + (c % 1024)), new Uint8Array(0)] : [],
    );
    keep(this.#blocks, block);
    return block;
  }

  #checkpointDigestOf(node: DoorNode, height: number, b: number): core.Hash {
    const at = height - 4;
    const outcome = at <= 0 ? this.#world.chain.genesis : node.disk.executed[at - 1]?.outcome;
    return b % 8 === 7 || outcome === undefined
      ? core.sha256(Uint8Array.of(b))
      : core.checkpointDigest(outcome.statement);
  }

  /** A proposal that an honest leader might have made, for a view that this validator leads: the next of them. */
  #proposalInTurn(step: Step, from: number, node: DoorNode): core.Message {
    const { set } = this.#world.chain;
    const { agreement } = node.driver.replica;
    let view = Number(agreement.view);
    while (core.leaderOf(set, toView(view)) !== from) view++;
    const block = this.#block({ ...step, b: 0, c: 3 * (step.c % 3), a: step.a % 4 }, node);
    const parentView = toView(Math.max(agreement.lastFinalized, Math.min(view - 1, step.c % 5 === 4 ? 0 : view - 1)));
    const proposal = { epoch: set.epoch, view: toView(view), parentView, digest: block.digest };
    return { type: 'proposal', vote: this.#sign(from, { type: 'notarize', proposal }), block };
  }

  /** Votes heard on one statement, with those of all Byzantine validators: a quorum where enough honest ones voted. */
  #certificate({ a, c }: Step, from: number): core.Certificate | null {
    const base = pick(this.#votes, c);
    if (base === null) return null;
    const name = core.toHex(core.voteSignedBytes(base.vote, this.#world.chain.ledgerHash));
    const rows = new Map<number, core.SignedVote>();
    for (const vote of this.#votes) {
      if (
        vote.vote.type === base.vote.type &&
        core.toHex(core.voteSignedBytes(vote.vote, this.#world.chain.ledgerHash)) === name
      )
        rows.set(vote.signer, vote);
    }
    for (const signer of this.#world.byzantine) rows.set(signer, this.#sign(signer, base.vote));
    // Forged signatures of the others, where that is the choice.
    if (a % 6 === 5)
      for (let i = 0; i < this.#world.nodes.length; i++)
        if (!rows.has(i)) rows.set(i, { ...base, signer: toValidatorIndex(i) });
    if (a % 9 === 8) rows.set(200, { ...base, signer: toValidatorIndex(200) });
    const certificate = core.createCertificate([...rows.values()]);
    if (rows.size >= this.#world.chain.set.quorum) keep(this.#certificates, certificate);
    return a % 13 === 12
      ? {
          ...certificate,
          signers: certificate.signers.filter((signer) => signer !== from),
          signatures: certificate.signatures.slice(1),
        }
      : certificate;
  }

  #signBatch(
    from: number,
    fields: Omit<core.BatchHeader, 'transactionsCount' | 'transactionsDigest'>,
    sizeBytes: number,
  ): core.Batch {
    const unsigned = core.createBatch(fields, [new Uint8Array(sizeBytes).fill(from)]);
    const { voting } = this.#world.chain.signers[from]!;
    return core.signBatch(
      unsigned,
      voting.sign(core.signedBytes('batch', this.#world.chain.ledgerHash, unsigned.headerBytes)),
    );
  }

  #batchInTurn(from: number, salt: number): core.Batch {
    const before = this.#ownBatches.get(from);
    return this.#signBatch(
      from,
      {
        epoch: this.#world.chain.set.epoch,
        author: toValidatorIndex(from),
        seq: (before?.header.seq ?? 0) + 1,
        base: 1,
        previous: before?.digest ?? new Uint8Array(0),
        expiryHeight: toHeight(10_000),
      },
      1 + salt,
    );
  }

  #batch({ a, b, c }: Step, from: number, node: DoorNode): core.Batch {
    const chain = node.driver.replica.batches.chains[from]!;
    const seq = Math.max(1, edge(c, chain.reach + 1 + (a % 3 === 0 ? c % 70 : 0)));
    const batch = this.#signBatch(
      from,
      {
        epoch: epochOf(b),
        author: toValidatorIndex(b % 12 === 11 ? (from + 1) % this.#world.nodes.length : from),
        seq,
        base: a % 4 === 3 ? seq : a % 4 === 2 ? Math.max(1, seq - (c % 5)) : 1,
        previous: seq === 1 ? new Uint8Array(0) : (pick(this.#batches, b)?.digest ?? core.sha256(Uint8Array.of(b))),
        expiryHeight: toHeight(edge(b, 100)),
      },
      b % 16 === 15 ? 60_000 : 1 + b,
    );
    keep(this.#batches, batch);
    return batch;
  }

  #checkpoint({ a, b, c }: Step, from: number, node: DoorNode): core.CheckpointSignature {
    const { executed } = node.disk;
    const true_ = (a % 2 === 0 ? executed.at(-1 - (c % 4)) : undefined)?.outcome ?? this.#world.chain.genesis;
    const height = a % 2 === 0 ? true_.statement.height : toHeight(edge(c, executed.length + (c % 50)));
    const statement = {
      ...true_.statement,
      height,
      ...(b % 3 === 2 && { historyRoot: core.sha256(Uint8Array.of(c)) }),
      ...(b % 5 === 4 && { round: edge(c, 1) }),
      ...(b % 7 === 6 && { epoch: epochOf(c) }),
      ...(b % 11 === 10 && { historySize: max }),
    };
    const { set, signers } = this.#world.chain;
    const signed = core.signCheckpoint(
      statement,
      toValidatorIndex(from),
      set.validators[from]!,
      1_700_000_000,
      signers[from]!.checkpoint,
    );
    return b % 13 === 12
      ? { ...signed, signer: toValidatorIndex(b % 2 === 0 ? 65_535 : (from + 1) % set.validators.length) }
      : signed;
  }

  /** Two things that this validator signed, in contradiction or not, and attempts to blame an honest one. */
  #evidence(step: Step, from: number, node: DoorNode): core.FaultProof {
    const { a, b, c } = step;
    const accused = toValidatorIndex(a % 3 === 2 ? node.index : from);
    if (b % 3 === 0) {
      const first =
        a % 3 === 2
          ? pick(
              this.#votes.filter(({ signer }) => signer === node.index),
              c,
            )
          : null;
      const second =
        a % 3 === 2
          ? pick(
              this.#votes.filter(({ signer }) => signer === node.index),
              c + 1,
            )
          : null;
      return {
        type: 'votes',
        accused,
        first: first ?? this.#sign(from, this.#voteOf(step, 'notarize', node)),
        second:
          second ?? this.#sign(from, this.#voteOf({ ...step, c: c + 1 }, c % 2 === 0 ? 'notarize' : 'nullify', node)),
      };
    }
    if (b % 3 === 1) {
      const known = this.#batches.filter(({ header }) => header.author === accused);
      return {
        type: 'batches',
        accused,
        first: pick(known, c) ?? this.#batch(step, from, node),
        second: pick(known, c + 1) ?? this.#batch({ ...step, a: a + 1 }, from, node),
      };
    }
    return {
      type: 'checkpoints',
      accused,
      first: this.#checkpoint(step, from, node),
      second: this.#checkpoint({ ...step, c: c + 1 }, from, node),
    };
  }
}

/** A number near one that matters, or at an end. */
function edge(choice: number, near: number): number {
  const choices = [
    near,
    near + 1,
    near - 1,
    near + 2,
    near - 2,
    near + 7,
    near + 8,
    near + 9,
    0,
    1,
    near + 64,
    near + 255,
    2 ** 31,
    2 ** 32,
    max - 1,
    max,
  ];
  return Math.min(max, Math.max(0, choices[choice % choices.length]!));
}

/** Mostly the epoch of now. */
function epochOf(choice: number): core.Epoch {
  return toEpoch([1, 1, 1, 1, 1, 1, 1, 0, 2, max][choice % 10]!);
}

const keptMax = 300;
function keep<T>(list: T[], item: T): void {
  if (list.includes(item)) return;
  list.push(item);
  if (list.length > keptMax) list.shift();
}

/** One of a list, the newest for 0. */
function pick<T>(list: readonly T[], choice: number): T | null {
  return list.length === 0 ? null : list[list.length - 1 - (choice % list.length)]!;
}
