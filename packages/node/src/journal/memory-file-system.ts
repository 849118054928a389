/**
 * A disk in memory for tests and the simulator: it keeps what was synced, and may lose or tear the rest in a crash.
 * Deterministic: every choice is the caller's.
 *
 * The model: a write is visible at once and durable after `sync` of its file; a name is created or removed durably after
 * `syncDirectory`. In a crash each unsynced write is lost, kept, kept up to some byte, or has only extended the file
 * (zeros). Files opened before the crash are dead afterwards.
 */
import { dirname } from 'node:path';
import type { JournalFile, JournalFileSystem } from './file-system.ts';

export type DiskOperation = {
  readonly type: 'open' | 'read' | 'write' | 'sync' | 'truncate' | 'remove' | 'sync-directory';
  readonly path: string;
  /** Of a read or write. */
  readonly sizeBytes: number;
};

export type MemoryDiskOptions = {
  /**
   * Called before every operation: wait here for slowness, throw (`diskError`) for a failing disk. A write that throws has
   * written nothing; a sync that throws has synced nothing, and marks the file's bytes as lost, like Linux does.
   */
  readonly before?: (operation: DiskOperation) => Promise<void> | void;
  /** When the disk is full, a write fails with ENOSPC after what still fitted. */
  readonly capacityBytes?: number;
};

/** What becomes of one unsynced write in a crash. `keptBytes` of it reach the disk; zeros stand for the rest, if `isExtended`. */
export type WriteFate = { readonly keptBytes: number; readonly isExtended: boolean };

export type MemoryDisk = {
  readonly fileSystem: JournalFileSystem;
  /** Power fails: `fateOf` is asked for each unsynced write, in order; without it all of them are lost. */
  crash(fateOf?: (write: { path: string; sizeBytes: number }) => WriteFate): void;
  /** The process dies, the machine goes on: everything written stays, open files and locks are gone. */
  kill(): void;
  /** Changes stored bytes behind everybody's back: bit rot, a misdirected write, a tamperer. */
  tamper(path: string, change: (bytes: Uint8Array) => Uint8Array): void;
  /** Content of a file as a reader sees it now; null when there is none. */
  contentOf(path: string): Uint8Array | null;
  paths(): string[];
  /** The durable content of the whole disk, to be put back with `restore`: yesterday's backup. */
  snapshot(): DiskSnapshot;
  restore(snapshot: DiskSnapshot): void;
};

export type DiskSnapshot = ReadonlyMap<string, Uint8Array>;

type StoredFile = { visible: Uint8Array; durable: Uint8Array; unsynced: { position: number; bytes: Uint8Array }[] };

export function diskError(code: 'EIO' | 'ENOSPC' | 'ENOENT' | 'EEXIST' | 'EBADF', path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}

