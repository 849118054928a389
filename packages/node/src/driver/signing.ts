/** Everything that a node signs for the protocol, with the key and the place of the epoch that it belongs to. */
import {
  type Batch,
  type CheckpointSignature,
  equalBytes,
  type Hash,
  indexIn,
  type Outcome,
  type SignedVote,
  type Signer,
  signBatch,
  signCheckpoint,
  signedBytes,
  type UnsignedBatch,
  type Vote,
  voteSignedBytes,
} from '@cairn-ledger/core';
import type { EpochView } from './epoch-view.ts';
import type { DriverPorts } from './ports.ts';

export class Signing {
  readonly #votes: Signer;
  readonly #checkpoints: Signer;
  readonly #ledgerHash: Hash;
  readonly #selfId: string;

  constructor(
    { votingSigner, checkpointSigner }: Pick<DriverPorts, 'votingSigner' | 'checkpointSigner'>,
    ledgerHash: Hash,
    selfId: string,
  ) {
    this.#votes = votingSigner;
    this.#checkpoints = checkpointSigner;
    this.#ledgerHash = ledgerHash;
    this.#selfId = selfId;
  }

  vote(vote: Vote, { self }: EpochView): SignedVote {
    return { vote, signer: self, signature: this.#votes.sign(voteSignedBytes(vote, this.#ledgerHash)) };
  }

  batch(batch: UnsignedBatch): Batch {
    return signBatch(batch, this.#votes.sign(signedBytes('batch', this.#ledgerHash, batch.headerBytes)));
  }

  /** With the key, and the place, of the epoch of that height; null where this node has none in it. */
  checkpoint({ statement, timeMs }: Outcome, { set, previous }: EpochView): CheckpointSignature | null {
    const signers = previous !== null && statement.epoch === previous.set.epoch ? previous.set : set;
    const place = indexIn(signers, this.#selfId);
    if (place === null || signers.epoch !== statement.epoch) return null;
    const validator = signers.validators[place]!;
    // Who has been given another key since cannot sign for the old one.
    if (!equalBytes(validator.checkpointKey, this.#checkpoints.publicKey)) return null;
    return signCheckpoint(statement, place, validator, Math.floor(timeMs / 1000), this.#checkpoints);
  }
}
