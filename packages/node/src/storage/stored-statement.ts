/** The own result of a height as it is stored, for who cannot go on without it. */
import { type CheckpointStatement, decodeCheckpointStatement } from '@cairn-ledger/core';
import type { ChainDb } from './chain-db.ts';
import { damageOf } from './storage-error.ts';

/** @throws StorageError where it is missing or cannot be read */
export function storedStatement(chain: Pick<ChainDb, 'checkpoint'>, height: number): CheckpointStatement {
  const stored = chain.checkpoint(height);
  const statement = stored === null ? null : decodeCheckpointStatement(stored.statement);
  if (statement?.ok) return statement.value;
  throw damageOf('checkpoint', `the checkpoint of height ${height} is missing, or cannot be read`);
}
