/**
 * Proofs of fault in block bodies (protocol.md section 6). A block accuses a validator once on a chain: with its proof the
 * ledger learns of the fault, and another proof would say nothing new.
 *
 * What a body says is judged from its bytes and the epoch's keys alone, so every node judges alike, whenever it is asked.
 */
import { equalBytes } from '../../bytes/hex.ts';
import { verifySignatures } from '../../crypto/verified.ts';
import type { Verifier } from '../../crypto/verifier.ts';
import type { Block } from '../../model/block.ts';
import type { Hash, ValidatorIndex } from '../../model/brands.ts';
import { decodeFaultProof, encodeFaultProof, type FaultProof } from '../../model/fault-proof.ts';
import type { EpochSet } from '../epochs/epoch.ts';
import { accusationOf } from './accused.ts';
import { faultProofChecks } from './door.ts';

/** Validators that the blocks of one chain accuse. */
export type Accused = ReadonlySet<ValidatorIndex>;

/** A proof in a block, and the place of whom it accuses in the set of the block's epoch. */
export type BlockProof = { readonly accused: ValidatorIndex; readonly proof: FaultProof };

/** Reads and verifies the proofs in a block's body; null when it holds anything that is none, or not in its one order. */
export type EvidenceReader = (block: Block) => readonly BlockProof[] | null;

const noProofs: readonly BlockProof[] = [];

export function createEvidenceReader(
  set: EpochSet,
  ledgerHash: Hash,
  verifier: Verifier,
  previous: EpochSet | null = null,
): EvidenceReader {
  const known = new WeakMap<Block, readonly BlockProof[] | null>();
  return (block) => {
    if (block.evidence.length === 0) return noProofs;
    let proofs = known.get(block);
    if (proofs === undefined) {
      proofs = readProofs(block.evidence, set, previous, ledgerHash, verifier);
      known.set(block, proofs);
    }
    return proofs;
  };
}

function readProofs(
  evidence: readonly Uint8Array[],
  set: EpochSet,
  previous: EpochSet | null,
  ledgerHash: Hash,
  verifier: Verifier,
): readonly BlockProof[] | null {
  const proofs: BlockProof[] = [];
  let before = -1;
  for (const bytes of evidence) {
    const decoded = decodeFaultProof(bytes);
    if (!decoded.ok) return null;
    const proof = decoded.value;
    const accusation = accusationOf(proof, set, previous);
    if (accusation === null || accusation.accused <= before) return null;
    const checks = faultProofChecks(proof, accusation.signers, ledgerHash);
    if (!checks.ok || verifySignatures(proof, checks.value, verifier) === null) return null;
    // One proof has one encoding: strict CBOR says so of its parts, this of the whole.
    if (!equalBytes(encodeFaultProof(proof), bytes)) return null;
    proofs.push({ accused: accusation.accused, proof });
    before = accusation.accused;
  }
  return proofs;
}

/** Whom a chain accuses after a block that stands on it. */
export function accusedAfter(accused: Accused, proofs: readonly BlockProof[] | null): Accused {
  const fresh = freshProofs(accused, proofs);
  return fresh.length === 0 ? accused : new Set([...accused, ...fresh.map((each) => each.accused)]);
}

/** The proofs of a block that accuse somebody whom its chain has not accused yet. */
export function freshProofs(accused: Accused, proofs: readonly BlockProof[] | null): readonly BlockProof[] {
  return (proofs ?? noProofs).filter((each) => !accused.has(each.accused));
}
