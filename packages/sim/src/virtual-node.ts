/**
 * One node of a simulated world: the production replica and driver over a virtual journal, network and ledger. What is
 * not synced is lost in a crash; what is synced, and every executed block, survives.
 *
 * The ledger here is a hash over all transactions in order: it shows any difference in what was executed, and nothing else.
 */
import {
  type Batch,
  type Block,
  type Certificate,
  type Channel,
  type CheckpointSignature,
  type CheckpointStatement,
  chainBlocksMax,
  channelOf,
  createEpochSet,
  decodeMessage,
  type EpochSet,
  encodeMessage,
  equalBytes,
  type Hash,
  type JournalRecord,
  type Message,
  type Outcome,
  type ProtocolConstants,
  type ReplicaOrigin,
  type Signer,
  sha256,
  toEpoch,
  toHash,
  toHeight,
  toHex,
  toValidatorIndex,
  type Validator,
  validatorSetDigest,
} from '@cairn-ledger/core';
import { Driver, type SigningMark } from '@cairn-ledger/node/driver';
import type { Adversary } from './adversaries/adversary.ts';
import { SigningChecker, type Violations } from './checkers.ts';
import type { EventQueue } from './event-queue.ts';
import { createFakeSigner, fakeVerifier } from './fake-crypto.ts';
import type { Random } from './random.ts';
import type { NetworkEnd, VirtualNetwork } from './virtual-network.ts';

export type VirtualChain = {
  readonly ledgerHash: Hash;
  readonly set: EpochSet;
  readonly signers: readonly { readonly voting: Signer; readonly checkpoint: Signer }[];
  readonly genesis: Outcome;
  readonly constants: ProtocolConstants;
};

/** A network of validators that know each other: keys, set and genesis. */
export function createVirtualChain(validatorsCount: number, constants: ProtocolConstants): VirtualChain {
  const names = Array.from({ length: validatorsCount }, (_, i) => `v${String(i).padStart(3, '0')}`);
  const signers = names.map((name) => ({
    voting: createFakeSigner(`${name}/voting`),
    checkpoint: createFakeSigner(`${name}/checkpoint`),
  }));
  const validators: Validator[] = names.map((id, i) => ({
    id,
    member: id,
    linkKey: createFakeSigner(`${id}/link`).publicKey,
    votingKey: signers[i]!.voting.publicKey,
    checkpointKey: signers[i]!.checkpoint.publicKey,
    addresses: [],
  }));
  const ledgerHash = sha256(new TextEncoder().encode(`world of ${validatorsCount}`));
  const digest = validatorSetDigest(validators);
  const statement: CheckpointStatement = {
    ledgerHash,
    epoch: toEpoch(1),
    height: toHeight(0),
    round: 0,
    historySize: 2,
    historyRoot: sha256(new Uint8Array(0)),
    stateRoot: sha256(new Uint8Array(1)),
    validatorSet: digest,
  };
  const genesis = { digest: ledgerHash, height: toHeight(0), timeMs: 0 };
  return {
    ledgerHash,
    set: createEpochSet(toEpoch(1), validators, digest, genesis),
    signers,
    genesis: { statement, timeMs: 0 },
    constants,
  };
}

type Executed = {
  readonly block: Block;
  readonly batches: readonly Batch[];
  readonly finalization: Certificate | null;
  readonly outcome: Outcome;
};

/** What survives a crash. */
type Disk = {
  journal: JournalRecord[];
  executed: Executed[];
  certified: Map<number, readonly CheckpointSignature[]>;
  certifiedHeight: number;
  mark: SigningMark;
};

/** How slow a node is, at most, and how far its clock on the wall is off. */
export type NodeDelays = { readonly syncMs: number; readonly executeMs: number; readonly clockOffsetMs: number };

/** Who watches a node from outside. */
export type NodeMonitor = {
  onExecuted(node: number, block: Block, batches: readonly Batch[], outcome: Outcome): void;
  /** A batch of its own is durable: its transactions must be executed some day. */
  onSealed(node: number, batch: Batch): void;
  onFenced(node: number, reason: string): void;
  onRefused(node: number, peer: number, text: string): void;
  onFailed(node: number, text: string): void;
};

