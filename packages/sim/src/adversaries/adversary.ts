/**
 * An adversary is an honest node whose words are changed on the way out: what it sends to each peer is rewritten, held
 * back or garbled, and it says things nobody asked for, all with its own keys. So it knows everything an honest node
 * knows, and lies as well as it likes. What it cannot do is sign with a key that is not its own (fake-crypto.ts).
 */
import {
  type Block,
  createBlock,
  type Hash,
  type Message,
  type Proposal,
  type SignedVote,
  type Signer,
  toValidatorIndex,
  type Validator,
  type Vote,
  voteSignedBytes,
} from '@cairn-ledger/core';
import type { Random } from '../random.ts';
import type { VirtualDisk } from '../virtual-disk.ts';
import type { Conspiracy } from './conspiracy.ts';

export type Adversary = {
  readonly name: string;
  /** Overhears what reaches the node. */
  hear?(message: Message): void;
  /** What it does to its own disk when it goes down. */
  onCrash?(disk: VirtualDisk): void;
  /** What is sent to a peer instead of this message; empty for silence. */
  rewrite(message: Message, to: number): readonly Message[];
  /** What it says unasked; called every `speakEveryMs`. */
  speak?(): readonly Spoken[];
  /** For how long a message is held back, in milliseconds. */
  delayMs?(message: Message): number;
  /** The bytes that go on the link instead of these. */
  garble?(frame: Uint8Array): readonly Uint8Array[];
};

export type Spoken = { readonly to: number; readonly message: Message };

/** Between two moments at which an adversary may speak unasked, in milliseconds. */
export const speakEveryMs = 40;

/** What an adversary is made of. */
export type AdversaryParts = {
  readonly self: number;
  readonly nodesCount: number;
  readonly ledgerHash: Hash;
  readonly votingSigner: Signer;
  readonly checkpointSigner: Signer;
  /** As the others know it. */
  readonly validator: Validator;
  readonly random: Random;
  /** What the Byzantine nodes of a world have agreed among themselves. */
  readonly conspiracy: Conspiracy;
};

export function signVote({ self, ledgerHash, votingSigner }: AdversaryParts, vote: Vote): SignedVote {
  return { vote, signer: toValidatorIndex(self), signature: votingSigner.sign(voteSignedBytes(vote, ledgerHash)) };
}

/** Some other validator. */
export function pickPeer({ self, nodesCount, random }: AdversaryParts): number {
  return (self + random.integer(1, nodesCount - 1)) % nodesCount;
}

/** As many as a certificate needs. */
export function quorumOf({ nodesCount }: AdversaryParts): number {
  return nodesCount - Math.floor((nodesCount - 1) / 3);
}

/** Another valid block at the same place, or on another parent: a moment later, and without the listed batches. */
export function siblingOf({ header }: Block, parent: Hash = header.parent): Block {
  return createBlock({ ...header, parent, timeMs: header.timeMs + 1 }, [], []);
}

/** A proposal of this block, and the vote that proposes it. */
export function propose(parts: AdversaryParts, like: Proposal, block: Block): Message {
  const proposal = { ...like, digest: block.digest };
  return { type: 'proposal', vote: signVote(parts, { type: 'notarize', proposal }), block };
}

/** The last so many things of a kind: what an adversary remembers of what it heard. */
export class Recent<T> {
  readonly #items: T[] = [];
  readonly #countMax: number;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  add(item: T): void {
    this.#items.push(item);
    if (this.#items.length > this.#countMax) this.#items.shift();
  }

  pick(random: Random): T | null {
    return this.#items.length === 0 ? null : random.pick(this.#items);
  }

  last(): T | null {
    return this.#items.at(-1) ?? null;
  }

  all(): readonly T[] {
    return this.#items;
  }
}
