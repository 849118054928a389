/**
 * A network in virtual time whose honest validators are production drivers and replicas, and whose Byzantine ones, at most
 * f, are the fuzzer: it holds their keys, hears what is sent to them, and says whatever it likes to whomever it likes.
 *
 * What must hold is watched from outside: what honest nodes sign, execute and hold in memory, whom they accuse, and what
 * one message makes a node do.
 */
import process from 'node:process';
import * as core from '../../packages/core/src/index.ts';
import { viewsAhead } from '../../packages/core/src/protocol/agreement/wanted.ts';
import { unorderedBatchesMax, unorderedBytesMax } from '../../packages/core/src/protocol/constants.ts';
import { Driver, type SigningMark } from '../../packages/node/src/driver/driver.ts';
import { AgreementChecker, SigningChecker, Violations } from '../../packages/sim/src/checkers.ts';
import { EventQueue } from '../../packages/sim/src/event-queue.ts';
import { fakeVerifier } from '../../packages/sim/src/fake-crypto.ts';
import { originOf } from '../../packages/sim/src/stored-origin.ts';
import type { Executed } from '../../packages/sim/src/virtual-disk.ts';
import { firstPolicy } from '../../packages/sim/src/virtual-policy.ts';
import { createDoorChain, type DoorChain } from './door-chain.ts';
import { durationMsMax } from './execute.ts';

const constants: core.ProtocolConstants = { ...core.defaultConstants, deltaMs: 100, heartbeatMs: 2_000 };
const delayMs = 1;
const syncMs = 1;
/** Frames of honest nodes that the fuzzer remembers. */
const heardMax = 400;

/**
 * What one message may make a node send, counted for each recipient: certificates of a page (two for a view), what its own
 * rules send in the same step to everybody, and proofs.
 */
export const framesPerMessageMax = (validatorsCount: number): number => 2 * 64 + 1 + 24 * validatorsCount;
/** Blocks and batches asked for are answered one for one; a page of the chain is one frame. */
export const bytesPerMessageMax = 8 << 20;

export type DoorOptions = {
  readonly validatorsCount: number;
  readonly byzantine: readonly number[];
  /** Another one shows whether the checks here would find a door that stands open. */
  readonly verifier?: core.Verifier;
};

/** The most that any message, view or author has cost so far. */
export type DoorPeaks = {
  framesPerMessage: number;
  bytesPerMessage: number;
  stepMs: number;
  batchesHeld: number;
  bytesHeld: number;
  views: number;
  blocks: number;
  recordsPerMessage: number;
};

export class DoorWorld {
  readonly chain: DoorChain;
  readonly events = new EventQueue();
  readonly violations = new Violations();
  readonly agreement = new AgreementChecker(this.violations);
  readonly byzantine: readonly number[];
  readonly verifier: core.Verifier;
  readonly nodes: (DoorNode | null)[];
  readonly peaks: DoorPeaks = {
    framesPerMessage: 0,
    bytesPerMessage: 0,
    stepMs: 0,
    batchesHeld: 0,
    bytesHeld: 0,
    views: 0,
    blocks: 0,
    recordsPerMessage: 0,
  };
  /** What honest nodes said to the Byzantine ones, the newest last. */
  readonly heard: { readonly from: number; readonly frame: Uint8Array }[] = [];
  /** Pairs that can't reach each other, as `a/b` with a < b. */
  readonly #cut = new Set<string>();
  messagesCount = 0;
  #submitted = 0;

  constructor({ validatorsCount, byzantine, verifier = fakeVerifier }: DoorOptions) {
    this.chain = createDoorChain(validatorsCount);
    if (byzantine.length > this.chain.set.faultsMax) throw new Error('at most f are Byzantine');
    this.byzantine = byzantine;
    this.verifier = verifier;
    this.nodes = this.chain.set.validators.map((_, i) => (byzantine.includes(i) ? null : new DoorNode(this, i)));
    for (const node of this.honest) node.start();
    for (let a = 0; a < validatorsCount; a++) for (let b = 0; b < a; b++) this.#tellLink(a, b, true);
  }

  get honest(): DoorNode[] {
    return this.nodes.filter((node) => node !== null);
  }

  // --- Links --------------------------------------------------------------------------------------------------------

  isUp(a: number, b: number): boolean {
    return !this.#cut.has(linkName(a, b));
  }

  setLink(a: number, b: number, isUp: boolean): void {
    if (a === b || this.isUp(a, b) === isUp) return;
    if (isUp) this.#cut.delete(linkName(a, b));
    else this.#cut.add(linkName(a, b));
    this.#tellLink(a, b, isUp);
  }