export class VirtualNode implements NetworkEnd {
  readonly index: number;
  readonly #chain: VirtualChain;
  readonly #events: EventQueue;
  readonly #network: VirtualNetwork;
  readonly #random: Random;
  delays: NodeDelays;
  readonly #monitor: NodeMonitor;
  readonly #signing: SigningChecker;
  readonly disk: Disk = {
    journal: [],
    executed: [],
    certified: new Map(),
    certifiedHeight: 0,
    mark: { epoch: 0, view: 0, seq: 0, checkpointHeight: 0 },
  };
  driver: Driver | null = null;
  /** Set for a Byzantine node: what it says is rewritten. */
  adversary: Adversary | null = null;
  #unsynced: JournalRecord[] = [];
  #life = 0;
  #idleAtMs = 0;

  constructor(
    index: number,
    chain: VirtualChain,
    events: EventQueue,
    network: VirtualNetwork,
    random: Random,
    delays: NodeDelays,
    monitor: NodeMonitor,
    violations: Violations,
  ) {
    this.index = index;
    this.#chain = chain;
    this.#events = events;
    this.#network = network;
    this.#random = random;
    this.delays = delays;
    this.#monitor = monitor;
    this.#signing = new SigningChecker(index, violations);
  }

  start(): void {
    this.#life++;
    const life = this.#life;
    const isAlive = () => this.#life === life && this.driver !== null;
    let timer = 0;
    const now = () => ({
      ms: this.#events.nowMs,
      wallMs: Math.floor(1_700_000_000_000 + this.delays.clockOffsetMs + this.#events.nowMs),
    });
    const keys = this.#chain.signers[this.index]!;
    this.driver = new Driver(
      this.#origin(),
      {
        now,
        defer: (callback) => this.#events.after(0, () => isAlive() && callback()),
        setTimer: (atMs, callback) => {
          const mine = ++timer;
          this.#events.at(atMs, () => isAlive() && mine === timer && callback());
        },
        journal: {
          append: (record) => this.#unsynced.push(record),
          sync: (done) => {
            const count = this.#unsynced.length;
            this.#events.after(this.#random.next() * this.delays.syncMs, () => {
              if (!isAlive()) return;
              this.disk.journal.push(...this.#unsynced.splice(0, count));
              done(null);
            });
          },
        },
        writeMark: (mark) => {
          this.disk.mark = mark;
        },
        send: (peer, channel, frame) => this.#send(peer, channel, frame),
        votingSigner: {
          ...keys.voting,
          sign: (message) => {
            this.#signing.onSignedVoteOrBatch(message);
            return keys.voting.sign(message);
          },
        },
        checkpointSigner: keys.checkpoint,
        verifier: fakeVerifier,
        ledger: {
          execute: (block, batches, finalization) => {
            // One after the other: a ledger executes in order.
            this.#idleAtMs = Math.max(this.#idleAtMs, this.#events.nowMs) + this.#random.next() * this.delays.executeMs;
            this.#events.at(this.#idleAtMs, () => isAlive() && this.#execute(block, batches, finalization));
          },
          keepCertified: (statement, signatures) => {
            this.disk.certified.set(statement.height, signatures);
            this.disk.certifiedHeight = Math.max(this.disk.certifiedHeight, statement.height);
          },
          serve: (request, answer) => answer(this.#serve(request)),
        },
        onBatch: (batch, isOwn) => {
          if (isOwn) this.#monitor.onSealed(this.index, batch);
        },
        onFact: () => undefined,
        onRefused: (peer, error) => this.#monitor.onRefused(this.index, peer, `${error.code} ${error.message}`),
        onFenced: (reason) => this.#monitor.onFenced(this.index, reason),
        onFailed: (error) => this.#monitor.onFailed(this.index, error.message),
      },
      this.disk.mark,
    );
    this.driver.start(this.disk.journal);
    if (this.#random.chance(0.5)) this.#compactJournal();
    this.#network.attach(this.index, this);
  }

  #send(peer: number, channel: Channel, frame: Uint8Array): void {
    if (this.adversary === null) return this.#network.send(this.index, peer, channel, frame);
    const decoded = decodeMessage(frame);
    if (!decoded.ok) throw new Error('a node sends what can be decoded');
    for (const message of this.adversary.rewrite(decoded.value, peer))
      this.#network.send(this.index, peer, channelOf(message), encodeMessage(message));
  }

  /** Loses everything that is not durable. */
  crash(): void {
    this.#life++;
    this.driver?.stop();
    this.driver = null;
    this.#unsynced = [];
    this.#network.detach(this.index);
  }

  submit(transactions: readonly Uint8Array[]): void {
    this.driver?.input({ type: 'transactions', transactions });
  }

  onFrame(from: number, frame: Uint8Array): void {
    if (this.adversary?.hear !== undefined) {
      const decoded = decodeMessage(frame);
      if (decoded.ok) this.adversary.hear(decoded.value);
    }
    this.driver?.onFrame(toValidatorIndex(from), frame);
  }

  onConnected(peer: number): void {
    this.driver?.input({ type: 'connected', peer: toValidatorIndex(peer) });
  }

  onDisconnected(peer: number): void {
    this.driver?.input({ type: 'disconnected', peer: toValidatorIndex(peer) });
  }

  #origin(): ReplicaOrigin {
    const { ledgerHash, set, constants, genesis } = this.#chain;
    const last = this.disk.executed.at(-1);
    const floors = set.validators.map(() => ({ seq: 0, digest: null as Hash | null }));
    let finalization: Certificate | null = null;
    for (const executed of this.disk.executed) {
      for (const { author, seq, digest } of executed.block.batches) {
        if (seq > floors[author]!.seq) floors[author] = { seq, digest };
      }
      if (executed.finalization !== null) finalization = executed.finalization;
    }
    return {
      ledgerHash,
      set,
      self: toValidatorIndex(this.index),
      rules: 1,
      constants,
      executed:
        last === undefined
          ? { ...set.genesis, isBoundary: false }
          : {
              digest: last.block.digest,
              height: last.block.header.height,
              timeMs: last.block.header.timeMs,
              isBoundary: false,
            },
      floors,
      finalization,
      outcomes: [genesis, ...this.disk.executed.slice(-40).map((executed) => executed.outcome)],
      certifiedHeight: toHeight(this.disk.certifiedHeight),
    };
  }

