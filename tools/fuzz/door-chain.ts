/** The founding of a fuzzed network: validators with keys that cost nothing, and the genesis they start from. */
import * as core from '../../packages/core/src/index.ts';
import { createFakeSigner } from '../../packages/sim/src/fake-crypto.ts';

export type DoorChain = {
  readonly ledgerHash: core.Hash;
  readonly set: core.EpochSet;
  readonly signers: readonly { readonly voting: core.Signer; readonly checkpoint: core.Signer }[];
  readonly genesis: core.Outcome;
};

export function createDoorChain(validatorsCount: number): DoorChain {
  const ids = Array.from({ length: validatorsCount }, (_, i) => `v${String(i).padStart(3, '0')}`);
  const signers = ids.map((id) => ({
    voting: createFakeSigner(`${id}/voting`),
    checkpoint: createFakeSigner(`${id}/checkpoint`),
  }));
  const validators = ids.map(
    (id, i): core.Validator => ({
      id,
      member: id,
      linkKey: createFakeSigner(`${id}/link`).publicKey,
      votingKey: signers[i]!.voting.publicKey,
      checkpointKey: signers[i]!.checkpoint.publicKey,
      addresses: [],
      life: null,
    }),
  );
  const ledgerHash = core.sha256(new TextEncoder().encode(`fuzzed network of ${validatorsCount}`));
  const validatorSet = core.validatorSetDigest(validators);
  const epoch = core.toEpoch(1);
  const height = core.toHeight(0);
  const empty = core.sha256(new Uint8Array(0));
  return {
    ledgerHash,
    signers,
    set: core.createEpochSet(epoch, validators, validatorSet, { digest: ledgerHash, height, timeMs: 0 }, 1),
    genesis: {
      timeMs: 0,
      target: core.createEpochTarget(validators, 1),
      statement: {
        ledgerHash,
        epoch,
        height,
        round: 0,
        historySize: 2,
        historyRoot: empty,
        stateRoot: empty,
        validatorSet,
      },
    },
  };
}
