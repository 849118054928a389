/**
 * The story of a world: which rule fired at which node, and what it made known to whom (protocol.md section 3, whose rules
 * are named in brackets). Acknowledgements, requests, repeats on connecting and other talk of every moment are left out.
 */
import {
  type Certificate,
  decodeCbor,
  decodeMessage,
  type Fact,
  type JournalRecord,
  type Message,
  readVote,
  toHex,
  unreachable,
  type Vote,
  viewOfVote,
} from '@cairn-ledger/core';
import type { WorldEvent } from './observer.ts';
import { certificateText } from './trace-frames.ts';
import type { Reach, TraceLines } from './trace-lines.ts';
import { batchText, type TraceNames } from './trace-names.ts';

/** The first item of a message of this type: what costs little is looked at first. */
const chainType = 14;
const voteKinds = ['notarize', 'nullify', 'finalize'];
const reasons = {
  'leader-late': 'no proposal came in time',
  'certification-late': 'it was not certified in time',
  'invalid-proposal': 'the proposal is invalid',
  'rejected-notarization': 'the notarized block is rejected',
  'leader-nullified': 'its leader has nullified it',
  'leader-silent': 'its leader is silent',
  'leader-suspended': 'its leader is suspended',
} as const;

type Input = { readonly node: number; readonly from: number; readonly frame: Uint8Array; readonly atMs: number };

export class TraceStory {
  readonly #names: TraceNames;
  readonly #lines: TraceLines;
  readonly #links = new Map<number, Set<number>>();
  /** What each place has ever voted, with the reach of the vote. */
  readonly #said = new Map<string, Reach>();
  /** Why the last nullify of a node was decided. */
  readonly #reasons = new Map<number, string>();
  #input: Input | null = null;

  constructor(names: TraceNames, lines: TraceLines) {
    this.#names = names;
    this.#lines = lines;
  }

  observe(event: WorldEvent, nowMs: number): void {
    const does = (node: number, one: string, many: string, rest = '') =>
      this.#lines.clause(node, { say: (isOne) => (isOne ? one : many) + rest, reach: null }, nowMs);
    switch (event.type) {
      case 'started':
        if (event.recordsCount === 0) return does(event.node, 'starts', 'start', ' with an empty journal');
        return does(event.node, 'starts', 'start', ` with ${event.recordsCount} records in the journal`);
      case 'crashed':
        return does(event.node, 'crashes', 'crash');
      case 'connected':
        this.#linksOf(event.a).add(event.b);
        this.#linksOf(event.b).add(event.a);
        return;
      case 'disconnected':
        this.#linksOf(event.a).delete(event.b);
        this.#linksOf(event.b).delete(event.a);
        return;
      case 'sent':
        return this.#onSent(event.from, event.to, event.frame, event.isLost, nowMs);
      case 'received':
        this.#input = { node: event.to, from: event.from, frame: event.frame, atMs: nowMs };
        return;
      case 'recorded':
        return this.#onRecorded(event.node, event.record, nowMs);
      case 'signed': {
        const vote = voteOfSigned(event.bytes);
        if (vote !== null) this.#onVote(event.node, vote, nowMs);
        return;
      }
      case 'sealed':
        return does(event.node, 'seals', 'seal', ` ${batchText(event.batch)}`);
      case 'executed': {
        const { block } = event;
        this.#names.meet(block);
        return does(
          event.node,
          'executes',
          'execute',
          ` ${this.#names.block(block.digest)} (height ${block.header.height})`,
        );
      }
      case 'fact':
        return this.#onFact(event.node, event.fact, nowMs);
      case 'refused':
        return does(event.node, 'refuses', 'refuse', ` what node ${event.peer} sent: ${event.text}`);
      case 'fenced':
        return does(event.node, 'fences itself', 'fence themselves', `: ${event.text}`);
      case 'epoch':
        return does(
          event.node,
          'begins',
          'begin',
          ` epoch ${event.set.epoch}: ${event.set.validators.map(({ id }) => Number(id.slice(1))).join(', ')} vote [5]`,
        );
      case 'unfenced':
        return does(event.node, 'is back, and signs', 'are back, and sign', ' again');
      case 'failed':
        return does(event.node, 'stops', 'stop', `: ${event.text}`);
      case 'fault-begins':
        return this.#lines.aside(`--- fault begins: ${event.fault}`, nowMs);
      case 'fault-ends':
        return this.#lines.aside(`--- fault ends: ${event.fault}`, nowMs);
      default:
        return unreachable(event);
    }
  }

