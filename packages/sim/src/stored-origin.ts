/** Where a replica starts from: what its storage holds of the chain, as a node reads it from its database. */
import { type Certificate, type Hash, type ReplicaOrigin, toHeight } from '@cairn-ledger/core';
import type { VirtualChain } from './virtual-chain.ts';
import type { Executed } from './virtual-disk.ts';

/** Own outcomes that a replica is given: more than the lag of checkpoints. */
const outcomesKept = 40;

/** @param executed blocks from height 1 on, in order */
export function originOf(
  { ledgerHash, set, constants, genesis }: Pick<VirtualChain, 'ledgerHash' | 'set' | 'constants' | 'genesis'>,
  index: number,
  executed: readonly Omit<Executed, 'batches'>[],
  certifiedHeight: number,
): ReplicaOrigin {
  const last = executed.at(-1);
  const floors = set.validators.map(() => ({ seq: 0, digest: null as Hash | null }));
  const suspended = [...new Set(executed.flatMap((each) => each.misbehaviour.map(({ accused }) => accused)))];
  let finalization: Certificate | null = null;
  for (const each of executed) {
    for (const { author, seq, digest } of each.block.batches) {
      if (seq > floors[author]!.seq) floors[author] = { seq, digest };
    }
    if (each.finalization !== null) finalization = each.finalization;
  }
  return {
    ledgerHash,
    set,
    selfId: set.validators[index]!.id,
    previous: null,
    constants,
    executed:
      last === undefined
        ? { ...set.genesis, isBoundary: false }
        : {
            digest: last.block.digest,
            height: last.block.header.height,
            timeMs: last.block.header.timeMs,
            isBoundary: false,
          },
    floors,
    finalization,
    outcomes: [genesis, ...executed.slice(-outcomesKept).map(({ outcome }) => outcome)],
    certifiedHeight: toHeight(certifiedHeight),
    accused: suspended,
    suspended,
  };
}
