/**
 * One node of a simulated world: the production replica and driver over a virtual disk, network and ledger. What is not
 * synced is lost in a crash; what is synced, and every executed block, survives.
 */
import {
  type Batch,
  type Block,
  type CairnError,
  type Certificate,
  type Channel,
  channelOf,
  type EpochSet,
  encodeMessage,
  type Fact,
  type JournalRecord,
  type Message,
  nothingToRecall,
  type Outcome,
  type ProvenFault,
  type Result,
  toHex,
} from '@cairn-ledger/core';
import { Driver, type FenceReason } from '@cairn-ledger/node/driver';
import { type Adversary, speakEveryMs } from './adversaries/adversary.ts';
import { SigningChecker, type Violations } from './checkers.ts';
import type { EventQueue } from './event-queue.ts';
import { fakeVerifier } from './fake-crypto.ts';
import type { Observer } from './observer.ts';
import type { Random } from './random.ts';
import { admitOnce, decodeOnce } from './shared-frames.ts';
import { originOf } from './stored-origin.ts';
import { indexOfName, nameOf, type VirtualChain } from './virtual-chain.ts';
import { VirtualDisk } from './virtual-disk.ts';
import { executeBlock, serveFromDisk } from './virtual-ledger.ts';
import type { NetworkEnd, VirtualNetwork } from './virtual-network.ts';
import { readySeal } from './virtual-policy.ts';

/** How slow a node is, at most, and how far its clock on the wall is off. */
export type NodeDelays = { readonly syncMs: number; readonly executeMs: number; readonly clockOffsetMs: number };

/** Who watches a node from outside. Nodes are named by place. */
export type NodeMonitor = {
  onExecuted(node: number, block: Block, batches: readonly Batch[], outcome: Outcome): void;
  /** An executed block accuses validators. */
  onMisbehaviour(node: number, misbehaviour: readonly { readonly accused: number; readonly kind: string }[]): void;
  /** Transactions are handed over: more than one node may seal them. */
  onHandedOver(transactions: readonly Uint8Array[]): void;
  /** An epoch begins at a node. */
  onEpoch(node: number, set: EpochSet): void;
  /** A batch of its own is durable: its transactions must be executed some day. */
  onSealed(node: number, batch: Batch): void;
  onFact(node: number, fact: Fact): void;
  /** What an honest node writes to its journal, and what it sends. */
  onPersisted?(node: number, record: JournalRecord): void;
  onSent?(node: number, frame: Uint8Array, decode: (frame: Uint8Array) => Result<Message, CairnError>): void;
  onFenced(node: number, reason: FenceReason): void;
  onRefused(node: number, peer: number, error: CairnError): void;
  onFailed(node: number, error: CairnError): void;
};

/** What all nodes of a world share. */
export type NodeWorld = {
  readonly chain: VirtualChain;
  readonly events: EventQueue;
  readonly network: VirtualNetwork;
  readonly monitor: NodeMonitor;
  readonly violations: Violations;
  readonly observer: Observer | null;
};

/** Wall time at the start of every world, in milliseconds since 1970. */
export const startWallMs = 1_700_000_000_000;

/** How often a node says that it is ready, in milliseconds. */
const readyEveryMs = 400;

/** How long a node is down after its disk made it crash, in milliseconds. */
const downAfterDiskMs = 200;

export class VirtualNode implements NetworkEnd {
  /** Its place in the network: equal to `index`, but for second twins. */
  readonly place: number;
  /** Validator index. */
  readonly index: number;
  readonly #world: NodeWorld;
  readonly #random: Random;
  readonly #signing: SigningChecker;
  readonly disk = new VirtualDisk();
  /** Without a fault. */
  readonly usualDelays: NodeDelays;
  delays: NodeDelays;
  driver: Driver | null = null;
  /** Not so once it says or does what no honest node does; its own promises are checked no more. */
  isHonest = true;
  /** Set for a Byzantine node: what it says is rewritten. */
  adversary: Adversary | null = null;
  /** How often it has said something else than an honest node would have. */
  liesCount = 0;
  /** Its journal was found damaged, and put aside. */
  isDamaged = false;
  /** Down for good. */
  isRetired = false;
  fencedFor: FenceReason | null = null;
  #unsynced: JournalRecord[] = [];
  #life = 0;
  #idleAtMs = 0;
  #readyCount = 0;

