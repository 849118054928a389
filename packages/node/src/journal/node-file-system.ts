/**
 * The real disk, asynchronous throughout: a slow disk costs time in the thread pool, never on the caller's thread.
 *
 * The lock is an SQLite file held in an exclusive transaction: the operating system lets go of it when the process dies,
 * however it dies.
 */
import { type FileHandle, mkdir, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { DirectoryLock, JournalFile, JournalFileSystem } from './file-system.ts';

export const nodeFileSystem: JournalFileSystem = {
  async makeDirectory(directory) {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  },
  lock: lockDirectory,
  list: (directory) => readdir(directory),
  async open(path, mode) {
    return openedFile(await open(path, mode === 'create' ? 'wx+' : 'r+', 0o600));
  },
  remove: (path) => unlink(path),
  async syncDirectory(directory) {
    // Windows cannot sync a directory, and needs no such sync.
    if (process.platform === 'win32') return;
    const handle = await open(directory, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

function openedFile(handle: FileHandle): JournalFile {
  return {
    sizeBytes: async () => (await handle.stat()).size,
    async read(target, position) {
      let total = 0;
      while (total < target.length) {
        const { bytesRead } = await handle.read(target, total, target.length - total, position + total);
        if (bytesRead === 0) break;
        total += bytesRead;
      }
      return total;
    },
    async write(bytes, position) {
      let total = 0;
      while (total < bytes.length) {
        const { bytesWritten } = await handle.write(bytes, total, bytes.length - total, position + total);
        total += bytesWritten;
      }
    },
    sync: () => handle.datasync(),
    truncate: (sizeBytes) => handle.truncate(sizeBytes),
    close: () => handle.close(),
  };
}

async function lockDirectory(directory: string): Promise<DirectoryLock | null> {
  // Loaded here, so that whoever brings a file system of his own gets no SQLite along.
  const { DatabaseSync } = await import('node:sqlite');
  const database = new DatabaseSync(join(directory, 'lock'), { timeout: 0 });
  try {
    database.exec('PRAGMA journal_mode=MEMORY; PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE;');
  } catch (cause) {
    database.close();
    if (isBusy(cause)) return null;
    throw cause;
  }
  return { release: () => database.close() };
}

function isBusy(cause: unknown): boolean {
  const sqliteBusy = 5;
  const sqliteLocked = 6;
  const code = (cause as { errcode?: number }).errcode;
  return code !== undefined && [sqliteBusy, sqliteLocked].includes(code & 0xff);
}
