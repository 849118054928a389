/**
 * Key files: one key each, as JSON Web Keys (see the sdk's `key.ts`), readable by their owner alone.
 *
 * A file that others may read is refused, not mended: the key may have been copied already, and only its owner can
 * judge that. A new file is never written over an old one. (On Windows there are no modes; folders protect there.)
 */
import { closeSync, fstatSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import process from 'node:process';
import { type CairnError, fail, ok, type Result } from '@cairn-ledger/core';
import { type KeyPair, keyToText, textToKey } from '@cairn-ledger/sdk';

const KEY_FILE_BYTES_MAX = 4096;

/** Reads a key. Errors: `keyfile.missing`, `keyfile.unreadable`, `keyfile.too-open`, `keyfile.malformed`, `keyfile.mismatch`. */
export function readKeyFile(path: string): Result<KeyPair, CairnError> {
  const text = readOwnersFile(path, `\`cairn key new ${path}\` makes one.`);
  if (!text.ok) return text;
  const key = textToKey(text.value);
  return key.ok ? key : fail({ code: key.error.code, message: `${path}: ${key.error.message}` });
}

/** Reads a secret that is the first line of a file of its own. Errors as with keys. */
export function readSecretLine(path: string): Result<string, CairnError> {
  const text = readOwnersFile(path, 'Write the secret to it as one line.');
  if (!text.ok) return text;
  const line = text.value.split(/\r?\n/, 1)[0]!;
  return line === '' ? fail({ code: 'keyfile.malformed', message: `the first line of ${path} is empty` }) : ok(line);
}

function readOwnersFile(path: string, howToMake: string): Result<string, CairnError> {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
      ? fail({ code: 'keyfile.missing', message: `there is no key at ${path}. ${howToMake}` })
      : fail({ code: 'keyfile.unreadable', message: `the key ${path} cannot be read: ${(error as Error).message}` });
  }
  try {
    const status = fstatSync(file);
    if (!status.isFile() || status.size > KEY_FILE_BYTES_MAX) {
      return fail({ code: 'keyfile.malformed', message: `${path} is not a key file: expected a small regular file` });
    }
    if (process.platform !== 'win32' && (status.mode & 0o077) !== 0) {
      const mode = (status.mode & 0o777).toString(8).padStart(4, '0');
      return fail({
        code: 'keyfile.too-open',
        message: `others may read the key ${path} (mode ${mode}). If nobody has copied it: \`chmod 600 ${path}\`; otherwise replace the key.`,
      });
    }
    return ok(readFileSync(file, 'utf8'));
  } catch (error) {
    return fail({ code: 'keyfile.unreadable', message: `the key ${path} cannot be read: ${(error as Error).message}` });
  } finally {
    closeSync(file);
  }
}

/** Writes a new key, durably, mode 0600. Errors: `keyfile.exists`, `keyfile.unwritable`. */
export function writeKeyFile(path: string, key: KeyPair): Result<void, CairnError> {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const file = openSync(path, 'wx', 0o600);
    try {
      writeSync(file, keyToText(key));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    return ok(undefined);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EEXIST'
      ? fail({ code: 'keyfile.exists', message: `${path} exists already and is left as it is; choose another name` })
      : fail({ code: 'keyfile.unwritable', message: `the key ${path} cannot be written: ${(error as Error).message}` });
  }
}
