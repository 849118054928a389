/**
 * A file with the tables of a chain, being built beside chain.db: a new one, or the past of one. What is in it can be had again, so one
 * that cannot be used is made anew, and its commits wait for no disk.
 */
import { removeDatabase } from '../storage/chain-replacement.ts';
import { chainSchema, chainSchemaVersion } from '../storage/chain-schema.ts';
import { openDatabase } from '../storage/database.ts';
import { StorageError } from '../storage/storage-error.ts';
import { type ChainFile, toChainFile } from './chain-file.ts';

/** Throws a StorageError. */
export function openScratchFile(path: string, ledgerHash: Uint8Array): ChainFile {
  try {
    return open(path, ledgerHash);
  } catch (cause) {
    const isUseless = cause instanceof StorageError && cause.code !== 'storage.failed';
    if (!isUseless) throw cause;
    removeDatabase(path);
    return open(path, ledgerHash);
  }
}

function open(path: string, ledgerHash: Uint8Array): ChainFile {
  const settings = { readOnly: false, synchronous: 'NORMAL' as const };
  const opened = openDatabase(
    path,
    { ...settings, schema: chainSchema, schemaVersion: chainSchemaVersion },
    toChainFile,
  );
  if (!opened.ok) throw opened.error;
  const file = opened.value;
  const claimed = file.chain.claimFor(ledgerHash, false);
  if (claimed.ok) return file;
  file.close();
  throw claimed.error;
}
