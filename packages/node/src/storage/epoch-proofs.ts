/**
 * Proofs of how epochs ended (protocol.md section 5): the signatures of a boundary's checkpoint by the epoch that it ends,
 * and the set that follows. They are kept for ever, since all that light clients and returning nodes know begins with them.
 */
import { type EpochProof, encodeEpochProof, equalBytes } from '@cairn-ledger/core';
import type { ChainDb } from './chain-db.ts';
import { decodeSignatures } from './checkpoint-signatures.ts';
import type { StoredEpoch } from './epoch-table.ts';

/** That this epoch began, so the one before it ended; null for the first epoch, or while its signatures are not held. */
export function epochProofOf(
  chain: Pick<ChainDb, 'certifiedBetween'>,
  { epoch, genesisHeight, validators, digest }: StoredEpoch,
): EpochProof | null {
  if (epoch === 1) return null;
  const signatures = decodeSignatures(chain.certifiedBetween(genesisHeight, genesisHeight)?.signatures ?? null);
  const isWhole = signatures !== null && signatures.length > 0;
  // What does not belong together is damage, and never passed on.
  if (!isWhole || !signatures.every(({ statement }) => equalBytes(statement.validatorSet, digest))) return null;
  return { signatures, validators };
}

/** One of 20 validators takes 8 KB; these are for sets of any size. */
const proofsBytesMax = 4 << 20;

/** Of the epochs from this one on that have ended, in order and without gaps, as many as 4 MiB hold. */
export function epochProofsFrom(chain: ChainDb, from: number, countMax: number): EpochProof[] {
  const proofs: EpochProof[] = [];
  let bytes = 0;
  for (const stored of chain.epochs.page(from + 1, countMax)) {
    const proof = stored.epoch === from + 1 + proofs.length ? epochProofOf(chain, stored) : null;
    if (proof === null) break;
    bytes += encodeEpochProof(proof).length;
    if (proofs.length > 0 && bytes > proofsBytesMax) break;
    proofs.push(proof);
  }
  return proofs;
}
