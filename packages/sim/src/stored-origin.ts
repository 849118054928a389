/** Where a replica starts from: what its storage holds of the chain, as a node reads it from its database. */
import {
  type Certificate,
  type CheckpointSignature,
  type EpochSet,
  type Hash,
  indexIn,
  nextEpochSet,
  type PreviousEpoch,
  type ReplicaOrigin,
  toHeight,
} from '@cairn-ledger/core';
import { nameOf, type VirtualChain } from './virtual-chain.ts';
import type { Executed } from './virtual-disk.ts';

/** Own outcomes that a replica is given: more than the lag of checkpoints. */
const outcomesKept = 40;

type StoredChain = Pick<VirtualChain, 'ledgerHash' | 'set' | 'constants' | 'genesis'>;
type Stored = Pick<Executed, 'block' | 'finalization' | 'outcome' | 'accused' | 'isRestart'>;

/** The set of the epoch that goes on after these blocks, and the one before. */
export function epochAfter(
  { set: first, constants, genesis }: StoredChain,
  executed: readonly Pick<Executed, 'block' | 'outcome' | 'isRestart'>[],
): { readonly set: EpochSet; readonly before: EpochSet | null } {
  let set = first;
  let before: EpochSet | null = null;
  executed.forEach(({ block, outcome, isRestart }, i) => {
    if (block.header.nextSet === null) return;
    // What was wanted before an epoch began counts for nothing in it.
    const named = Math.max(i - constants.checkpointLag, set.genesis.height - 1);
    const wanted = isRestart === true ? outcome : (executed[named]?.outcome ?? genesis);
    const { height, timeMs } = block.header;
    before = set;
    set = nextEpochSet(set, wanted.target, { digest: block.digest, height, timeMs });
  });
  return { set, before };
}

/** @param executed blocks from height 1 on, in order */
export function originOf(
  chain: StoredChain,
  index: number,
  executed: readonly Stored[],
  certifiedHeight: number,
  certified: ReadonlyMap<number, readonly CheckpointSignature[]> = new Map(),
): ReplicaOrigin {
  const { set, before } = epochAfter(chain, executed);
  const selfId = nameOf(index);
  const inEpoch = executed.slice(set.genesis.height);
  const last = inEpoch.at(-1);
  const floors = floorsOf(set, inEpoch);
  const accusedIds = new Set(executed.flatMap(({ accused }) => accused));
  const suspended = set.validators.flatMap(({ id }) => (accusedIds.has(id) ? indexIn(set, id)! : []));
  let finalization: Certificate | null = null;
  for (const each of inEpoch) if (each.finalization !== null) finalization = each.finalization;
  return {
    ledgerHash: chain.ledgerHash,
    set,
    selfId,
    previous: before === null ? null : previousOf(before, set, selfId, executed, certified),
    constants: chain.constants,
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
    outcomes: [chain.genesis, ...executed.slice(-outcomesKept).map(({ outcome }) => outcome)],
    certifiedHeight: toHeight(certifiedHeight),
    accused: suspended,
    suspended,
  };
}

function previousOf(
  before: EpochSet,
  set: EpochSet,
  selfId: string,
  executed: readonly Stored[],
  certified: ReadonlyMap<number, readonly CheckpointSignature[]>,
): PreviousEpoch {
  const self = indexIn(before, selfId);
  const floors = floorsOf(before, executed.slice(before.genesis.height, set.genesis.height));
  return {
    set: before,
    ownFloor: self === null ? 0 : floors[self]!.seq,
    isCertified: certified.has(set.genesis.height),
  };
}

/** The highest number of each author that blocks of an epoch list. */
function floorsOf(set: EpochSet, blocks: readonly Pick<Executed, 'block'>[]) {
  const floors = set.validators.map(() => ({ seq: 0, digest: null as Hash | null }));
  for (const { block } of blocks) {
    for (const { author, seq, digest } of block.batches) {
      if (seq > floors[author]!.seq) floors[author] = { seq, digest };
    }
  }
  return floors;
}
