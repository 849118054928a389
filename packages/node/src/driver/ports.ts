/** What a driver needs of the world outside, and why it may stop signing. */
import type {
  Batch,
  Block,
  CairnError,
  Certificate,
  Channel,
  CheckpointSignature,
  CheckpointStatement,
  EpochProof,
  EpochSet,
  Fact,
  Instant,
  JournalRecord,
  Message,
  ProtocolConstants,
  ProvenFault,
  Signer,
  Verifier,
} from '@cairn-ledger/core';
import type { SigningMark } from './signing-mark.ts';

/**
 * `diverged`: an own result differs from a certified one. `rolled-back`: the safety record remembers less than was signed; this
 * ends by itself in the epoch whose set names the life number of the present record. `damaged`: what is kept is not what was
 * written. `restart`: the members have ended the epoch at a height that this node has yet to come to. `operator`: somebody took the
 * node out.
 */
export type FenceReason = 'diverged' | 'damaged' | 'rolled-back' | 'restart' | 'operator';

export type DriverPorts = {
  readonly now: () => Instant;
  /** Calls back once, as soon as the work at hand is done. */
  readonly defer: (callback: () => void) => void;
  /** Calls back at this moment of `Instant.ms`; a new call replaces the one before. */
  readonly setTimer: (atMs: number, callback: () => void) => void;
  readonly journal: {
    append(record: JournalRecord): void;
    /** Calls back when everything appended so far is durable. */
    sync(done: (error: CairnError | null) => void): void;
  };
  readonly writeMark: (mark: SigningMark) => void;
  /** Peers are named by the id of their validator, or whatever their link says who they are. */
  readonly send: (peer: string, channel: Channel, frame: Uint8Array) => void;
  /** 16 random bytes: a life number. */
  readonly drawLife: () => Uint8Array;
  readonly votingSigner: Signer;
  readonly checkpointSigner: Signer;
  readonly verifier: Verifier;
  readonly ledger: {
    execute(
      block: Block,
      batches: readonly Batch[],
      finalization: Certificate | null,
      misbehaviour: readonly ProvenFault[],
    ): void;
    keepCertified(statement: CheckpointStatement, signatures: readonly CheckpointSignature[]): void;
    /** Answers a request from storage; null when it has no answer. */
    serve(request: Message, answer: (message: Message | null) => void, from: string): void;
  };
  /** A batch is held durably from now on: its device signatures may be checked. */
  readonly onBatch: (batch: Batch, isOwn: boolean) => void;
  /** @param set of the epoch in which it was found: indices in the fact are places in it */
  readonly onFact: (fact: Fact, set: EpochSet) => void;
  readonly onRefused: (peer: string, error: CairnError) => void;
  /** A peer hands transactions over, to be admitted and sealed here. */
  readonly onHandedOver: (peer: string, transactions: readonly Uint8Array[]) => void;
  /** A peer speaks of an epoch above the own one. */
  readonly onLaterEpoch?: (peer: string, epoch: number) => void;
  /** A peer tells how epochs ended; a replica has no use for it. */
  readonly onEpochs?: (peer: string, proofs: readonly EpochProof[]) => void;
  /** Whether a message answers what another part of the node has asked this peer: then it is not for the replica. */
  readonly takesAnswer?: (peer: string, message: Message) => boolean;
  /** An epoch begins while the node runs. */
  readonly onEpoch: (set: EpochSet) => void;
  /** Constants for the epoch that begins, where members may have changed them; without it they stay. */
  readonly constants?: () => ProtocolConstants;
  /** Nothing is signed from here on; told once for each reason. */
  readonly onFenced: (reason: FenceReason) => void;
  /** The last fence has ended: the set of the epoch that has just begun names this record's life number, or it was lifted. */
  readonly onUnfenced: () => void;
  readonly onFailed: (error: CairnError) => void;
};
