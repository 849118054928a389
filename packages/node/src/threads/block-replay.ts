/**
 * Executes blocks of a stored chain again, from the genesis on: with what a replica hands to the ledger, which knows whom the chain
 * accuses, and with the verdicts on signatures found anew.
 */
import {
  type Accused,
  accusedAfter,
  type Block,
  createEvidenceReader,
  type EpochSet,
  freshProofs,
  type Hash,
  indexIn,
  type ListingStore,
  readSuspensionsOf,
  type Validator,
} from '@cairn-ledger/core';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import type { StoredBlock } from '../storage/chain-db.ts';
import type { PreparedBatch } from './batch-preparer.ts';
import type { ChainExecutor } from './chain-executor.ts';

export type ReplayedBlock = {
  readonly stored: Pick<StoredBlock, 'view' | 'finalization'>;
  readonly block: Block;
  /** In the order of the block. */
  readonly batches: readonly Omit<PreparedBatch, 'verdicts'>[];
  /** The epoch of the block. */
  readonly set: EpochSet;
  /** Of its statement. */
  readonly round: number;
  /** Of a block with which the members ended an epoch: by whom the next one is agreed on. */
  readonly restart?: readonly Validator[];
};

export type BlockReplay = { execute(replayed: ReplayedBlock): ReturnType<ChainExecutor['execute']> };

/**
 * @param store the state that the executor writes
 * @param first the first epoch
 */
export function createBlockReplay(
  executor: ChainExecutor,
  store: ListingStore,
  ledgerHash: Hash,
  first: EpochSet,
): BlockReplay {
  let present = openEpoch(first, null);

  /** A replica starts each epoch with those whom the ledger holds to be proven faulty. */
  function openEpoch(
    set: EpochSet,
    before: EpochSet | null,
  ): {
    readonly set: EpochSet;
    readonly proofsIn: ReturnType<typeof createEvidenceReader>;
    accused: Accused;
  } {
    const proven =
      before === null ? [] : readSuspensionsOf(store, set.validators).filter(({ cause }) => cause === 'proven-fault');
    const accused = proven.flatMap(({ validator }) => indexIn(set, validator) ?? []);
    const proofsIn = createEvidenceReader(set, ledgerHash, sodiumVerifier, before);
    return { set, proofsIn, accused: new Set(accused) };
  }

  return {
    execute({ stored, block, batches, set, round, restart }) {
      const { view, finalization } = stored;
      const prepared = batches.map((batch) => ({ ...batch, verdicts: new Uint8Array(batch.transactions.length) }));
      if (set.epoch !== present.set.epoch) present = openEpoch(set, present.set);
      const proofs = freshProofs(present.accused, present.proofsIn(block));
      present.accused = accusedAfter(present.accused, proofs);
      return executor.execute({
        block,
        view,
        finalization,
        batches: prepared,
        misbehaviour: proofs.map(({ accused, proof }) => ({ accused, kind: proof.type })),
        round,
        ...(restart !== undefined && { restart }),
      });
    },
  };
}
