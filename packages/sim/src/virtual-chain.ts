/** A network of validators that know each other: keys, set and genesis; and nodes that may join it. */
import {
  type CheckpointStatement,
  createEpochSet,
  createEpochTarget,
  type EpochSet,
  type Hash,
  type Outcome,
  type ProtocolConstants,
  type Signer,
  sha256,
  toEpoch,
  toHeight,
  type Validator,
  validatorSetDigest,
} from '@cairn-ledger/core';
import { createFakeSigner } from './fake-crypto.ts';

/** The id of a validator, by its number, and back. */
export const nameOf = (index: number): string => `v${String(index).padStart(3, '0')}`;
export const indexOfName = (id: string): number => Number(id.slice(1));

export type VirtualChain = {
  readonly ledgerHash: Hash;
  /** Of the genesis. */
  readonly set: EpochSet;
  /** Everybody who is, or may become, a validator, by number. */
  readonly everybody: readonly Validator[];
  readonly signers: readonly { readonly voting: Signer; readonly checkpoint: Signer }[];
  readonly genesis: Outcome;
  readonly constants: ProtocolConstants;
  /** Whether the ledger removes who is proven faulty. */
  readonly removesFaulty: boolean;
};

/** @param joinersCount nodes that are no validators at first */
export function createVirtualChain(
  validatorsCount: number,
  constants: ProtocolConstants,
  joinersCount = 0,
  removesFaulty = true,
): VirtualChain {
  const names = Array.from({ length: validatorsCount + joinersCount }, (_, i) => nameOf(i));
  const signers = names.map((name) => ({
    voting: createFakeSigner(`${name}/voting`),
    checkpoint: createFakeSigner(`${name}/checkpoint`),
  }));
  const everybody: Validator[] = names.map((id, i) => ({
    id,
    member: id,
    linkKey: createFakeSigner(`${id}/link`).publicKey,
    votingKey: signers[i]!.voting.publicKey,
    checkpointKey: signers[i]!.checkpoint.publicKey,
    addresses: [],
    life: null,
  }));
  const validators = everybody.slice(0, validatorsCount);
  const ledgerHash = sha256(new TextEncoder().encode(`world of ${validatorsCount}`));
  const digest = validatorSetDigest(validators);
  const statement: CheckpointStatement = {
    ledgerHash,
    epoch: toEpoch(1),
    height: toHeight(0),
    round: 0,
    historySize: 2,
    historyRoot: sha256(new Uint8Array(0)),
    stateRoot: sha256(new Uint8Array(1)),
    validatorSet: digest,
  };
  const genesis = { digest: ledgerHash, height: toHeight(0), timeMs: 0 };
  return {
    ledgerHash,
    set: createEpochSet(toEpoch(1), validators, digest, genesis, 1),
    everybody,
    removesFaulty,
    signers,
    genesis: { statement, timeMs: 0, target: createEpochTarget(validators, 1) },
    constants,
  };
}
