/**
 * Restart documents that a node was given, one for each epoch that the members have ended: `restart-<epoch>.cbor` beside the keys. They
 * stay there when the data is lost: what began with them nothing else may prove, so they are trusted as the genesis is.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CairnError,
  decodeSignedRestart,
  encodeSignedRestart,
  equalBytes,
  fail,
  type Hash,
  ok,
  type Result,
  restartBytesMax,
  type SignedRestart,
  toHex,
} from '@cairn-ledger/core';
import { writeDurably } from '../durable-file.ts';

/** By the epoch that each ends. */
export type Restarts = ReadonlyMap<number, SignedRestart>;

export const noRestarts: Restarts = new Map();

const fileName = /^restart-([1-9][0-9]{0,15})\.cbor$/;

export function restartPath(keysDir: string, epoch: number): string {
  return join(keysDir, `restart-${epoch}.cbor`);
}

/** All that were given. Errors: `restart.unreadable`, `restart.malformed`, `restart.wrong-ledger`. */
export function readRestarts(keysDir: string, ledgerHash: Hash): Result<Restarts, CairnError> {
  const restarts = new Map<number, SignedRestart>();
  let names: string[];
  try {
    names = readdirSync(keysDir);
  } catch (cause) {
    return fail(unreadable(keysDir, cause));
  }
  for (const name of names.sort()) {
    if (!fileName.test(name)) continue;
    const path = join(keysDir, name);
    const read = readRestartFile(path, ledgerHash);
    if (!read.ok) return read;
    const { epoch } = read.value.restart.block.header;
    if (path !== restartPath(keysDir, epoch))
      return fail({ code: 'restart.malformed', message: `${path} ends epoch ${epoch}: name it so` });
    restarts.set(epoch, read.value);
  }
  return ok(restarts);
}

/**
 * Errors: `restart.unreadable`, `restart.malformed`, `restart.wrong-ledger`.
 *
 * @param ledgerHash null where any ledger will do
 */
export function readRestartFile(path: string, ledgerHash: Hash | null): Result<SignedRestart, CairnError> {
  let bytes: Uint8Array;
  try {
    // A longer one is none, whatever it holds.
    bytes = statSync(path).size > restartBytesMax ? new Uint8Array(0) : new Uint8Array(readFileSync(path));
  } catch (cause) {
    return fail(unreadable(path, cause));
  }
  const decoded = decodeSignedRestart(bytes);
  if (!decoded.ok) return fail({ ...decoded.error, message: `${path}: ${decoded.error.message}` });
  if (ledgerHash === null || equalBytes(decoded.value.restart.ledgerHash, ledgerHash)) return decoded;
  const of = toHex(decoded.value.restart.ledgerHash);
  return fail({ code: 'restart.wrong-ledger', message: `${path} is of the ledger ${of}` });
}

/** Written whole or not at all. Error: `restart.unwritable`. */
export function writeRestartFile(path: string, signed: SignedRestart): Result<void, CairnError> {
  try {
    writeDurably(path, encodeSignedRestart(signed), 0o644);
    return ok(undefined);
  } catch (cause) {
    return fail({ code: 'restart.unwritable', message: `${path} cannot be written: ${(cause as Error).message}` });
  }
}

function unreadable(path: string, cause: unknown): CairnError {
  return { code: 'restart.unreadable', message: `${path} cannot be read: ${(cause as Error).message}` };
}
