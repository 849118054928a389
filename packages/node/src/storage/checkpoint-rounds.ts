/**
 * Rounds of stored checkpoints (protocol.md section 4). Of a height one is kept, that of the latest round: what takes the place of another
 * one is the same result, which others have executed again.
 */
import { assert, type CheckpointStatement, encodeCheckpointStatement, laterRoundOf } from '@cairn-ledger/core';
import type { ChainStatements } from './chain-schema.ts';
import { decodeSignatures } from './checkpoint-signatures.ts';

/** A statement in the place of that of an earlier round of its height. */
export type LaterRound = { readonly height: number; readonly round: number; readonly statement: Uint8Array };

/** Keeps a quorum's signatures of a checkpoint, which may be of a later round than the own one. */
export function putSignatures(
  statements: ChainStatements,
  height: number,
  round: number,
  signatures: Uint8Array,
): void {
  if (statements.certify.run(signatures, height, round).changes === 1) return;
  const statement = decodeSignatures(signatures)?.[0]?.statement;
  assert(
    statement?.height === height && statement.round === round,
    'signatures are of the checkpoint that they certify',
  );
  const { changes } = statements.replaceRound.run(
    round,
    encodeCheckpointStatement(statement),
    signatures,
    height,
    round,
  );
  assert(changes === 1, 'a checkpoint is certified after its block is executed');
}

export function putLaterRound(statements: ChainStatements, { height, round, statement }: LaterRound): void {
  statements.replaceRound.run(round, statement, null, height, round);
}

/** What takes the place of the own result where a block names it by this digest; null where that is no later round of it. */
export function laterRoundNamed(own: CheckpointStatement, digest: Uint8Array): LaterRound | null {
  const later = laterRoundOf(own, digest);
  return later && { height: later.height, round: later.round, statement: encodeCheckpointStatement(later) };
}