export function createMemoryDisk(options: MemoryDiskOptions = {}): MemoryDisk {
  let visibleNames = new Map<string, StoredFile>();
  let durableNames = new Map<string, StoredFile>();
  const locks = new Set<string>();
  /** Grows with each crash; handles of an earlier life are dead. */
  let life = 0;

  const fileSystem: JournalFileSystem = {
    async makeDirectory() {},
    async lock(directory) {
      if (locks.has(directory)) return null;
      locks.add(directory);
      const own = life;
      return {
        release() {
          if (own === life) locks.delete(directory);
        },
      };
    },
    async list(directory) {
      return [...visibleNames.keys()]
        .filter((path) => dirname(path) === directory)
        .map((path) => path.slice(directory.length + 1));
    },
    async open(path, mode) {
      await before('open', path);
      const existing = visibleNames.get(path);
      if (mode === 'create' && existing !== undefined) throw diskError('EEXIST', path);
      if (mode === 'existing' && existing === undefined) throw diskError('ENOENT', path);
      const file = existing ?? { visible: new Uint8Array(0), durable: new Uint8Array(0), unsynced: [] };
      visibleNames.set(path, file);
      return openedFile(path, file);
    },
    async remove(path) {
      await before('remove', path);
      if (!visibleNames.delete(path)) throw diskError('ENOENT', path);
    },
    async syncDirectory(directory) {
      await before('sync-directory', directory);
      for (const path of [...durableNames.keys()]) {
        if (dirname(path) === directory && !visibleNames.has(path)) durableNames.delete(path);
      }
      for (const [path, file] of visibleNames) if (dirname(path) === directory) durableNames.set(path, file);
    },
  };

  return {
    fileSystem,
    crash(fateOf = () => ({ keptBytes: 0, isExtended: false })) {
      endLife();
      for (const [path, file] of durableNames) {
        for (const write of file.unsynced) applyFate(file, write, fateOf({ path, sizeBytes: write.bytes.length }));
        file.unsynced = [];
        file.visible = file.durable.slice();
      }
      visibleNames = new Map(durableNames);
    },
    kill: endLife,
    tamper(path, change) {
      const file = visibleNames.get(path);
      if (file === undefined) throw diskError('ENOENT', path);
      file.visible = change(file.visible.slice());
      file.durable = file.visible.slice();
      file.unsynced = [];
    },
    contentOf: (path) => visibleNames.get(path)?.visible.slice() ?? null,
    paths: () => [...visibleNames.keys()].sort(),
    snapshot: () => new Map([...durableNames].map(([path, file]) => [path, file.durable.slice()])),
    restore(snapshot) {
      endLife();
      durableNames = new Map(
        [...snapshot].map(([path, bytes]) => [path, { visible: bytes.slice(), durable: bytes.slice(), unsynced: [] }]),
      );
      visibleNames = new Map(durableNames);
    },
  };

  function endLife(): void {
    life += 1;
    locks.clear();
  }

  async function before(type: DiskOperation['type'], path: string, sizeBytes = 0): Promise<void> {
    const own = life;
    await options.before?.({ type, path, sizeBytes });
    if (own !== life) throw diskError('EBADF', path);
  }

  function openedFile(path: string, file: StoredFile): JournalFile {
    const own = life;
    let isOpen = true;
    const use = async (type: DiskOperation['type'], sizeBytes = 0): Promise<void> => {
      if (!isOpen || own !== life) throw diskError('EBADF', path);
      await before(type, path, sizeBytes);
    };
    return {
      async sizeBytes() {
        return file.visible.length;
      },
      async read(target, position) {
        await use('read', target.length);
        const bytes = file.visible.subarray(position, position + target.length);
        target.set(bytes);
        return bytes.length;
      },
      async write(bytes, position) {
        const copy = bytes.slice();
        await use('write', bytes.length);
        const room =
          (options.capacityBytes ?? Number.POSITIVE_INFINITY) -
          usedBytes() +
          Math.max(0, file.visible.length - position);
        const fitting = room >= copy.length ? copy : copy.subarray(0, Math.max(0, room));
        file.unsynced.push({ position, bytes: fitting });
        file.visible = withBytes(file.visible, position, fitting);
        if (fitting.length < copy.length) throw diskError('ENOSPC', path);
      },
      async sync() {
        try {
          await use('sync');
        } catch (error) {
          // Linux marks the pages clean: a later sync succeeds without them.
          file.unsynced = [];
          throw error;
        }
        for (const write of file.unsynced) file.durable = withBytes(file.durable, write.position, write.bytes);
        file.durable = file.durable.slice(0, file.visible.length);
        file.unsynced = [];
      },
      async truncate(sizeBytes) {
        await use('truncate');
        file.visible = file.visible.slice(0, sizeBytes);
        file.unsynced = file.unsynced.map(({ position, bytes }) => ({
          position,
          bytes: bytes.subarray(0, Math.max(0, sizeBytes - position)),
        }));
      },
      async close() {
        isOpen = false;
      },
    };
  }

  function usedBytes(): number {
    let used = 0;
    for (const file of visibleNames.values()) used += file.visible.length;
    return used;
  }
}

function applyFate(file: StoredFile, write: { position: number; bytes: Uint8Array }, fate: WriteFate): void {
  const kept = write.bytes.subarray(0, fate.keptBytes);
  const bytes = fate.isExtended ? withBytes(new Uint8Array(write.bytes.length), 0, kept) : kept;
  if (bytes.length > 0) file.durable = withBytes(file.durable, write.position, bytes);
}

function withBytes(content: Uint8Array, position: number, bytes: Uint8Array): Uint8Array {
  const end = position + bytes.length;
  let grown = content;
  if (end > content.length) {
    grown = new Uint8Array(end);
    grown.set(content);
  }
  grown.set(bytes, position);
  return grown;
}