  #execute(block: Block, batches: readonly Batch[], finalization: Certificate | null): void {
    const before = this.disk.executed.at(-1)?.outcome ?? this.#chain.genesis;
    let { historyRoot, historySize } = before.statement;
    for (const batch of batches) {
      for (const transaction of batch.transactions) {
        const both = new Uint8Array(32 + transaction.length);
        both.set(historyRoot);
        both.set(transaction, 32);
        historyRoot = sha256(both);
        historySize++;
      }
    }
    const statement: CheckpointStatement = {
      ...before.statement,
      height: block.header.height,
      historyRoot,
      historySize,
      stateRoot: toHash(sha256(block.headerBytes)),
    };
    const outcome = { statement, timeMs: block.header.timeMs };
    this.disk.executed.push({ block, batches, finalization, outcome });
    this.#signing.onSignedCheckpoint(statement.height, toHex(historyRoot) + toHex(statement.stateRoot));
    this.#monitor.onExecuted(this.index, block, batches, outcome);
    this.driver?.input({ type: 'executed', outcome });
  }

  #serve(request: Message): Message | null {
    if (request.type === 'request-chain') return this.#chainFrom(request.from);
    if (request.type === 'request-block') {
      const found = this.disk.executed.find(({ block }) => equalBytes(block.digest, request.digest));
      return found === undefined ? null : { type: 'block', block: found.block };
    }
    if (request.type === 'request-batch') {
      for (const { batches } of this.disk.executed) {
        const batch = batches.find(({ digest }) => toHex(digest) === toHex(request.digest));
        if (batch !== undefined) return { type: 'batch', batch };
      }
      return null;
    }
    if (request.type === 'request-checkpoint') {
      const signatures = this.disk.certified.get(request.height);
      return signatures === undefined ? null : { type: 'checkpoint-signatures', signatures };
    }
    return null;
  }

  #chainFrom(from: number): Message | null {
    const page = this.disk.executed.slice(from - 1, from - 1 + chainBlocksMax);
    while (page.length > 0 && page.at(-1)!.finalization === null) page.pop();
    const last = page.at(-1);
    return last === undefined
      ? null
      : { type: 'chain', blocks: page.map(({ block }) => block), finalization: last.finalization! };
  }

  /** As a node does now and then: the journal begins anew with what still matters. */
  #compactJournal(): void {
    if (this.driver !== null) this.disk.journal = [...this.driver.liveRecords()];
  }
}
