/** A dying disk: random bits change in the files of a running node, in databases and journal alike. */
import { closeSync, fstatSync, fsyncSync, openSync, readdirSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Attack } from '../attack.ts';

/** One bit for so many bytes: about one in every page of a database. */
const bytesPerBit = 4096;

export const bitrot: Attack = {
  name: 'bitrot',
  what: 'random bits change in every file of its data folder, one in 4 KiB',
  noticedBy: ['fenced', 'repaired', 'failed'],
  shutOutBy: ['fenced', 'repaired', 'failed', 'suspended', 'unreachable'],
  isWindowed: false,
  mayBeProven: false,
  // What nobody else holds yet may be what rots.
  voidsOwnPromises: true,
  needsNewKeys: false,
  isHarmless: false,
  async begin({ target }) {
    const beganMs = Date.now();
    for (const path of filesIn(join(target.dir, 'data'))) flipBits(path);
    return { beganMs, end: null };
  },
};

function filesIn(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(db|db-wal|journal)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

function flipBits(path: string): void {
  const fd = openSync(path, 'r+');
  try {
    const { size } = fstatSync(fd);
    const byte = Buffer.alloc(1);
    for (let i = 0; i < Math.ceil(size / bytesPerBit); i++) {
      const at = Math.floor(Math.random() * size);
      readSync(fd, byte, 0, 1, at);
      byte[0] = byte[0]! ^ (1 << Math.floor(Math.random() * 8));
      writeSync(fd, byte, 0, 1, at);
    }
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
