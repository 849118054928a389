/**
 * Clocks that are wrong, for running processes: libfaketime in front of libc, told by a file how far to move the time of day.
 * The monotonic clock stays right, as it does when somebody sets the clock of a machine.
 */
import { globSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

/** How long a process may go on with what it has read from the file. */
const cacheSeconds = 1;

export type FakeClock = {
  readonly env: Readonly<Record<string, string>>;
  /** A running process follows within a second or two. */
  move(hours: number): void;
};

/** Debian's package `faketime`, and where others put it. */
const places = ['/usr/lib/*/faketime/libfaketimeMT.so.1', '/usr/{lib,lib64,local/lib}/faketime/libfaketimeMT.so.1'];

export function findFakeTime(): { readonly library: string } | { readonly reason: string } {
  if (process.platform !== 'linux') return { reason: 'no wrong clocks: needs Linux' };
  const library = places.flatMap((place) => globSync(place)).at(0);
  return library === undefined ? { reason: 'no wrong clocks: libfaketime is not installed' } : { library };
}

export function createFakeClock(library: string, dir: string, name: string): FakeClock {
  const path = join(dir, `clock-${name}`);
  const move = (hours: number): void => writeFileSync(path, `${hours < 0 ? '' : '+'}${hours * 3600}\n`);
  move(0);
  return {
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: path,
      FAKETIME_CACHE_DURATION: String(cacheSeconds),
      DONT_FAKE_MONOTONIC: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    move,
  };
}
