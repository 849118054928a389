/**
 * An adversary is an honest node whose words are changed on the way out: what it sends to each peer is rewritten, with its
 * own keys. So it knows everything an honest node knows, and lies as well as it likes.
 */
import {
  type Hash,
  type Message,
  type SignedVote,
  type Signer,
  toValidatorIndex,
  type Vote,
  voteSignedBytes,
} from '@cairn-ledger/core';
import type { Random } from '../random.ts';
import type { VirtualDisk } from '../virtual-disk.ts';

export type Adversary = {
  readonly name: string;
  /** Overhears what reaches the node. */
  hear?(message: Message): void;
  /** What it does to its own disk when it goes down. */
  onCrash?(disk: VirtualDisk): void;
  /** What is sent to a peer instead of this message; empty for silence. */
  rewrite(message: Message, to: number): readonly Message[];
};

/** What an adversary is made of. */
export type AdversaryParts = {
  readonly self: number;
  readonly nodesCount: number;
  readonly ledgerHash: Hash;
  readonly votingSigner: Signer;
  readonly random: Random;
};

export function signVote({ self, ledgerHash, votingSigner }: AdversaryParts, vote: Vote): SignedVote {
  return { vote, signer: toValidatorIndex(self), signature: votingSigner.sign(voteSignedBytes(vote, ledgerHash)) };
}
