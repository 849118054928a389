/** Where the next epoch starts from: what one epoch hands on to the one that follows it (protocol.md section 5). */
import { equalBytes } from '../../bytes/hex.ts';
import { toHeight, type ValidatorIndex } from '../../model/brands.ts';
import { assert } from '../../result.ts';
import type { Chapters } from '../chapters.ts';
import type { ReplicaOrigin } from '../origin.ts';
import { type EpochGenesis, type EpochSet, indexIn, isChange, nextEpochSet } from './epoch.ts';

/**
 * The origin of the epoch that begins with this boundary block, which is executed.
 *
 * @param hasBegun whether this node signs in the epoch that ends: a quorum was heard
 */
export function nextOrigin(
  boundary: EpochGenesis,
  { context, batches, checkpoints, tree, suspended, evidence }: Chapters,
  hasBegun: boolean,
): ReplicaOrigin {
  const { set, selfId, ledgerHash, constants, self } = context;
  const target = checkpoints.targetAt(
    toHeight(Math.max(boundary.height - constants.checkpointLag, set.genesis.height)),
  );
  assert(
    target !== null && isChange(set, target),
    'a boundary block follows from what the ledger wanted L heights before',
  );
  const next = nextEpochSet(set, target, boundary);
  return {
    ledgerHash,
    set: next,
    selfId,
    previous: {
      set,
      ownFloor: batches.chains[self]?.floor ?? 0,
      isCertified: checkpoints.isQuorumHeld(boundary.height),
    },
    constants,
    executed: { ...boundary, isBoundary: false },
    floors: next.validators.map(() => ({ seq: 0, digest: null })),
    finalization: null,
    outcomes: checkpoints.outcomes(),
    certifiedHeight: checkpoints.certifiedHeight,
    accused: placesIn(next, set, tree.rootAccused),
    suspended: placesIn(next, set, suspended),
    proofs: [...evidence.proofs()],
    awaitsQuorum: !hasBegun,
  };
}

/** Places, in the next set, of validators that keep their voting key. */
function placesIn(next: EpochSet, set: EpochSet, validators: Iterable<ValidatorIndex>): ValidatorIndex[] {
  const places: ValidatorIndex[] = [];
  for (const validator of validators) {
    const { id, votingKey } = set.validators[validator]!;
    const place = indexIn(next, id);
    if (place !== null && equalBytes(next.validators[place]!.votingKey, votingKey)) places.push(place);
  }
  return places.sort((a, b) => a - b);
}
