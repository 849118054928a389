/**
 * One simulated world: some validators, faults for a while, then calm. The production replica and driver run in it; time,
 * links, disks, signatures and the ledger are virtual. A world is a function of its plan, and that of its seed.
 *
 * Checked always: agreement, results, honest signing, no honest node fenced, refused or proven faulty. Checked in worlds
 * of mode `liveness`: after the faults stop, at most f nodes stay bad, and everything sealed by a living node is executed
 * and certified everywhere, within few views.
 */
import { defaultConstants, type Hash, indexIn, type ProtocolConstants, sha256, toHex } from '@cairn-ledger/core';
import { createConspiracy } from './adversaries/conspiracy.ts';
import { createAdversary } from './adversaries/index.ts';
import { ChainChecker } from './chain-checker.ts';
import { checkForkIsNamed, namedBy, Referee } from './checkers/referee.ts';
import { AgreementChecker, Violations } from './checkers.ts';
import { EventQueue } from './event-queue.ts';
import { Faults } from './faults.ts';
import type { Observer } from './observer.ts';
import { drawPlan, type WorldKind, type WorldMode, type WorldOptions, type WorldPlan } from './plan.ts';
import { createRandom, type Random } from './random.ts';
import { nameOfTransaction, namesIn, Submitter, transactionOf } from './submitter.ts';
import { createVirtualChain, nameOf } from './virtual-chain.ts';
import { VirtualNetwork } from './virtual-network.ts';
import { type NodeMonitor, type NodeWorld, startWallMs, VirtualNode } from './virtual-node.ts';

export { defaultWorld, type WorldOptions, worldOf } from './plan.ts';

export type WorldReport = {
  readonly seed: number;
  readonly nodesCount: number;
  readonly kind: WorldKind;
  readonly mode: WorldMode;
  readonly violations: readonly string[];
  /** What a node lacks at the end though it should have it; empty when the chain went on. */
  readonly stalls: readonly string[];
  /** Virtual time from the last submission until everything was executed and certified everywhere. */
  readonly recoveryMs: number;
  /** Views led by living honest nodes from the last submission until it was final somewhere; null where ledgers are slow. */
  readonly viewsToCommit: number | null;
  readonly blocks: number;
  readonly views: number;
  readonly frames: number;
  readonly crashes: number;
  /** The Byzantine nodes, by what they do. */
  readonly adversaries: readonly string[];
  /** Where honest nodes executed different blocks; only with more than f Byzantine nodes. */
  readonly forks: readonly string[];
  /** Who is accused by a proof of fault that an honest node holds. */
  readonly named: readonly number[];
  /** How often Byzantine nodes said something else than honest ones would have. */
  readonly lies: number;
  /** Honest nodes whose disk was put back or damaged, and what became of them. */
  readonly damaged: readonly string[];
  /** Hash over what every node executed: equal for equal seeds. */
  readonly fingerprint: string;
};

/** What the time after the faults shows. */
type Calm = Pick<WorldReport, 'recoveryMs' | 'viewsToCommit' | 'stalls'>;
const notCalm: Calm = { recoveryMs: 0, viewsToCommit: null, stalls: [] };

const constants: ProtocolConstants = { ...defaultConstants, deltaMs: 100, heartbeatMs: 2_000 };
/** How often is looked at how much nodes hold, in milliseconds. */
const memoryEveryMs = 500;
/** How long nodes have to find out who made a fork, in milliseconds. */
const findingMs = 5_000;
/** When, after the faults, the transaction is submitted that must get through. */
const lastSubmissionMs = 300;
/** Views led by living honest nodes within which the chain commits after the faults. */
export const viewsToCommitMax = 5;

const lastTransaction = 'the last transaction';

export function runWorld(options: WorldOptions, observer: Observer | null = null): WorldReport {
  return runPlan(drawPlan(options), observer);
}

export function runPlan(plan: WorldPlan, observer: Observer | null = null): WorldReport {
  return new World(plan, observer).run();
}