  #tellLink(a: number, b: number, isUp: boolean): void {
    this.nodes[a]?.onLink(b, isUp);
    this.nodes[b]?.onLink(a, isUp);
  }

  carry(from: number, to: number, frame: Uint8Array): void {
    if (!this.isUp(from, to)) return;
    const node = this.nodes[to];
    if (node === null || node === undefined) {
      this.heard.push({ from, frame });
      if (this.heard.length > heardMax) this.heard.shift();
      return;
    }
    this.events.after(delayMs, () => {
      if (this.isUp(from, to)) node.onFrame(from, frame);
    });
  }

  /** A Byzantine node says something, which arrives at once. */
  say(from: number, to: number, frame: Uint8Array): void {
    const node = this.nodes[to];
    if (node === null || node === undefined || !this.isUp(from, to)) return;
    this.messagesCount++;
    node.onFrame(from, frame);
  }

  pass(durationMs: number): void {
    const untilMs = this.events.nowMs + durationMs;
    while (this.events.step(untilMs)) {
      // Time passes.
    }
    // An empty queue does not move time by itself.
    this.events.at(untilMs, () => {});
    while (this.events.step(untilMs)) {
      // The moment itself.
    }
  }

  submit(node: DoorNode, sizeBytes = 20): string {
    const name = `transaction ${this.#submitted++}`;
    const bytes = new Uint8Array(Math.max(sizeBytes, name.length));
    bytes.set(new TextEncoder().encode(name));
    node.driver.input({ type: 'transactions', transactions: [bytes] });
    return core.toHex(bytes);
  }

  // --- What must hold -----------------------------------------------------------------------------------------------

  /** Throws when anything that must hold does not. */
  check(): void {
    for (const node of this.honest) node.checkBounds();
    const [violation] = this.violations.list();
    if (violation !== undefined) throw new Error(violation);
  }

  /** The fuzzer falls silent, links come back: what honest nodes take in now is executed and certified by all of them. */
  checkGoesOn(): void {
    for (let a = 0; a < this.nodes.length; a++) for (let b = 0; b < a; b++) this.setLink(a, b, true);
    this.pass(500);
    const names = this.honest.map((node) => this.submit(node));
    const heights = this.honest.map(({ certifiedHeight }) => certifiedHeight);
    const isDone = () =>
      this.honest.every(
        (node, i) => names.every((name) => node.transactions.has(name)) && node.certifiedHeight > heights[i]!,
      );
    for (let waitedMs = 0; waitedMs < 120_000; waitedMs += 250) {
      if (isDone()) return this.check();
      this.pass(250);
    }
    const states = this.honest.map(({ index, driver }) => `${index}: ${JSON.stringify(driver.replica.status())}`);
    throw new Error(`the chain does not go on:\n  ${states.join('\n  ')}`);
  }
}

function linkName(a: number, b: number): string {
  return a < b ? `${a}/${b}` : `${b}/${a}`;
}

export class DoorNode {
  readonly index: number;
  readonly #world: DoorWorld;
  readonly #signing: SigningChecker;
  readonly disk = {
    journal: [] as core.JournalRecord[],
    executed: [] as Executed[],
    certified: new Map<number, readonly core.CheckpointSignature[]>(),
    mark: { epoch: 0, view: 0, seq: 0, checkpointHeight: 0 } as SigningMark,
  };
  /** Of every transaction executed, in hexadecimal. */
  readonly transactions = new Set<string>();
  driver!: Driver;
  certifiedHeight = 0;
  #unsynced: core.JournalRecord[] = [];
  #life = 0;

  constructor(world: DoorWorld, index: number) {
    this.#world = world;
    this.index = index;
    this.#signing = new SigningChecker(index, world.violations);
  }

