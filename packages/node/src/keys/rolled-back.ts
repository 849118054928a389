/**
 * A data folder that was found to be older than what this node has signed stays known as such, also when the node has
 * caught up since (protocol.md section 6, "Lost or rolled-back safety record"): the mark beside the keys may itself be
 * older than the last signature. The note lies in the data folder, so that putting the right folder back mends it.
 */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CairnError } from '@cairn-ledger/core';
import type { SigningMark } from '../driver/signing-mark.ts';

const noteName = 'rolled-back.json';

export function isNotedAsRolledBack(dataDir: string): boolean {
  return existsSync(join(dataDir, noteName));
}

/** Throws when the disk fails. */
export function noteRolledBack(dataDir: string, mark: SigningMark): void {
  writeFileSync(join(dataDir, noteName), `${JSON.stringify({ signed: mark, foundMs: Date.now() })}\n`, {
    mode: 0o600,
    flush: true,
  });
}

/** The validators have taken this node back with a record that begins anew. Throws when the disk fails. */
export function forgetRolledBack(dataDir: string): void {
  rmSync(join(dataDir, noteName), { force: true });
}

export function rolledBackError(dataDir: string, markPath: string): CairnError {
  return {
    code: 'node.rolled-back',
    message: `${dataDir} remembers less than this node has signed (${markPath}): it follows the chain and answers queries, and signs nothing, since it might sign twice. It asks the others to take it back with a new life number; sooner where you stop it, put the newest data folder back and start again`,
  };
}