class World {
  readonly #plan: WorldPlan;
  readonly #events = new EventQueue();
  readonly #violations = new Violations();
  readonly #agreement: AgreementChecker;
  readonly #referee: Referee;
  readonly #chain;
  readonly #chainChecker: ChainChecker;
  readonly #network: VirtualNetwork;
  readonly #nodes: VirtualNode[] = [];
  readonly #faults: Faults;
  readonly #random: Random;
  /** Names of transactions, by place. */
  readonly #executed: Set<string>[];
  readonly #sealed: Set<string>[];
  /** Names of transactions that a node has handed over: several others may seal them. */
  readonly #handedOver = new Set<string>();
  /** The view that honest nodes were in when the first of them had executed the last transaction. */
  #lastCommittedInView: number | null = null;
  /** Places whose disk is not what it was. */
  readonly #damaged = new Set<number>();

  constructor(plan: WorldPlan, observer: Observer | null) {
    const { nodesCount, seed } = plan.options;
    this.#plan = plan;
    this.#random = createRandom(seed ^ 0x5eed);
    const twins = plan.byzantine.flatMap(({ node, name }) => (name === 'twin' ? [node] : []));
    const joinersCount = plan.joinersCount ?? 0;
    const totalCount = nodesCount + joinersCount;
    const identities = [...Array.from({ length: totalCount }, (_, i) => i), ...twins];
    this.#network = new VirtualNetwork(this.#events, createRandom(seed ^ 0x4e7), identities, plan.profile, observer);
    this.#agreement = new AgreementChecker(this.#violations, plan.mode === 'forks');
    this.#referee = new Referee(
      createVirtualChain(nodesCount, { ...constants, ...plan.constants }, joinersCount, plan.mode !== 'forks'),
      this.#violations,
    );
    this.#chain = this.#referee.chain;
    this.#chainChecker = new ChainChecker(this.#chain, () => this.#latestWallMs(), this.#violations);
    this.#executed = identities.map(() => new Set());
    this.#sealed = identities.map(() => new Set());
    const shared: NodeWorld = {
      chain: this.#chain,
      events: this.#events,
      network: this.#network,
      monitor: this.#createMonitor(),
      violations: this.#violations,
      observer,
    };
    for (const [place, index] of identities.entries())
      this.#nodes.push(new VirtualNode(place, index, shared, this.#random, plan.delays[index]!));
    const split = plan.faults.find(({ fault }) => fault.type === 'partition')?.fault;
    const halves = split?.type === 'partition' ? split.groups : Array.from({ length: nodesCount }, (_, i) => i % 2);
    const conspiracy = createConspiracy(halves);
    for (const { node, name } of plan.byzantine) {
      for (const each of this.#nodes) if (each.index === node) each.isHonest = false;
      this.#nodes[node]!.adversary = createAdversary(name, {
        self: node,
        nodesCount,
        ledgerHash: this.#chain.ledgerHash,
        votingSigner: this.#chain.signers[node]!.voting,
        checkpointSigner: this.#chain.signers[node]!.checkpoint,
        validator: this.#chain.everybody[node]!,
        conspiracy,
        random: createRandom(seed ^ (0xad + node)),
      });
    }
    for (const { fault } of plan.faults) {
      const isDamage =
        fault.type === 'roll-back' ||
        fault.type === 'put-back' ||
        fault.type === 'wipe' ||
        fault.type === 'lying-disk' ||
        fault.type === 'bit-flip' ||
        fault.type === 'misdirected-write';
      if (isDamage) this.#damaged.add(fault.node);
    }
    this.#faults = new Faults({
      events: this.#events,
      network: this.#network,
      nodes: this.#nodes,
      random: createRandom(seed ^ 0xfa17),
      observer,
      twinPlaces: new Map(twins.map((node, i) => [node, totalCount + i])),
      onRolledBack: (node) => this.#agreement.onRolledBack(node.place, node.disk.executed.length),
    });
  }

  #createMonitor(): NodeMonitor {
    const violations = this.#violations;
    return {
      onExecuted: (node, block, batches, outcome) => {
        if (this.#nodes[node]!.isHonest) {
          this.#agreement.onExecuted(node, block, outcome);
          if (this.#plan.mode !== 'forks') this.#chainChecker.onExecuted(block, batches, outcome);
        }
        for (const name of namesIn(batches)) this.#executed[node]!.add(name);
        if (this.#nodes[node]!.isHonest && this.#executed[node]!.has(lastTransaction))
          this.#lastCommittedInView ??= this.#highestView(this.#nodes.filter(({ isHonest }) => isHonest));
      },
      onMisbehaviour: (node, misbehaviour) => {
        for (const { accused, kind } of misbehaviour)
          if (this.#nodes[accused]!.isHonest)
            violations.add(`the chain of node ${node} accuses honest node ${accused}: ${kind}`);
      },
      onHandedOver: (transactions) => {
        for (const name of transactions.map(nameOfTransaction)) this.#handedOver.add(name);
      },
      onEpoch: (node, set) => this.#referee.sets.onEpoch(node, set),
      onSealed: (node, batch) => {
        for (const name of namesIn([batch])) this.#sealed[node]!.add(name);
      },
      onFact: (node, fact) => {
        if (fact.type === 'fork' && this.#nodes[node]!.isHonest && this.#plan.mode !== 'forks')
          violations.add(`node ${node} tells of a fork in view ${fact.view}`);
      },
      onPersisted: (node, record) => this.#referee.onPersisted(node, record),
      onSent: (node, frame, decode) => this.#referee.onSent(node, frame, decode),
      onFenced: (node, reason) => {
        const isExpected =
          !this.#nodes[node]!.isHonest ||
          (reason === 'rolled-back' && this.#damaged.has(node)) ||
          (reason === 'diverged' && this.#plan.mode === 'forks');
        if (!isExpected) violations.add(`node ${node} fenced itself: ${reason}`);
      },
      onRefused: (node, peer, { code, message }) => {
        if (this.#nodes[peer]!.isHonest) violations.add(`node ${node} refused honest node ${peer}: ${code} ${message}`);
      },
      onFailed: (node, error) => {
        if (!this.#nodes[node]!.disk.isFull) violations.add(`node ${node}: ${error.message}`);
        this.#nodes[node]!.crash();
      },
    };
  }

  get #faultsEndMs(): number {
    const { faultsMs, untilMs } = this.#plan.options;
    return Math.min(faultsMs, untilMs ?? faultsMs);
  }

  run(): WorldReport {
    let calm: Calm = notCalm;
    try {
      calm = this.#passAllTime();
    } catch (error) {
      // Code under test that throws breaks a promise like any other; told here, it has a seed, and a sweep goes on.
      const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#violations.add(`threw ${stack.split(/\n +/).slice(0, 2).join(' ')}`);
    }
    return this.#report(calm);
  }

  #passAllTime(): Calm {
    const { options, faults, mode } = this.#plan;
    const honest = this.#nodes.filter((node) => node.isHonest);
    for (const node of this.#nodes) this.#events.after(this.#random.next() * 50, () => node.start());
    // At Byzantine nodes too: whoever never seals a batch cannot equivocate with one.
    const submitter = new Submitter(this.#events, this.#nodes, createRandom(options.seed ^ 0x5b), this.#plan.pauseMs);
    this.#events.after(100, () => submitter.run());
    this.#faults.schedule(faults);
    for (const { atMs, verb, node } of this.#plan.changes ?? []) this.#ask(atMs, `${verb} ${nameOf(node)}`);
    for (let atMs = memoryEveryMs; atMs < this.#faultsEndMs; atMs += memoryEveryMs)
      this.#events.at(atMs, () => this.#referee.lookAtMemory(honest));
    this.#passTimeUntil(this.#faultsEndMs);
    submitter.stop();
    const calm = mode === 'liveness' ? this.#becomeCalm() : notCalm;
    if (mode === 'forks') this.#findCulprits(honest);
    this.#referee.atEnd(
      honest,
      (validator) => this.#nodes[validator]!.isHonest,
      (name) => this.#handedOver.has(name),
    );
    return calm;
  }

  /** Members vote for a change: at a node that seals, again until a chain has it. */
  #ask(atMs: number, text: string, count = 0): void {
    this.#events.at(atMs, () => {
      const isHeard = this.#executed.some((names) => [...names].some((name) => name.startsWith(text)));
      if (isHeard) return;
      const able = this.#nodes.filter(({ driver, isHonest }) => isHonest && driver?.replica.status().maySign === true);
      if (able.length > 0) this.#random.pick(able).submit([transactionOf(`${text} ${count}`)]);
      this.#ask(this.#events.nowMs + 700, text, count + 1);
    });
  }

  #report(calm: Calm): WorldReport {
    const { options, kind, mode } = this.#plan;
    return {
      seed: options.seed,
      nodesCount: options.nodesCount,
      kind,
      mode,
      violations: this.#violations.list(),
      ...calm,
      blocks: Math.max(...this.#nodes.map((node) => node.disk.executed.length)),
      views: this.#highestView(this.#nodes),
      frames: this.#network.framesCount,
      crashes: this.#faults.crashes,
      adversaries: this.#plan.byzantine.map(({ node, name }) => `${node} ${name}`),
      forks: this.#agreement.forks,
      named: namedBy(this.#nodes.filter((node) => node.isHonest)),
      lies: this.#nodes.reduce((sum, { liesCount }) => sum + liesCount, 0),
      damaged: [...this.#damaged].map((node) => this.#fateOf(node)),
      fingerprint: this.#fingerprint(),
    };
  }

  /** What the fastest clock in this world shows now, wherever its clocks were before. */
  #latestWallMs(): number {
    const { delays, faults } = this.#plan;
    const changed = faults.flatMap(({ fault }) => (fault.type === 'clock' ? [fault.offsetMs] : []));
    return startWallMs + this.#events.nowMs + Math.max(...changed, ...delays.map(({ clockOffsetMs }) => clockOffsetMs));
  }

  #passTimeUntil(untilMs: number): void {
    while (this.#events.step(untilMs)) {
      // Time passes.
    }
  }

  // --- Calm ---------------------------------------------------------------------------------------------------------

  /** Faults stop, some nodes stay down: the chain goes on. */
  #becomeCalm(): Calm {
    const { options, calmProfile, leftDown } = this.#plan;
    this.#faults.endAll();
    this.#network.profile = calmProfile;
    for (const node of this.#nodes) {
      if (leftDown.includes(node.index)) node.retire();
      else node.start();
    }
    const live = this.#nodes.filter((node) => node.isHonest && node.driver !== null);
    const voting = live.filter((node) => node.fencedFor === null);
    if (voting.length === 0) return { ...notCalm, stalls: ['no honest node is left that votes'] };
    // Nobody can hand anything in at a node that is down.
    const submit = (name: string) => {
      const alive = voting.filter(({ driver }) => driver !== null);
      const able = alive.filter(({ driver }) => driver!.replica.status().maySign);
      this.#random.pick(able.length > 0 ? able : alive).submit([transactionOf(name)]);
    };
    const leaders = new Set(voting.map((node) => node.index));
    const { calmViewsMax = Number.POSITIVE_INFINITY, calmTransactions } = this.#plan;
    const { count, pauseMs } = calmTransactions ?? { count: 0, pauseMs: 0 };
    const calmView = this.#highestView(live);
    for (let i = 0; i < count; i++) {
      this.#events.after(lastSubmissionMs + i * pauseMs, () => submit(`calm transaction ${i}`));
    }
    // What slow links have taken in comes late, and all that is sent behind it: calm begins when that is over.
    const calmAtMs = Math.max(this.#faultsEndMs, this.#network.lastArrivalMs());
    const lastAtMs = calmAtMs + lastSubmissionMs + count * pauseMs;
    let fromView = 0;
    const epochsBefore = this.#referee.sets.count;
    this.#events.at(lastAtMs, () => {
      fromView = this.#highestView(live);
      submit(lastTransaction);
    });
    const endMs = lastAtMs - lastSubmissionMs + options.calmMs;
    let recoveryMs = options.calmMs;
    let stalls: string[] = [];
    for (let checkAtMs = lastAtMs; ; checkAtMs += 100) {
      this.#passTimeUntil(checkAtMs);
      stalls = this.#whatLacks(live, voting);
      if (stalls.length === 0) recoveryMs = checkAtMs - lastAtMs;
      if (stalls.length === 0 || checkAtMs >= endMs) break;
    }
    const viewsSpent = this.#highestView(live) - calmView;
    if (viewsSpent > calmViewsMax) stalls.push(`${count + 1} transactions in calm took ${viewsSpent} views`);
    // Delta covers execution: with ledgers that take longer, blocks wait for checkpoints and views pass meanwhile.
    const isExecutedInTime = voting.every(({ delays }) => delays.executeMs <= this.#chain.constants.deltaMs);
    // Views begin anew with each epoch.
    const isOneEpoch = this.#referee.sets.count === epochsBefore;
    const toView = this.#lastCommittedInView;
    const viewsToCommit =
      toView === null || !isExecutedInTime || !isOneEpoch ? null : this.#viewsLedBy(leaders, fromView, toView);
    if ((viewsToCommit ?? 0) > viewsToCommitMax)
      stalls.push(`a commit took ${viewsToCommit} views of living honest leaders`);
    return { recoveryMs, viewsToCommit, stalls };
  }

  /** Of those in the latest epoch: who is behind may be in a higher view of an earlier one. */
  #highestView(nodes: readonly VirtualNode[]): number {
    const present = nodes.flatMap(({ driver }) => (driver === null ? [] : [driver]));
    const epoch = Math.max(0, ...present.map(({ set }) => set.epoch));
    return Math.max(0, ...present.map(({ set, replica }) => (set.epoch === epoch ? replica.agreement.view : 0)));
  }

  #viewsLedBy(leaders: ReadonlySet<number>, fromView: number, toView: number): number {
    const epoch = this.#referee.sets.count;
    const validators = this.#referee.sets.validatorsOf(epoch)!;
    let count = 0;
    for (let view = fromView + 1; view < toView; view++)
      if (leaders.has(validators[(epoch + view) % validators.length]!)) count++;
    return count;
  }

  #whatLacks(live: readonly VirtualNode[], voting: readonly VirtualNode[]): string[] {
    // What stood on a disk that lost it is nobody's any more.
    const keeping = voting.filter((node) => !this.#damaged.has(node.index));
    const due = new Set([lastTransaction, ...keeping.flatMap((node) => [...this.#sealed[node.place]!])]);
    const lacking: string[] = [];
    for (const node of live) {
      if (node.driver === null) {
        lacking.push(`node ${node.index} is down`);
        continue;
      }
      const status = node.driver.replica.status();
      const lack = this.#whatLacksOfSet(node);
      if (lack !== null) lacking.push(lack);
      let count = 0;
      for (const name of due) if (!this.#executed[node.place]!.has(name)) count++;
      if (count > 0)
        lacking.push(
          `node ${node.index} has not executed ${count} of ${due.size} transactions (${JSON.stringify(status)})`,
        );
      else if (status.certifiedHeight < status.executedHeight - 1)
        lacking.push(`node ${node.index} has executed ${status.executedHeight}, certified ${status.certifiedHeight}`);
    }
    return lacking;
  }

  /**
   * Everybody can prove who agrees now; who forgot what it signed is back with another safety record; who was admitted votes, who was
   * removed does not.
   */
  #whatLacksOfSet(node: VirtualNode): string | null {
    const { driver, disk, index } = node;
    const { height } = driver!.set.genesis;
    if (height > 0 && !disk.certified.has(height))
      return `node ${index} lacks the proof of the epoch that ends with ${height}`;
    const place = indexIn(driver!.set, nameOf(index));
    if (place !== null && !driver!.replica.status().maySign) return `node ${index} does not sign: ${driver!.fencedFor}`;
    const asked = (this.#plan.changes ?? []).filter((change) => change.node === index).at(-1);
    if (asked?.verb === 'admit' && place === null) return `node ${index} has not joined`;
    // Nobody leaves a set of four.
    const mayLeave = driver!.set.validators.length > 4;
    if (asked?.verb === 'remove' && place !== null && mayLeave) return `node ${index} has not left`;
    return null;
  }

  // --- Forks --------------------------------------------------------------------------------------------------------

  /** All nodes are connected again, and have some time; then a fork must have named those who made it. */
  #findCulprits(honest: readonly VirtualNode[]): void {
    const { byzantine, calmProfile, options } = this.#plan;
    this.#faults.endAll();
    this.#network.profile = calmProfile;
    for (const node of this.#nodes) node.start();
    this.#passTimeUntil(options.faultsMs + findingMs);
    const { forks } = this.#agreement;
    checkForkIsNamed(honest, options.nodesCount, byzantine.length, forks, this.#violations);
  }

  // --- Report -------------------------------------------------------------------------------------------------------

  #fateOf(place: number): string {
    const node = this.#nodes[place]!;
    const fate = node.isDamaged ? 'found damaged' : node.fencedFor !== null ? 'fenced' : 'unharmed';
    return `${place} ${fate}`;
  }

  #fingerprint(): string {
    const parts = this.#nodes.map(({ disk }) => {
      const outcome = disk.executed.at(-1)?.outcome;
      const root: Hash | undefined = outcome?.statement.historyRoot;
      return `${disk.executed.length} ${root === undefined ? '' : toHex(root)} ${outcome?.timeMs}`;
    });
    return toHex(sha256(transactionOf(`${parts.join('\n')}\n${this.#network.framesCount}`)));
  }
}