  /** Starts, or starts again with what was durable. */
  start(): void {
    const world = this.#world;
    const life = ++this.#life;
    const isAlive = () => this.#life === life;
    const keys = world.chain.signers[this.index]!;
    let timer = 0;
    this.#unsynced = [];
    this.driver?.stop();
    this.driver = new Driver(
      originOf({ ...world.chain, constants }, this.index, this.disk.executed, this.certifiedHeight),
      {
        now: () => ({ ms: world.events.nowMs, wallMs: Math.floor(1_700_000_000_000 + world.events.nowMs) }),
        defer: (callback) => world.events.after(0, () => isAlive() && callback()),
        setTimer: (atMs, callback) => {
          const mine = ++timer;
          world.events.at(atMs, () => isAlive() && mine === timer && callback());
        },
        journal: {
          append: (record) => this.#unsynced.push(record),
          sync: (done) => {
            const count = this.#unsynced.length;
            world.events.after(syncMs, () => {
              if (!isAlive()) return;
              this.disk.journal.push(...this.#unsynced.splice(0, count));
              done(null);
            });
          },
        },
        writeMark: (mark) => {
          this.disk.mark = mark;
        },
        send: (peer, _, frame) => world.carry(this.index, placeOf(world.chain, peer), frame),
        drawLife: () => new Uint8Array(16),
        onHandedOver: (_, transactions) => this.driver.input({ type: 'transactions', transactions }),
        onEpoch: () => world.violations.add(`node ${this.index} begins an epoch`),
        onUnfenced: () => {},
        votingSigner: {
          ...keys.voting,
          sign: (message) => {
            this.#signing.onSignedVoteOrBatch(message);
            return keys.voting.sign(message);
          },
        },
        checkpointSigner: {
          ...keys.checkpoint,
          sign: (message) => {
            this.#signing.onSignedCheckpoint(message);
            return keys.checkpoint.sign(message);
          },
        },
        verifier: world.verifier,
        ledger: {
          execute: (block, batches, finalization, misbehaviour) =>
            world.events.after(1, () => isAlive() && this.#execute(block, batches, finalization, misbehaviour)),
          keepCertified: (statement, signatures) => {
            this.disk.certified.set(statement.height, signatures);
            this.certifiedHeight = Math.max(this.certifiedHeight, statement.height);
          },
          serve: (request, answer) => answer(this.#serve(request)),
        },
        onBatch: () => {},
        onFact: () => {},
        onRefused: (peer, error) => {
          if (!world.byzantine.includes(placeOf(world.chain, peer)))
            world.violations.add(`node ${this.index} refused honest node ${peer}: ${error.code} ${error.message}`);
        },
        onFenced: (reason) => world.violations.add(`node ${this.index} fenced itself: ${reason}`),
        onFailed: (error) => world.violations.add(`node ${this.index} failed: ${error.message}`),
      },
      this.disk.mark,
    );
    this.#watchSteps();
    this.driver.start(this.disk.journal);
    for (let peer = 0; peer < world.nodes.length; peer++)
      if (life > 1 && peer !== this.index && world.isUp(peer, this.index)) {
        this.onLink(peer, true);
        world.nodes[peer]?.onLink(this.index, false);
        world.nodes[peer]?.onLink(this.index, true);
      }
  }

  /** Measures what each message makes the replica do. */
  #watchSteps(): void {
    const { replica } = this.driver;
    const { peaks, chain } = this.#world;
    const step = replica.step.bind(replica);
    const othersCount = chain.set.validators.length - 1;
    replica.step = (now, input) => {
      const start = process.threadCpuUsage();
      const effects = step(now, input);
      const { user, system } = process.threadCpuUsage(start);
      const stepMs = (user + system) / 1000;
      peaks.stepMs = Math.max(peaks.stepMs, stepMs);
      if (input.type !== 'message') return effects;
      if (stepMs > durationMsMax) throw new Error(`a ${input.message.type} took ${Math.round(stepMs)} ms`);
      let frames = 0;
      let bytes = 0;
      let records = 0;
      for (const effect of effects) {
        if (effect.type === 'persist') records++;
        if (effect.type === 'vote' || effect.type === 'seal' || effect.type === 'sign-checkpoint')
          frames += othersCount;
        if (effect.type === 'serve') frames++;
        if (effect.type !== 'send') continue;
        const count = effect.to === 'all' ? othersCount : effect.to.length;
        frames += count;
        bytes += count * core.encodeMessage(effect.message).length;
      }
      peaks.framesPerMessage = Math.max(peaks.framesPerMessage, frames);
      peaks.bytesPerMessage = Math.max(peaks.bytesPerMessage, bytes);
      peaks.recordsPerMessage = Math.max(peaks.recordsPerMessage, records);
      if (frames > framesPerMessageMax(othersCount + 1) || bytes > bytesPerMessageMax)
        throw new Error(`a ${input.message.type} made node ${this.index} send ${frames} frames, ${bytes} bytes`);
      return effects;
    };
  }

  onLink(peer: number, isUp: boolean): void {
    const { id } = this.#world.chain.set.validators[peer]!;
    if (isUp) this.driver.onConnected(id);
    else this.driver.onDisconnected(id);
  }

  onFrame(from: number, frame: Uint8Array): void {
    this.driver.onFrame(this.#world.chain.set.validators[from]!.id, frame);
  }

  checkBounds(): void {
    const { replica } = this.driver;
    const { peaks, byzantine, chain } = this.#world;
    const claim = (condition: boolean, what: string) => {
      if (!condition) throw new Error(`node ${this.index} keeps ${what}`);
    };
    for (const { held, heldBytes, unjudged, author } of replica.batches.chains) {
      claim(held.size <= 2 * unorderedBatchesMax, `${held.size} unordered batches of ${author}`);
      claim(heldBytes <= 2 * unorderedBytesMax + core.batchBytesMax, `${heldBytes} unordered bytes of ${author}`);
      claim(unjudged.size < chain.set.validators.length, `${unjudged.size} acknowledgements of ${author}`);
    }
    const { view, lastFinalized } = replica.agreement;
    let views = 0;
    for (const { tally } of replica.agreement.liveViews()) {
      views++;
      for (const votes of Object.values(tally))
        claim(votes.size <= chain.set.validators.length, `${votes.size} votes of a kind in one view`);
    }
    claim(views <= view - lastFinalized + viewsAhead + 1, `${views} views, from ${lastFinalized} to ${view}`);
    const counts = { batch: 0, block: 0, bytes: 0 };
    for (const record of replica.liveRecords()) {
      if (record.type === 'block') counts.block++;
      if (record.type !== 'batch') continue;
      counts.batch++;
      counts.bytes += record.batch.sizeBytes;
    }
    const waiting = Number(replica.status().finalizedHeight) - Number(replica.status().executedHeight);
    claim(counts.block <= 2 * (views + waiting) + 4, `${counts.block} blocks in ${views} views`);
    const listed = 64 * counts.block;
    claim(counts.batch <= 2 * unorderedBatchesMax * chain.set.validators.length + listed, `${counts.batch} batches`);
    for (const { accused, type } of replica.proofs())
      claim(byzantine.includes(accused), `a proof (${type}) that honest node ${accused} is faulty`);
    claim(replica.status().proofsOfFault <= 3 * byzantine.length, `${replica.status().proofsOfFault} proofs of fault`);
    peaks.views = Math.max(peaks.views, views);
    peaks.blocks = Math.max(peaks.blocks, counts.block);
    peaks.batchesHeld = Math.max(peaks.batchesHeld, counts.batch);
    peaks.bytesHeld = Math.max(peaks.bytesHeld, counts.bytes);
  }

  // --- The ledger: a hash over all transactions -----------------------------------------------------------------------

  get lastOutcome(): core.Outcome {
    return this.disk.executed.at(-1)?.outcome ?? this.#world.chain.genesis;
  }

  #execute(
    block: core.Block,
    batches: readonly core.Batch[],
    finalization: core.Certificate | null,
    misbehaviour: readonly core.ProvenFault[],
  ): void {
    const before = this.lastOutcome.statement;
    let { historyRoot, historySize } = before;
    for (const { transactions } of batches) {
      for (const transaction of transactions) {
        historyRoot = core.sha256(Buffer.concat([historyRoot, transaction]));
        historySize++;
        this.transactions.add(core.toHex(transaction));
      }
    }
    const { height, timeMs } = block.header;
    const statement = { ...before, height, historyRoot, historySize, stateRoot: core.sha256(block.headerBytes) };
    const outcome = { statement, timeMs, target: this.lastOutcome.target };
    this.disk.executed.push({
      block,
      batches,
      finalization,
      misbehaviour,
      outcome,
      policy: firstPolicy(outcome.target),
      accused: [],
    });
    this.#world.agreement.onExecuted(this.index, block, outcome);
    for (const { accused } of misbehaviour)
      this.driver.onLeaderHint(this.#world.chain.set.validators[accused]!.id, true);
    this.driver.input({ type: 'executed', outcome });
  }

  #serve(request: core.Message): core.Message | null {
    const { executed, certified } = this.disk;
    switch (request.type) {
      case 'request-block': {
        const found = executed.find(({ block }) => core.equalBytes(block.digest, request.digest));
        return found === undefined ? null : { type: 'block', block: found.block };
      }
      case 'request-batch': {
        const found = executed
          .flatMap(({ batches }) => batches)
          .find(({ digest }) => core.equalBytes(digest, request.digest));
        return found === undefined ? null : { type: 'batch', batch: found };
      }
      case 'request-checkpoint': {
        const signatures = certified.get(request.height) ?? certified.get(this.certifiedHeight);
        return signatures === undefined ? null : { type: 'checkpoint-signatures', signatures };
      }
      case 'request-chain': {
        const page = executed.slice(Math.max(0, request.from - 1), request.from - 1 + core.chainBlocksMax);
        while (page.length > 0 && page.at(-1)!.finalization === null) page.pop();
        const last = page.at(-1);
        if (last === undefined) return null;
        return { type: 'chain', blocks: page.map(({ block }) => block), finalization: last.finalization! };
      }
      default:
        return null;
    }
  }
}

function placeOf({ set }: Pick<DoorChain, 'set'>, id: string): number {
  return core.indexIn(set, id)!;
}
