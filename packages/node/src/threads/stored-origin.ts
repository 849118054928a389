/** Main thread: where the chain stands, as the ledger thread tells it, made into what a replica starts from. */
import {
  type Certificate,
  decodeCertificate,
  decodeCheckpointStatement,
  type EpochTarget,
  type ReplicaOrigin,
  toHash,
  toHeight,
  type ValidatorIndex,
} from '@cairn-ledger/core';
import { orThrow } from '../failure.ts';
import type { StoredOrigin } from './messages.ts';

export type ChainOrigin = Omit<ReplicaOrigin, 'ledgerHash' | 'set' | 'selfId' | 'previous' | 'constants'>;

/** @throws NodeFailed where the database holds what cannot be decoded */
export function readOrigin(
  stored: StoredOrigin,
  indexOf: ReadonlyMap<string, ValidatorIndex>,
  target: EpochTarget,
): ChainOrigin {
  let finalization: Certificate | null = null;
  if (stored.finalization !== null) finalization = orThrow(decodeCertificate(stored.finalization));
  return {
    executed: {
      digest: toHash(stored.digest),
      height: toHeight(stored.height),
      timeMs: stored.timeMs,
      isBoundary: false,
    },
    floors: stored.floors.map(({ seq, digest }) => ({ seq, digest: digest === null ? null : toHash(digest) })),
    finalization,
    outcomes: stored.outcomes.map(({ statement, timeMs }) => ({
      statement: orThrow(decodeCheckpointStatement(statement)),
      timeMs,
      target,
    })),
    certifiedHeight: toHeight(stored.certifiedHeight),
    accused: indicesOf(stored.accused, indexOf),
    suspended: indicesOf(stored.suspended, indexOf),
  };
}

/** Those of the present set. */
function indicesOf(ids: readonly string[], indexOf: ReadonlyMap<string, ValidatorIndex>): ValidatorIndex[] {
  return ids.flatMap((id) => indexOf.get(id) ?? []);
}
