/** Where a replica starts from: storage answers after a start of the process, the epoch before where one follows another. */
import type { Hash, Height, ValidatorIndex } from '../model/brands.ts';
import type { Certificate } from '../model/certificate.ts';
import type { CheckpointStatement } from '../model/checkpoint.ts';
import type { FaultProof } from '../model/fault-proof.ts';
import type { ChainTip } from './agreement/block-tree.ts';
import type { ProtocolConstants } from './constants.ts';
import type { Outcome } from './effects.ts';
import type { EpochSet, PreviousEpoch } from './epochs/epoch.ts';

/** What storage knows when a replica starts: everything executed and certified. */
export type ReplicaOrigin = {
  readonly ledgerHash: Hash;
  readonly set: EpochSet;
  /** Id of this node, which need not be a validator of the set. */
  readonly selfId: string;
  /** The epoch before; null in the first one. */
  readonly previous: PreviousEpoch | null;
  readonly constants: ProtocolConstants;
  /** The last executed block, or the epoch's genesis; no boundary block, since the next epoch begins with that. */
  readonly executed: ChainTip;
  /** Highest number listed of each author up to that block in this epoch, and its digest. */
  readonly floors: readonly { readonly seq: number; readonly digest: Hash | null }[];
  /** Finalization of the last executed block of this epoch that has one of its own; null at its genesis. */
  readonly finalization: Certificate | null;
  /** Own outcomes of the last executed heights, genesis included: at least L + 1 or all. */
  readonly outcomes: readonly Outcome[];
  readonly certifiedHeight: Height;
  /** Whom the chain up to the executed block accuses, and whose views may be skipped. */
  readonly accused: readonly ValidatorIndex[];
  readonly suspended: readonly ValidatorIndex[];
  /** Proofs of fault of the epoch before, held here; after a start of the process they are in the journal. */
  readonly proofs?: readonly FaultProof[];
  /** Own results that were signed and are not certified; after a start of the process they are in the journal. */
  readonly signed?: readonly CheckpointStatement[];
  /** Signing waits until a quorum was heard (guard/start-check.ts): so after every start of a process, not where an epoch follows another. */
  readonly awaitsQuorum?: boolean;
};
