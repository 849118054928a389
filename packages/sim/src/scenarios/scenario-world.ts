/**
 * A small world for a story that is known beforehand: virtual nodes with fixed delays and no chance in anything. What
 * happens to it is scripted with verbs; what follows is the protocol's, and is compared with a golden transcript.
 *
 * Four validators, every frame takes 10 ms, syncs and everything else take none, Delta is 100 ms. View v is led by node
 * (1 + v) mod n: view 1 by node 2.
 */
import assert from 'node:assert/strict';
import {
  type Batch,
  type Block,
  type Certificate,
  channelOf,
  createCertificate,
  defaultConstants,
  encodeMessage,
  type Fact,
  type Message,
  type ProtocolConstants,
  type SignedVote,
  toEpoch,
  toHex,
  toValidatorIndex,
  toView,
  type Vote,
  voteSignedBytes,
} from '@cairn-ledger/core';
import { AgreementChecker, Violations } from '../checkers.ts';
import { EventQueue } from '../event-queue.ts';
import type { Observer } from '../observer.ts';
import { installQuickPlatform } from '../quick-platform.ts';
import type { Random } from '../random.ts';
import { namesIn, transactionOf } from '../submitter.ts';
import { createTrace, type Trace } from '../trace.ts';
import { messageOf } from '../trace-story.ts';
import { createVirtualChain, indexOfName, type VirtualChain } from '../virtual-chain.ts';
import { VirtualNetwork } from '../virtual-network.ts';
import { type NodeWorld, VirtualNode } from '../virtual-node.ts';
import { recertifyDisk } from '../virtual-recertify.ts';
import { restartDisk } from '../virtual-restart.ts';
import { compareWithGolden } from './golden.ts';

installQuickPlatform();

export const delayMs = 10;
export const deltaMs = 100;

export type ScenarioOptions = {
  /** File name of the transcript: number and a few words. */
  readonly name: string;
  /** What happens, in a sentence or two: the beginning of the transcript. */
  readonly tells: string;
  readonly nodesCount?: number;
  /** Nodes that are no validators at first, with the numbers behind theirs. */
  readonly joinersCount?: number;
  /** Validators that run twice with one key; their second places follow the others. */
  readonly twins?: readonly number[];
  readonly byzantine?: readonly number[];
  readonly constants?: Partial<ProtocolConstants>;
};

/** What an honest node refuses, and of whom. */
export type Refusal = { readonly node: number; readonly peer: number; readonly code: string; readonly message: string };

/** Delays are what they are said to be, and nothing happens by chance. */
const noChance: Random = { next: () => 1, integer: (min) => min, chance: () => false, pick: (items) => items[0]! };

export class ScenarioWorld {
  readonly events = new EventQueue();
  readonly chain: VirtualChain;
  readonly network: VirtualNetwork;
  readonly nodes: readonly VirtualNode[];
  readonly refusals: Refusal[] = [];
  readonly #facts: { readonly node: number; readonly fact: Fact }[] = [];
  readonly #signed: { readonly node: number; readonly atMs: number }[] = [];
  readonly #violations = new Violations();
  readonly #agreement = new AgreementChecker(this.#violations);
  readonly #executed: Set<string>[];
  readonly #trace: Trace;
  readonly #lines: string[];
  readonly #name: string;
  #isTold = true;