  #linksOf(place: number): Set<number> {
    let links = this.#links.get(place);
    if (links === undefined) {
      links = new Set();
      this.#links.set(place, links);
    }
    return links;
  }

  // --- Votes --------------------------------------------------------------------------------------------------------

  /** A vote is cast, or cast again after a restart or a while. */
  #onVote(node: number, vote: Vote, nowMs: number): void {
    const key = `${node}/${nameOfVote(vote)}`;
    const isAgain = this.#said.has(key);
    const reach: Reach = { linked: new Set(this.#linksOf(node)), told: new Set(), lost: new Set() };
    this.#said.set(key, reach);
    const [one, many, rest] = this.#votingOf(node, vote, isAgain);
    this.#lines.clause(node, { say: (isOne) => (isOne ? one : many) + rest, reach }, nowMs);
  }

  #votingOf(node: number, vote: Vote, isAgain: boolean): readonly [one: string, many: string, rest: string] {
    const again = isAgain ? ' again' : '';
    if (vote.type === 'nullify') {
      const why = isAgain ? '' : `: ${this.#reasons.get(node) ?? 'unknown'}`;
      return ['nullifies', 'nullify', ` view ${vote.view}${again}${why} [R5]`];
    }
    const { proposal } = vote;
    const isNew = !this.#names.isNamed(proposal.digest);
    const block = this.#names.block(proposal.digest);
    if (vote.type === 'finalize')
      return ['votes', 'vote', ` to finalize ${block} of view ${proposal.view}${again} [R6]`];
    const isLeader = this.#names.leaderOf(proposal.epoch, proposal.view) === this.#names.indexOf(node);
    if (!isLeader) return ['notarizes', 'notarize', ` ${block} in view ${proposal.view}${again} [R3]`];
    const description = this.#names.describe(proposal.digest);
    const what = isNew ? description && `: ${description}` : isAgain ? ' again' : ' once more, unchanged';
    return ['proposes', 'propose', ` ${block} in view ${proposal.view} on view ${proposal.parentView}${what} [R2]`];
  }

  /** Whom a vote reaches; and what a Byzantine node says that no honest one decided. */
  #onSent(from: number, to: number, frame: Uint8Array, isLost: boolean, nowMs: number): void {
    if (frame[1] !== 0 && frame[1] !== 1 && frame[1] !== chainType) return;
    const message = messageOf(frame);
    if (message?.type === 'chain') {
      const heights = message.blocks.map(({ header }) => header.height);
      const rest = ` ${heightsText(heights)} to node ${this.#names.place(to)}`;
      return this.#lines.clause(from, { say: (isOne) => (isOne ? 'sends' : 'send') + rest, reach: null }, nowMs);
    }
    if (message === null || (message.type !== 'proposal' && message.type !== 'vote')) return;
    const { vote, signer } = message.vote;
    if (signer !== this.#names.indexOf(from)) return;
    if (message.type === 'proposal') this.#names.meet(message.block);
    const key = `${from}/${nameOfVote(vote)}`;
    if (!this.#said.has(key)) this.#onVote(from, vote, nowMs);
    const reach = this.#said.get(key)!;
    if (isLost) reach.lost.add(to);
    else reach.told.add(to);
  }

  // --- Certificates and facts ---------------------------------------------------------------------------------------

  #onRecorded(node: number, record: JournalRecord, nowMs: number): void {
    const does = (one: string, many: string, rest: string) =>
      this.#lines.clause(node, { say: (isOne) => (isOne ? one : many) + rest, reach: null }, nowMs);
    if (record.type === 'block') this.#names.meet(record.block);
    if (record.type === 'certified')
      does(record.isOk ? 'certifies' : 'rejects', record.isOk ? 'certify' : 'reject', ` view ${record.view} [R4]`);
    if (record.type !== 'certificate') return;
    const { certificate } = record;
    const rule = { notarize: 'R4', nullify: 'R5', finalize: 'R6' }[certificate.vote.type];
    const from = this.#senderOf(node, certificate, nowMs);
    const text = ` the ${certificateText(certificate, this.#names)}`;
    if (from === null) does('forms', 'form', `${text} [${rule}]`);
    else does('gets', 'get', `${text} from node ${this.#names.place(from)}`);
  }

  /** Who has sent a certificate that is new; null when it was formed of votes. */
  #senderOf(node: number, { vote }: Certificate, nowMs: number): number | null {
    const input = this.#input;
    if (input === null || input.node !== node || input.atMs !== nowMs) return null;
    const message = messageOf(input.frame);
    if (message === null) return null;
    const carried = certificateIn(message);
    return carried !== null && nameOfVote(carried.vote) === nameOfVote(vote) ? input.from : null;
  }

  #onFact(node: number, fact: Fact, nowMs: number): void {
    const does = (one: string, many: string, rest: string) =>
      this.#lines.clause(node, { say: (isOne) => (isOne ? one : many) + rest, reach: null }, nowMs);
    switch (fact.type) {
      case 'entered-view':
        if (fact.by === 'start' && fact.view > 1) return does('is in', 'are in', ` view ${fact.view}`);
        if (fact.by === 'start') return;
        return does('enters', 'enter', ` view ${fact.view} [R1]`);
      case 'nullified':
        this.#reasons.set(node, reasons[fact.reason]);
        return;
      case 'finalized':
        return does('finalizes', 'finalize', ` ${this.#names.block(fact.digest)}`);
      case 'fault-proven':
        return does('proves', 'prove', ` node ${fact.accused} faulty (${fact.kind})`);
      case 'fork':
        return does('finds', 'find', ` that the chain is forked at view ${fact.view}`);
      case 'checkpoint-certified':
        return does('holds', 'hold', ` the certified checkpoint of height ${fact.height}`);
      case 'syncing':
        return does('asks', 'ask', ` for the chain from height ${fact.from}`);
      case 'start-checked':
        return does('has heard from a quorum, and signs', 'have heard from a quorum, and sign', '');
      default:
        return unreachable(fact);
    }
  }
}

