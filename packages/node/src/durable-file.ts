/** Small files that a crash leaves as they were or as they were to be, and never half. Throws what the system throws. */
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import process from 'node:process';

/** @param mode of a new file: for its owner alone, unless told */
export function writeDurably(path: string, content: string | Uint8Array, mode = 0o600): void {
  const draft = `${path}.new`;
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  const file = openSync(draft, 'w', mode);
  try {
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, path);
  syncDirectoryOf(path);
}

/** What was made, renamed or removed beside this file is durable when it returns. */
export function syncDirectoryOf(path: string): void {
  // Windows cannot sync a directory; a rename is durable there once it returns.
  if (process.platform === 'win32') return;
  const directory = openSync(dirname(path), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
