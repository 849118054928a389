/**
 * What goes into a replica and what comes out of it (protocol.md section 3, "Persist before sending"). The replica decides; the driver performs the effects in order.
 *
 * `vote`, `seal` and `sign-checkpoint` each mean: persist, then sign, then send, then feed the signed thing back. So the
 * core cannot express signing before persisting, and never holds a key.
 */

import type { Verified } from '../crypto/verified.ts';
import type { Batch, UnsignedBatch } from '../model/batch.ts';
import type { Block } from '../model/block.ts';
import type { Epoch, Hash, Height, ValidatorIndex, View } from '../model/brands.ts';
import type { Certificate } from '../model/certificate.ts';
import type { CheckpointStatement } from '../model/checkpoint.ts';
import type { CheckpointSignature } from '../model/checkpoint-signature.ts';
import type { EpochTarget } from '../model/epoch-target.ts';
import type { FaultProof } from '../model/fault-proof.ts';
import type { Message } from '../model/message.ts';
import type { SignedVote, Vote } from '../model/vote.ts';

/** The outcome of executing a block, that block's time in milliseconds, and by whom the ledger wants to be agreed on after it. */
export type Outcome = {
  readonly statement: CheckpointStatement;
  readonly timeMs: number;
  readonly target: EpochTarget;
};

/** A moment: `ms` runs evenly and only forward (timers); `wallMs` is the clock on the wall (block time). */
export type Instant = { readonly ms: number; readonly wallMs: number };

export type Input =
  /** Time has reached `deadline()`. */
  | { readonly type: 'tick' }
  | { readonly type: 'connected'; readonly peer: ValidatorIndex }
  | { readonly type: 'disconnected'; readonly peer: ValidatorIndex }
  | { readonly type: 'message'; readonly from: ValidatorIndex; readonly message: Verified<Message> }
  /** Transactions admitted at this node, to be sealed. */
  | { readonly type: 'transactions'; readonly transactions: readonly Uint8Array[] }
  /** Feedback of `vote`, `seal`, `sign-checkpoint`: durable, signed and sent. */
  | { readonly type: 'own-vote'; readonly signed: SignedVote }
  | { readonly type: 'own-batch'; readonly batch: Batch }
  | { readonly type: 'own-checkpoint'; readonly signature: CheckpointSignature }
  /** What the ledger has decided of a validator: its views may be skipped, or no longer. */
  | { readonly type: 'leader-hint'; readonly validator: ValidatorIndex; readonly isSuspended: boolean }
  /** A peer speaks of another epoch: nothing it says of that can be checked here. */
  | {
      readonly type: 'other-epoch';
      readonly from: ValidatorIndex;
      readonly epoch: Epoch;
      readonly message: Message['type'];
    }
  /** Feedback of `deliver`: executed, and the outcome is durable. */
  | { readonly type: 'executed'; readonly outcome: Outcome };

export type JournalRecord =
  | { readonly type: 'own-vote'; readonly vote: Vote }
  | { readonly type: 'own-checkpoint'; readonly statement: CheckpointStatement }
  | { readonly type: 'batch'; readonly batch: Batch }
  | { readonly type: 'block'; readonly block: Block }
  | { readonly type: 'certificate'; readonly certificate: Certificate }
  | { readonly type: 'certified'; readonly epoch: Epoch; readonly view: View; readonly isOk: boolean }
  | { readonly type: 'evidence'; readonly proof: FaultProof }
  /** The life number of this safety record (protocol.md section 6). */
  | { readonly type: 'life'; readonly life: Uint8Array };

/** A fault of a validator that a block has proven. */
export type ProvenFault = { readonly accused: ValidatorIndex; readonly kind: FaultProof['type'] };

/** To whom: every other validator, or some. */
export type Recipients = 'all' | readonly ValidatorIndex[];

export type Effect =
  | { readonly type: 'persist'; readonly record: JournalRecord }
  /** Persist the vote (and the block), sign, send to all, feed back. `isResend`: already durable, only sign and send. */
  | {
      readonly type: 'vote';
      readonly vote: Vote;
      readonly block: Block | null;
      readonly entry: Certificate | null;
      readonly isResend: boolean;
    }
  | { readonly type: 'seal'; readonly batch: UnsignedBatch }
  | { readonly type: 'sign-checkpoint'; readonly outcome: Outcome; readonly isResend: boolean }
  | { readonly type: 'send'; readonly to: Recipients; readonly message: Message }
  /** Answer a request from storage: what it asks for is no longer held by the replica. */
  | { readonly type: 'serve'; readonly to: ValidatorIndex; readonly request: Message }
  /** Execute a finalized block; heights arrive in order. `finalization` is null when only a descendant has one. */
  | {
      readonly type: 'deliver';
      readonly block: Block;
      readonly batches: readonly Batch[];
      readonly finalization: Certificate | null;
      /** Faults that the block proves, verified; each validator once on a chain. */
      readonly misbehaviour: readonly ProvenFault[];
    }
  /** A quorum has signed the own result of a height: keep the signatures. */
  | {
      readonly type: 'certified-checkpoint';
      readonly statement: CheckpointStatement;
      readonly signatures: readonly CheckpointSignature[];
    }
  /**
   * Stop signing anything at once. `diverged`: the own result of this height is not what was certified, or signed before.
   * `rolled-back`: a peer has shown something that this node has signed and does not remember.
   */
  | { readonly type: 'fence'; readonly reason: 'diverged' | 'rolled-back'; readonly height: Height }
  | { readonly type: 'report'; readonly fact: Fact };

/** What happened, for logs and metrics. */
export type Fact =
  | {
      readonly type: 'entered-view';
      readonly view: View;
      readonly by: 'nullification' | 'notarization' | 'finalization' | 'start';
    }
  | { readonly type: 'nullified'; readonly view: View; readonly reason: NullifyReason }
  | { readonly type: 'finalized'; readonly view: View; readonly digest: Hash }
  | { readonly type: 'fault-proven'; readonly accused: ValidatorIndex; readonly kind: FaultProof['type'] }
  /** The finalized chain is contradicted by a certificate of this view: more than f validators are Byzantine. */
  | { readonly type: 'fork'; readonly view: View }
  | { readonly type: 'checkpoint-certified'; readonly height: Height }
  /** A quorum has said where it is: this node signs from now on. */
  | { readonly type: 'start-checked' }
  | { readonly type: 'syncing'; readonly from: Height };

export type NullifyReason =
  | 'leader-late'
  | 'certification-late'
  | 'invalid-proposal'
  | 'rejected-notarization'
  | 'leader-nullified'
  | 'leader-silent'
  | 'leader-suspended';
