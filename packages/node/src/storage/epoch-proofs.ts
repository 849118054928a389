/**
 * Proofs of how epochs ended (protocol.md section 5): the signatures of a boundary's checkpoint by the epoch that it ends,
 * and the set that follows. They are kept for ever, since all that light clients and returning nodes know begins with them.
 */
import { type EpochProof, equalBytes } from '@cairn-ledger/core';
import type { ChainDb } from './chain-db.ts';
import { decodeSignatures } from './checkpoint-signatures.ts';
import type { StoredEpoch } from './epoch-table.ts';

/** That this epoch began, so the one before it ended; null for the first epoch, or while its signatures are not held. */
export function epochProofOf(
  chain: ChainDb,
  { epoch, genesisHeight, validators, digest }: StoredEpoch,
): EpochProof | null {
  if (epoch === 1) return null;
  const signatures = decodeSignatures(chain.certifiedBetween(genesisHeight, genesisHeight)?.signatures ?? null);
  const isWhole = signatures !== null && signatures.length > 0;
  // What does not belong together is damage, and never passed on.
  if (!isWhole || !signatures.every(({ statement }) => equalBytes(statement.validatorSet, digest))) return null;
  return { signatures, validators };
}

/** Of the epochs from this one on that have ended, in order and without gaps. */
export function epochProofsFrom(chain: ChainDb, from: number, countMax: number): EpochProof[] {
  const proofs: EpochProof[] = [];
  for (const stored of chain.epochs.page(from + 1, countMax)) {
    const proof = stored.epoch === from + 1 + proofs.length ? epochProofOf(chain, stored) : null;
    if (proof === null) break;
    proofs.push(proof);
  }
  return proofs;
}
