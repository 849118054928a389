/**
 * The signing mark beside the keys: one line of JSON, written over in place before anything it covers is sent. It survives
 * the process; a loss of power may leave an earlier one, which says less and never anything wrong.
 */
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type CairnError, fail, ok, type Result, toHex } from '@cairn-ledger/core';
import { nothingSigned, type SigningMark } from '../driver/signing-mark.ts';

export type SigningMarkFile = {
  /** As it stood when the file was opened. */
  readonly value: SigningMark;
  readonly path: string;
  /** There was none, and nothing is known of what was signed before. */
  readonly isNew: boolean;
  /** `keyfile.unwritable` when the disk fails or is full: then nothing that the mark covers may be sent. */
  write(mark: SigningMark): CairnError | null;
  close(): void;
};

/** What only a fault of the disk changes is noticed: a number that rots is a number still. */
function markToLine(mark: SigningMark): string {
  return JSON.stringify({ ...mark, crc: crcOf(mark) });
}

function crcOf({ epoch, view, vote, seq, checkpointHeight }: SigningMark): number {
  return crc32([epoch, view, vote ?? '', seq, checkpointHeight].join(' '));
}

/** So that a shorter line covers a longer one; one sector, so that it is written whole. */
const lineBytes = 160;

export function signingMarkPath(keysDir: string, ledgerHash: Uint8Array): string {
  return join(keysDir, `signed-${toHex(ledgerHash.subarray(0, 8))}.mark`);
}

/** Opens the mark, made when absent. Errors: `keyfile.unwritable`; `keyfile.malformed`, since guessing could mean signing twice. */
export function openSigningMark(path: string): Result<SigningMarkFile, CairnError> {
  let file: number;
  try {
    file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  } catch (cause) {
    return fail(unwritable(path, 'opened', cause));
  }
  const bytes = Buffer.alloc(2 * lineBytes);
  const text = bytes
    .toString('utf8', 0, readSync(file, bytes, 0, bytes.length, 0))
    .replaceAll('\0', '')
    .trim();
  const value = text === '' ? nothingSigned : readMark(text);
  if (value === null) {
    closeSync(file);
    return fail({
      code: 'keyfile.malformed',
      message: `${path} is not a signing mark: take it from where the keys were last; delete it only if this node has signed nothing since its data folder was last intact`,
    });
  }
  return ok({
    value,
    path,
    isNew: text === '',
    write(mark) {
      try {
        const bytes = Buffer.from(`${markToLine(mark).padEnd(lineBytes - 1)}\n`);
        const written = writeSync(file, bytes, 0, bytes.length, 0);
        return written === bytes.length ? null : unwritable(path, 'written', `only ${written} bytes fit`);
      } catch (cause) {
        return unwritable(path, 'written', cause);
      }
    },
    close: () => closeSync(file),
  });
}

function unwritable(path: string, what: 'opened' | 'written', cause: unknown): CairnError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return {
    code: 'keyfile.unwritable',
    message: `${path} cannot be ${what} (${why}): make room, check permissions and the disk, then start the node`,
  };
}

/** A mark from its line; null where it is not one. */
export function readMark(text: string): SigningMark | null {
  try {
    const read = JSON.parse(text) as Record<string, unknown>;
    const count = (name: keyof SigningMark): number => {
      const value = read[name];
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new Error(name);
      return value;
    };
    const mark = {
      epoch: count('epoch'),
      view: count('view'),
      ...(read.vote !== undefined && { vote: count('vote') }),
      seq: count('seq'),
      checkpointHeight: count('checkpointHeight'),
    };
    // Releases before this one wrote no sum.
    return read.crc === undefined || read.crc === crcOf(mark) ? mark : null;
  } catch {
    return null;
  }
}
