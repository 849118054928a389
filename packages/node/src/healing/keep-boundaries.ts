/** Takes what proves that an epoch ended into a chain that has the epoch and lacks the proof. */
import {
  checkpointDigest,
  decodeCheckpointStatement,
  type EpochProof,
  equalBytes,
  type Verifier,
} from '@cairn-ledger/core';
import type { ChainDb } from '../storage/chain-db.ts';
import { encodeSignatures } from '../storage/checkpoint-signatures.ts';
import { damageOf } from '../storage/storage-error.ts';
import { quorumOf } from './certified.ts';

/** The first epoch of whose end no proof is kept; null where all are. */
export function openEpochOf(chain: ChainDb): number | null {
  const boundary = chain.openBoundaries()[0];
  return boundary === undefined ? null : chain.epochs.at(boundary).epoch;
}

/**
 * What does not hold, or is not lacking, is passed over.
 *
 * @returns the heights of the boundaries that are proven now
 * @throws StorageError `storage.damaged` where a quorum signed another result than this chain has
 */
export function keepBoundaries(chain: ChainDb, proofs: readonly EpochProof[], verifier: Verifier): number[] {
  const open = new Set(chain.openBoundaries());
  const kept: number[] = [];
  for (const { signatures } of proofs) {
    const statement = signatures[0]?.statement;
    if (statement === undefined || !open.delete(statement.height)) continue;
    const { epoch, genesisHeight, validators, digest } = chain.epochs.at(statement.height);
    const known = { epoch, genesisHeight, validators, digest, boundary: null };
    const quorum = quorumOf(statement, signatures, known, verifier);
    if (quorum === null) continue;
    const stored = chain.checkpoint(statement.height);
    const own = stored === null ? null : decodeCheckpointStatement(stored.statement);
    if (own === null) continue;
    if (!own.ok || !equalBytes(checkpointDigest(own.value), checkpointDigest(statement)))
      throw damageOf('checkpoint', `the checkpoint of height ${statement.height} is not what a quorum signed`);
    const put = chain.putCertified(statement.height, stored!.round, encodeSignatures(quorum));
    if (!put.ok) throw put.error;
    kept.push(statement.height);
  }
  return kept;
}