  constructor(place: number, index: number, world: NodeWorld, random: Random, delays: NodeDelays) {
    this.place = place;
    this.index = index;
    this.#world = world;
    this.#random = random;
    this.usualDelays = delays;
    this.delays = delays;
    this.#signing = new SigningChecker(index, world.violations);
  }

  start(): void {
    if (this.isRetired || this.driver !== null) return;
    const { chain, events, network, monitor, observer } = this.#world;
    this.#life++;
    const life = this.#life;
    const isAlive = () => this.#life === life && this.driver !== null;
    let timer = 0;
    const now = () => ({
      ms: events.nowMs,
      wallMs: Math.floor(startWallMs + this.delays.clockOffsetMs + events.nowMs),
    });
    const keys = chain.signers[this.index]!;
    const records = this.disk.records();
    /** The life number of this safety record. */
    let number: string | null = null;
    for (const record of records) if (record.type === 'life') number = toHex(record.life);
    observer?.({ type: 'started', node: this.place, recordsCount: records.length }, events.nowMs);
    this.driver = new Driver(
      originOf(chain, this.index, this.disk.executed, this.disk.certifiedHeight, this.disk.certified),
      {
        now,
        defer: (callback) => events.after(0, () => isAlive() && callback()),
        setTimer: (atMs, callback) => {
          const mine = ++timer;
          events.at(atMs, () => isAlive() && mine === timer && callback());
        },
        journal: {
          append: (record) => {
            if (record.type === 'life') number = toHex(record.life);
            observer?.({ type: 'recorded', node: this.place, record }, events.nowMs);
            if (this.isHonest) monitor.onPersisted?.(this.place, record);
            this.#unsynced.push(record);
          },
          sync: (done) => this.#sync(done, isAlive),
        },
        writeMark: (mark) => {
          this.disk.mark = mark;
        },
        send: (peer, channel, frame) => this.#send(indexOfName(peer), channel, frame),
        drawLife: () => Uint8Array.from({ length: 16 }, () => this.#random.integer(0, 255)),
        onHandedOver: (_peer, transactions) => {
          monitor.onHandedOver(transactions);
          // Who may not seal leaves it to others: two of them would hand over to each other for ever.
          if (this.driver?.replica.status().maySign === true) this.submit(transactions);
        },
        onEpoch: (set) => {
          observer?.({ type: 'epoch', node: this.place, set }, events.nowMs);
          if (this.isHonest) monitor.onEpoch(this.place, set);
        },
        onUnfenced: () => {
          this.fencedFor = null;
          observer?.({ type: 'unfenced', node: this.place }, events.nowMs);
        },
        votingSigner: {
          ...keys.voting,
          sign: (message) => {
            if (this.isHonest) this.#signing.onSignedVoteOrBatch(message, () => this.#isOtherLife(number));
            observer?.({ type: 'signed', node: this.place, bytes: message }, events.nowMs);
            return keys.voting.sign(message);
          },
        },
        checkpointSigner: {
          ...keys.checkpoint,
          sign: (message) => {
            if (this.isHonest) this.#signing.onSignedCheckpoint(message);
            return keys.checkpoint.sign(message);
          },
        },
        verifier: fakeVerifier,
        ledger: {
          execute: (block, batches, finalization, misbehaviour) => {
            // One after the other: a ledger executes in order.
            this.#idleAtMs = Math.max(this.#idleAtMs, events.nowMs) + this.#random.next() * this.delays.executeMs;
            events.at(this.#idleAtMs, () => isAlive() && this.#execute(block, batches, finalization, misbehaviour));
          },
          keepCertified: (statement, signatures) => {
            this.disk.certified.set(statement.height, signatures);
            this.disk.keepRound(statement);
            this.disk.certifiedHeight = Math.max(this.disk.certifiedHeight, statement.height);
          },
          serve: (request, answer) => answer(serveFromDisk(this.disk, request)),
        },
        onBatch: (batch, isOwn) => {
          if (!isOwn) return;
          observer?.({ type: 'sealed', node: this.place, batch }, events.nowMs);
          monitor.onSealed(this.place, batch);
        },
        onFact: (fact) => {
          observer?.({ type: 'fact', node: this.place, fact }, events.nowMs);
          monitor.onFact(this.place, fact);
        },
        onRefused: (peer, error) => {
          const index = indexOfName(peer);
          observer?.({ type: 'refused', node: this.place, peer: index, text: error.message }, events.nowMs);
          monitor.onRefused(this.place, index, error);
        },
        onFenced: (reason) => {
          this.fencedFor = reason;
          observer?.({ type: 'fenced', node: this.place, text: reason }, events.nowMs);
          monitor.onFenced(this.place, reason);
        },
        onFailed: (error) => {
          observer?.({ type: 'failed', node: this.place, text: error.message }, events.nowMs);
          monitor.onFailed(this.place, error);
        },
      },
      this.disk.mark,
    );
    this.driver.start(records);
    if (this.#random.chance(0.5)) this.disk.compact(this.driver.liveRecords());
    network.attach(this.place, this);
    if (this.adversary?.speak !== undefined) this.#speak(life);
    this.#tellReady(life);
  }

  // --- Disk ---------------------------------------------------------------------------------------------------------

  #sync(done: (error: CairnError | null) => void, isAlive: () => boolean): void {
    const { events } = this.#world;
    const count = this.#unsynced.length;
    events.after(this.#random.next() * this.delays.syncMs, () => {
      if (!isAlive()) return;
      const records = this.#unsynced.splice(0, count);
      // Read at the end: a fault that is over by then makes nobody crash.
      const fate = this.disk.nextSync;
      this.disk.nextSync = 'whole';
      if (this.disk.isFull) return done({ code: 'journal.failed', message: 'no space left' });
      if (fate === 'crash-before') return this.#crashForDisk();
      if (fate === 'crash-torn') {
        this.disk.append(records.slice(0, this.#random.integer(0, records.length)));
        return this.#crashForDisk();
      }
      this.disk.append(records);
      if (fate === 'crash-after') return this.#crashForDisk();
      done(null);
    });
  }

  #crashForDisk(): void {
    this.crash();
    this.#world.events.after(downAfterDiskMs, () => this.start());
  }

  /** Loses everything that is not durable. */
  crash(): void {
    if (this.driver === null) return;
    this.#world.observer?.({ type: 'crashed', node: this.place }, this.#world.events.nowMs);
    this.#life++;
    this.driver.stop();
    this.driver = null;
    this.#unsynced = [];
    this.disk.onCrash();
    this.adversary?.onCrash?.(this.disk);
    this.#world.network.detach(this.place);
  }

  // --- Network ------------------------------------------------------------------------------------------------------

  retire(): void {
    this.isRetired = true;
    this.crash();
  }

  submit(transactions: readonly Uint8Array[]): void {
    this.driver?.handIn(transactions);
  }

  #send(peer: number, channel: Channel, frame: Uint8Array): void {
    const { network } = this.#world;
    if (this.adversary === null) {
      if (this.isHonest) this.#world.monitor.onSent?.(this.place, frame, decodeOnce);
      return network.send(this.place, peer, channel, frame);
    }
    const decoded = decodeOnce(frame);
    if (!decoded.ok) throw new Error('a node sends what can be decoded');
    const messages = this.adversary.rewrite(decoded.value, peer);
    if (messages.length !== 1 || messages[0] !== decoded.value) this.liesCount++;
    for (const message of messages) this.#tell(message, peer);
  }

  /** Who may not sign, and could, says so again and again until the set names its safety record; as a node does by itself. */
  #tellReady(life: number): void {
    if (this.#life !== life || this.driver === null) return;
    this.#world.events.after(readyEveryMs, () => this.#tellReady(life));
    const { driver } = this;
    const number = driver.life;
    if (number === null || driver.replica.status().maySign) return;
    const id = nameOf(this.index);
    const named = driver.set.validators.find((validator) => validator.id === id);
    if (named === undefined && this.disk.executed.at(-1)?.policy.admitted.includes(id) !== true) return;
    if (named !== undefined && driver.fencedFor !== 'rolled-back') return;
    // Each one is another transaction: an old one may still be on its way.
    const text = `ready ${id} ${toHex(number)} ${readySeal(id, toHex(number))} ${this.#readyCount++}`;
    driver.handOver([new TextEncoder().encode(text)]);
  }

  /** What an adversary says in the end: late, and in bytes of its own, if it likes. */
  #tell(message: Message, peer: number): void {
    const { events, network } = this.#world;
    const frame = encodeMessage(message);
    const frames = this.adversary!.garble?.(frame) ?? [frame];
    const delayMs = this.adversary!.delayMs?.(message) ?? 0;
    if (delayMs > 0 || frames[0] !== frame) this.liesCount++;
    const life = this.#life;
    const send = () => {
      if (this.#life !== life) return;
      for (const each of frames) network.send(this.place, peer, channelOf(message), each);
    };
    if (delayMs > 0) events.after(delayMs, send);
    else send();
  }

  #speak(life: number): void {
    if (this.#life !== life || this.driver === null) return;
    for (const { to, message } of this.adversary?.speak?.() ?? []) {
      this.liesCount++;
      this.#tell(message, to);
    }
    this.#world.events.after(speakEveryMs, () => this.#speak(life));
  }

  onFrame(from: number, frame: Uint8Array): void {
    const decoded = decodeOnce(frame);
    if (decoded.ok) this.adversary?.hear?.(decoded.value);
    this.driver?.onDecoded(nameOf(from), this.isHonest ? decoded : withoutRecall(decoded), admitOnce);
  }

  onConnected(peer: number): void {
    this.driver?.onConnected(nameOf(peer));
  }

  onDisconnected(peer: number): void {
    this.driver?.onDisconnected(nameOf(peer));
  }

  /** Whether the set names another safety record than the one with this number. */
  #isOtherLife(number: string | null): boolean {
    const id = nameOf(this.index);
    const named = this.driver?.set.validators.find((validator) => validator.id === id)?.life ?? null;
    return number !== (named === null ? null : toHex(named));
  }

  // --- Ledger -------------------------------------------------------------------------------------------------------

  #execute(
    block: Block,
    batches: readonly Batch[],
    finalization: Certificate | null,
    misbehaviour: readonly ProvenFault[],
  ): void {
    const { chain, events, monitor, observer } = this.#world;
    const { set } = this.driver!;
    const outcome = executeBlock(this.disk, chain, set, { block, batches, finalization, misbehaviour });
    observer?.({ type: 'executed', node: this.place, block, outcome }, events.nowMs);
    const faults = misbehaviour.map(({ accused, kind }) => ({
      accused: indexOfName(set.validators[accused]!.id),
      kind,
    }));
    monitor.onMisbehaviour(this.place, faults);
    monitor.onExecuted(this.place, block, batches, outcome);
    for (const { accused } of faults) this.driver?.onLeaderHint(nameOf(accused), true);
    this.driver?.input({ type: 'executed', outcome });
  }
}

/** What a Byzantine node hears: it does not care what it has signed before. */
function withoutRecall(decoded: Result<Message, CairnError>): Result<Message, CairnError> {
  if (!decoded.ok || decoded.value.type !== 'status') return decoded;
  return { ok: true, value: { ...decoded.value, recall: nothingToRecall } };
}