/** `heights 1 to 6`; one by one where they are out of order. */
function heightsText(heights: readonly number[]): string {
  const isRun = heights.every((height, i) => height === heights[0]! + i);
  return isRun && heights.length > 2 ? `heights ${heights[0]} to ${heights.at(-1)}` : `heights ${heights.join(', ')}`;
}

function certificateIn(message: Message): Certificate | null {
  if (message.type === 'certificate') return message.certificate;
  if (message.type === 'vote') return message.entry;
  return message.type === 'chain' ? message.finalization : null;
}

/** The vote under a signature of the voting key; null for a batch. */
function voteOfSigned(bytes: Uint8Array): Vote | null {
  const decoded = decodeCbor(bytes);
  if (!decoded.ok || !Array.isArray(decoded.value)) return null;
  const kind = voteKinds.indexOf(decoded.value[1] as string);
  return kind < 0 ? null : readVote([kind, decoded.value[3]!]);
}

function nameOfVote(vote: Vote): string {
  const digest = vote.type === 'nullify' ? '' : `${vote.proposal.parentView}/${toHex(vote.proposal.digest)}`;
  return `${vote.type}/${viewOfVote(vote)}/${digest}`;
}

const messages = new WeakMap<Uint8Array, Message | null>();

/** A frame sent to many is one array: it is read once. */
export function messageOf(frame: Uint8Array): Message | null {
  let message = messages.get(frame);
  if (message === undefined) {
    const decoded = decodeMessage(frame);
    message = decoded.ok ? decoded.value : null;
    messages.set(frame, message);
  }
  return message;
}
