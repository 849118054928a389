/**
 * The disk as the journal sees it. Production uses `node-file-system.ts`; the simulator and tests use
 * `memory-file-system.ts`, which loses, tears and refuses what a real disk may.
 */

export interface JournalFileSystem {
  /** Makes the directory, also its parents, when absent. */
  makeDirectory(directory: string): Promise<void>;
  /** Takes the directory for this process, until released or the process ends; null when another one holds it. */
  lock(directory: string): Promise<DirectoryLock | null>;
  /** Names of the files in the directory, in any order. */
  list(directory: string): Promise<string[]>;
  /** Opens a file for reading and writing. `create`: it must not exist yet. */
  open(path: string, mode: 'existing' | 'create'): Promise<JournalFile>;
  remove(path: string): Promise<void>;
  /** Makes names created in and removed from the directory durable. */
  syncDirectory(directory: string): Promise<void>;
}

export interface JournalFile {
  sizeBytes(): Promise<number>;
  /** Fills `target` from `position` on; returns how many bytes there were, fewer only at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>;
  /** Writes all bytes or rejects. They are durable only after `sync`. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  sync(): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  close(): Promise<void>;
}

export type DirectoryLock = { release(): void };
