/** What the chapters of a replica (protocol.md sections 2 to 7) share: who and when it is, and where effects go. */
import type { Hash, Height, ValidatorIndex } from '../model/brands.ts';
import type { FaultProof } from '../model/fault-proof.ts';
import type { ProtocolConstants } from './constants.ts';
import type { Effect, Instant } from './effects.ts';
import type { EpochSet, PreviousEpoch } from './epochs/epoch.ts';

export type ReplicaContext = {
  readonly ledgerHash: Hash;
  readonly set: EpochSet;
  readonly selfId: string;
  /** Place of this node in the set; one past its end where it is no validator. */
  readonly self: ValidatorIndex;
  readonly constants: ProtocolConstants;
  /** The moment of the step under way. */
  now: Instant;
  /** The epoch before; null in the first one. */
  readonly previous: PreviousEpoch | null;
  /** False while this node must sign no vote and no batch: it is fenced, has not heard from a quorum yet, or is no validator of the set. */
  maySign: boolean;
  /** The same for checkpoints, which a validator of the epoch before goes on signing for the heights of that epoch. */
  maySignCheckpoints: boolean;
  /** Height of the highest finalized block known in full. */
  finalizedHeight(): Height;
  emit(effect: Effect): void;
  /** Records a proof of fault, once. */
  prove(proof: FaultProof): void;
  /** Whether a proof of this kind is held already: another one would say nothing new. */
  isProven(accused: ValidatorIndex, type: FaultProof['type']): boolean;
};
