/**
 * Whom a proof of fault accuses (protocol.md section 6). A proof is made with the keys, and by the places, of the epoch it was found in.
 * It counts in that epoch and in the next one, so that nobody escapes by an epoch that ends, and against a validator that still has the
 * key that signed: who has been given another key is not framed by the old one.
 */
import { equalBytes } from '../../bytes/hex.ts';
import type { ValidatorIndex } from '../../model/brands.ts';
import type { FaultProof } from '../../model/fault-proof.ts';
import { type EpochSet, indexIn } from '../epochs/epoch.ts';
import { epochOfProof } from './evidence.ts';

export type Accusation = {
  /** Place of the accused in the present set. */
  readonly accused: ValidatorIndex;
  /** The set whose keys the proof is signed with. */
  readonly signers: EpochSet;
};

/** What a proof says in the present epoch; null where it says nothing there. Its signatures are checked apart. */
export function accusationOf(proof: FaultProof, set: EpochSet, previous: EpochSet | null): Accusation | null {
  const epoch = epochOfProof(proof);
  if (epoch === set.epoch)
    return proof.accused < set.validators.length ? { accused: proof.accused, signers: set } : null;
  if (previous === null || epoch !== previous.epoch) return null;
  const before = previous.validators[proof.accused];
  const accused = before === undefined ? null : indexIn(set, before.id);
  if (before === undefined || accused === null) return null;
  const key = proof.type === 'checkpoints' ? 'checkpointKey' : 'votingKey';
  return equalBytes(set.validators[accused]![key], before[key]) ? { accused, signers: previous } : null;
}
