/**
 * A failing disk for one node at a time: disk-fault.c, compiled here and preloaded into every node, fails what a trigger file
 * names. And a full one: a small file system in memory, where the machine lets us mount one.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('disk-fault.c', import.meta.url));

export type FaultKind = 'write' | 'sync';
export type FaultCode = 'EIO' | 'ENOSPC';

export type DiskFault = {
  readonly env: Readonly<Record<string, string>>;
  /** From now on these calls fail. A path ends with `$` when no longer one is meant. */
  begin(kind: FaultKind, code: FaultCode, path: string): void;
  /** Lines "<kind> <path>", one for each call that has failed since `begin`. */
  hits(): string[];
  end(): void;
};

/** Null where nothing can be compiled, with the reason. */
export function compileDiskFault(dir: string): { readonly library: string } | { readonly reason: string } {
  if (process.platform !== 'linux') return { reason: 'no failing disk: needs Linux' };
  const library = join(dir, 'disk-fault.so');
  const compiled = spawnSync('cc', ['-Wall', '-O1', '-shared', '-fPIC', '-o', library, source, '-ldl'], {
    encoding: 'utf8',
  });
  if (compiled.error !== undefined) return { reason: 'no failing disk: no C compiler (cc) on this machine' };
  if (compiled.status !== 0) throw new Error(`disk-fault.c does not compile: ${compiled.stderr}`);
  return { library };
}

export function createDiskFault(library: string, trigger: string): DiskFault {
  const hitsPath = `${trigger}.hits`;
  return {
    env: { LD_PRELOAD: library, CAIRN_FAULT_TRIGGER: trigger },
    begin(kind, code, path) {
      rmSync(hitsPath, { force: true });
      writeFileSync(trigger, `${kind} ${code} ${path}\n`);
    },
    hits: () => (existsSync(hitsPath) ? readFileSync(hitsPath, 'utf8').trimEnd().split('\n') : []),
    end: () => rmSync(trigger, { force: true }),
  };
}

export type SmallDisk = {
  /** Takes all space that is left. */
  fill(): void;
  makeRoom(): void;
  unmount(): void;
};

/** A file system of its own at a folder, which must not be in use; null where we may not mount. */
export function mountSmallDisk(path: string, sizeMiB: number): SmallDisk | null {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const options = `size=${sizeMiB}m,mode=0700`;
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'cairn-test', path], { encoding: 'utf8' });
  if (mounted.status !== 0) return null;
  const filler = join(path, 'filler');
  return {
    fill() {
      // What a running node frees or takes meanwhile is its own: again, until nothing is left.
      for (let round = 0; round < 100 && statfsSync(path).bavail > 0; round++) {
        const { bavail, bsize } = statfsSync(path);
        writeSome(filler, bavail * bsize);
      }
    },
    makeRoom: () => rmSync(filler, { force: true }),
    // Lazily: a process that still ends there does not keep it.
    unmount: () => void spawnSync('umount', ['-l', path]),
  };
}

function writeSome(path: string, sizeBytes: number): void {
  try {
    writeFileSync(path, Buffer.alloc(sizeBytes), { flag: 'a' });
  } catch (cause) {
    if ((cause as { code?: string }).code !== 'ENOSPC') throw cause;
  }
}