  constructor(options: ScenarioOptions) {
    const { name, tells, nodesCount = 4, joinersCount = 0, twins = [], byzantine = [], constants = {} } = options;
    const identities = [...Array.from({ length: nodesCount + joinersCount }, (_, i) => i), ...twins];
    this.#name = name;
    this.#lines = [tells, ''];
    this.#trace = createTrace({
      mode: 'story',
      validatorsCount: nodesCount + joinersCount,
      twins,
      write: (line) => {
        if (this.#isTold) this.#lines.push(line);
      },
    });
    this.chain = createVirtualChain(nodesCount, { ...defaultConstants, deltaMs, ...constants }, joinersCount);
    const profile = { delayMinMs: delayMs, delayMaxMs: delayMs, lossShare: 0 };
    const observer: Observer = (event, nowMs) => {
      if (event.type === 'signed') this.#signed.push({ node: event.node, atMs: nowMs });
      this.#trace.observe(event, nowMs);
    };
    this.network = new VirtualNetwork(this.events, noChance, identities, profile, observer);
    this.#executed = identities.map(() => new Set());
    const world: NodeWorld = {
      chain: this.chain,
      events: this.events,
      network: this.network,
      violations: this.#violations,
      observer,
      monitor: {
        onExecuted: (node, block, batches, outcome) => {
          const { isHonest, disk } = this.nodes[node]!;
          const isWrong = block.header.height >= disk.wrongFrom;
          if (isHonest && !isWrong) this.#agreement.onExecuted(node, block, outcome);
          for (const each of namesIn(batches)) this.#executed[node]!.add(each);
        },
        onMisbehaviour: () => undefined,
        onSealed: () => undefined,
        onHandedOver: () => undefined,
        onEpoch: () => undefined,
        onFact: (node, fact) => this.#facts.push({ node, fact }),
        onFenced: () => undefined,
        onRefused: (node, peer, { code, message }) => this.refusals.push({ node, peer, code, message }),
        onFailed: (node) => this.nodes[node]!.crash(),
      },
    };
    const delays = { syncMs: 0, executeMs: 0, clockOffsetMs: 0 };
    this.nodes = identities.map((index, place) => new VirtualNode(place, index, world, noChance, delays));
    for (const node of this.nodes)
      if (byzantine.includes(node.index) || twins.includes(node.index)) node.isHonest = false;
  }

  get nowMs(): number {
    return this.events.nowMs;
  }

  // --- Time and the story --------------------------------------------------------------------------------------------

  note(text: string): void {
    this.#trace.note(`--- ${text}`, this.nowMs);
  }

  pass(durationMs: number): void {
    const endMs = this.nowMs + durationMs;
    while (this.events.step(endMs));
    this.events.nowMs = endMs;
  }

  /** Lets time pass until something holds; a scenario in which it never does has failed. */
  until(what: string, holds: () => boolean, withinMs = 20_000): void {
    const endMs = this.nowMs + withinMs;
    while (!holds()) {
      const isMore = this.events.step(endMs);
      assert.ok(isMore, `${what}: not within ${withinMs} ms\n${this.#transcript()}`);
    }
  }

  /** Ends with the things under way: so long that answers arrive and are answered. */
  settle(): void {
    this.pass(4 * delayMs);
  }

  /** What happens meanwhile is not told: too much of the same. */
  untold(what: () => string, happens: () => void): void {
    this.#trace.note('...', this.nowMs);
    this.#isTold = false;
    happens();
    this.#trace.finish();
    this.#isTold = true;
    this.note(what());
  }

  // --- What happens to it --------------------------------------------------------------------------------------------

  start(...places: readonly number[]): void {
    for (const place of places.length > 0 ? places : this.nodes.keys()) this.nodes[place]!.start();
    this.pass(3 * delayMs);
  }

  submit(node: number, transaction: string): void {
    this.nodes[node]!.submit([transactionOf(transaction)]);
  }

  /** Submits, and lets time pass until everybody named, or everybody who lives, has executed it. */
  commit(node: number, transaction: string, by?: readonly number[]): void {
    this.submit(node, transaction);
    this.untilExecuted(transaction, by);
  }

  untilExecuted(transaction: string, by?: readonly number[], withinMs?: number): void {
    const places = by ?? this.nodes.filter(({ driver }) => driver !== null).map(({ place }) => place);
    const hold = () => places.every((place) => this.hasExecuted(place, transaction));
    this.until(`"${transaction}" is executed by nodes ${places.join(', ')}`, hold, withinMs);
    this.settle();
  }

  /** A disk was put back: what came after is executed once more. */
  forgetExecuted(place: number): void {
    const { executed } = this.nodes[place]!.disk;
    this.#agreement.onRolledBack(place, executed.length);
    this.#executed[place] = new Set(executed.flatMap(({ batches }) => namesIn(batches)));
  }

  /** All nodes are down, and have executed the same: the members end the epoch there. The first of the present set go on with these lives. */
  restart(lives: readonly (Uint8Array | null)[]): void {
    const validators = this.chain.everybody.slice(0, lives.length).map((each, i) => ({ ...each, life: lives[i]! }));
    for (const { place, disk } of this.nodes) {
      restartDisk(disk, this.chain, validators);
      this.forgetExecuted(place);
    }
    this.note(`the members restart the network above height ${this.nodes[0]!.disk.executed.length - 1}`);
  }

  /** A bug: what these compute of the blocks that come now is not what it should be. */
  makeWrong(...places: readonly number[]): void {
    for (const place of places) {
      const { disk } = this.nodes[place]!;
      disk.wrongFrom = disk.executed.length + 1;
    }
    this.note(`a bug: from here on nodes ${this.#placesText(places)} have other results`);
  }

  /** They are down, and get software that has no bug. */
  mend(...places: readonly number[]): void {
    for (const place of places) this.nodes[place]!.disk.wrongFrom = Number.POSITIVE_INFINITY;
    this.note(`the software of nodes ${this.#placesText(places)} is mended`);
  }

  /** They are down, and their operators have what is above a height executed again, in a round. */
  recertify(above: number, round: number, ...places: readonly number[]): void {
    for (const place of places) {
      recertifyDisk(this.nodes[place]!.disk, this.chain, { above, round });
      this.forgetExecuted(place);
    }
    this.note(`nodes ${this.#placesText(places)} execute again what is above height ${above}, in round ${round}`);
  }

  crash(...places: readonly number[]): void {
    for (const place of places) this.nodes[place]!.crash();
  }

  /** Those of a group reach each other; who is in no group is alone. */
  partition(...groups: readonly (readonly number[])[]): void {
    const groupOf = (place: number) => groups.findIndex((group) => group.includes(place));
    this.note(`a partition: ${groups.map((group) => this.#placesText(group)).join(' | ')}`);
    this.network.partition(this.nodes.map(({ place }) => (groupOf(place) < 0 ? -1 - place : groupOf(place))));
  }

  heal(): void {
    this.note('the partition heals');
    this.network.heal();
  }

  /** Loses the messages that a rule names, until the answer is called. */
  lose(what: string, rule: (message: Message, from: number, to: number) => boolean): () => void {
    this.note(`${what} get lost`);
    const end = this.network.lose((from, to, frame) => {
      const message = messageOf(frame);
      return message !== null && rule(message, from, to);
    });
    return () => {
      this.note(`${what} get through again`);
      end();
    };
  }

  #placesText(places: readonly number[]): string {
    const { length } = this.chain.everybody;
    return places.map((place) => (place < length ? `${place}` : `${this.nodes[place]!.index}'`)).join(' ');
  }

  // --- What a Byzantine node does ------------------------------------------------------------------------------------

  /** What a node sends is rewritten from now on. */
  rewrite(node: number, rewrite: (message: Message, to: number) => readonly Message[]): void {
    assert.ok(!this.nodes[node]!.isHonest, 'only a Byzantine node lies');
    this.nodes[node]!.adversary = { name: 'scripted', rewrite };
  }

  say(node: number, to: readonly number[], message: Message): void {
    const frame = encodeMessage(message);
    for (const peer of to) this.network.send(node, peer, channelOf(message), frame);
  }

  sayBytes(node: number, to: readonly number[], bytes: Uint8Array): void {
    for (const peer of to) this.network.send(node, peer, 'control', bytes);
  }

  sign(node: number, vote: Vote): SignedVote {
    const signature = this.chain.signers[node]!.voting.sign(voteSignedBytes(vote, this.chain.ledgerHash));
    return { vote, signer: toValidatorIndex(node), signature };
  }

  nullify(node: number, view: number): SignedVote {
    return this.sign(node, { type: 'nullify', epoch: toEpoch(1), view: toView(view) });
  }

  certificate(vote: Vote, signers: readonly number[]): Certificate {
    return createCertificate(signers.map((signer) => this.sign(signer, vote)));
  }

  // --- What is so ----------------------------------------------------------------------------------------------------

  /** The epoch a node is in, and who votes in it by its account. */
  epoch(place: number): { readonly number: number; readonly validators: readonly number[] } {
    const { epoch, validators } = this.nodes[place]!.driver!.set;
    return { number: epoch, validators: validators.map(({ id }) => indexOfName(id)) };
  }

  view(place: number): number {
    return this.nodes[place]!.driver?.replica.agreement.view ?? 0;
  }

  facts<T extends Fact['type']>(place: number, type: T): Extract<Fact, { type: T }>[] {
    return this.#facts.flatMap(({ node, fact }) =>
      node === place && fact.type === type ? [fact as Extract<Fact, { type: T }>] : [],
    );
  }

  /** How many votes and batches a node has signed since a moment. */
  signedSince(place: number, sinceMs: number): number {
    return this.#signed.filter(({ node, atMs }) => node === place && atMs >= sinceMs).length;
  }

  hasExecuted(place: number, transaction: string): boolean {
    return this.#executed[place]!.has(transaction);
  }

  /** Names of the transactions that a node executed, in order. */
  executed(place: number): string[] {
    return this.nodes[place]!.disk.executed.flatMap(({ batches }) => namesIn(batches as readonly Batch[]));
  }

  blocks(place: number): readonly Block[] {
    return this.nodes[place]!.disk.executed.map(({ block }) => block);
  }

  /** The faulty, as a node can prove it. */
  proven(place: number): number[] {
    return [...(this.nodes[place]!.driver?.replica.proofs() ?? [])].map(({ accused }) => accused);
  }

  /** The promises that hold in every scenario, and the transcript. */
  finish(): void {
    this.#trace.finish();
    assert.deepEqual(this.#violations.list(), [], this.#transcript());
    for (const { place, isHonest } of this.nodes) {
      if (!isHonest) continue;
      for (const accused of this.proven(place))
        assert.ok(!this.nodes[accused]!.isHonest, `honest node ${accused} is proven faulty by node ${place}`);
    }
    this.#checkPrefixes();
    compareWithGolden(this.#name, this.#transcript());
  }

  /** Of two honest nodes one has executed what the other has, and maybe more. */
  #checkPrefixes(): void {
    const honest = this.nodes.filter(({ isHonest }) => isHonest);
    const chains = honest.map(({ place }) => this.blocks(place).map(({ digest }) => toHex(digest)));
    for (const a of chains)
      for (const b of chains) {
        const length = Math.min(a.length, b.length);
        assert.deepEqual(a.slice(0, length), b.slice(0, length), 'honest nodes differ');
      }
  }

  #transcript(): string {
    return `${this.#lines.join('\n')}\n`;
  }
}
