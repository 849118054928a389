/**
 * Commands of the operator to certify results anew (protocol.md section 4): "the heights above this one are of this round". They lie beside
 * the keys, as the mark does, since a node that has forgotten one would sign for a height in a round that is over.
 *
 * A record is of the L heights above the one it names: no more than that can have been executed, and signed, while none of them was
 * certified. What comes after them is of round 0 again, so who joins later need not know of any record.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type CairnError, fail, type Hash, ok, type Result, roundMax, toHex } from '@cairn-ledger/core';
import { writeDurably } from '../durable-file.ts';

export type RoundRecord = {
  /** The highest certified height. */
  readonly above: number;
  readonly round: number;
};

/** Ascending by round. */
export type RoundRecords = readonly RoundRecord[];

export const noRounds: RoundRecords = [];

const format = 'cairn-rounds';
const fileBytesMax = 1 << 16;

export function roundsPath(keysDir: string, ledgerHash: Uint8Array): string {
  return join(keysDir, `rounds-${toHex(ledgerHash.subarray(0, 8))}.json`);
}

/** The round of a height that is executed: that of the last record that is of it. */
export function roundAt(records: RoundRecords, height: number, checkpointLag: number): number {
  return records.findLast(({ above }) => height > above && height <= above + checkpointLag)?.round ?? 0;
}

/** Errors: `recertify.unreadable`, `recertify.malformed`. */
export function readRounds(keysDir: string, ledgerHash: Hash): Result<RoundRecords, CairnError> {
  const path = roundsPath(keysDir, ledgerHash);
  let text: string;
  try {
    if (!existsSync(path)) return ok(noRounds);
    // A longer one is none, whatever it holds.
    text = statSync(path).size > fileBytesMax ? '' : readFileSync(path, 'utf8');
  } catch (cause) {
    return fail({ code: 'recertify.unreadable', message: `${path} cannot be read: ${(cause as Error).message}` });
  }
  const records = parseRounds(text);
  if (records !== null) return ok(records);
  const message = `${path} is not a record of rounds: put back the one that was there; without it this node might sign a round that is over`;
  return fail({ code: 'recertify.malformed', message });
}

function parseRounds(text: string): RoundRecords | null {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return null;
  }
  const { format: found, rounds } = (json ?? {}) as { readonly format?: unknown; readonly rounds?: unknown };
  if (found !== format || !Array.isArray(rounds)) return null;
  const records: RoundRecord[] = [];
  for (const each of rounds as unknown[]) {
    const { above, round } = (each ?? {}) as { readonly above?: unknown; readonly round?: unknown };
    const last = records.at(-1)?.round ?? 0;
    const isRound = typeof round === 'number' && Number.isSafeInteger(round) && round > last && round <= roundMax;
    if (!isRound || typeof above !== 'number' || !Number.isSafeInteger(above) || above < 0) return null;
    records.push({ above, round });
  }
  return records;
}

/** Durable when it returns, whole or not at all. Error: `recertify.unwritable`. */
export function writeRounds(keysDir: string, ledgerHash: Hash, rounds: RoundRecords): Result<void, CairnError> {
  const path = roundsPath(keysDir, ledgerHash);
  try {
    writeDurably(path, `${JSON.stringify({ format, rounds })}\n`);
    return ok(undefined);
  } catch (cause) {
    return fail({ code: 'recertify.unwritable', message: `${path} cannot be written: ${(cause as Error).message}` });
  }
}
