/**
 * One node as a process of its own. Its output goes to `<dir>/node.log`. It ends when this process ends, however that
 * happens: the channel between the two closes, and the node stops by itself.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { NodeMessage } from '../commands/node.ts';

const entry = fileURLToPath(new URL('../../../bin/cairn.js', import.meta.url));
/** Several nodes share this machine: one helper thread each for V8, and few arenas of memory. */
const nodeFlags = ['--v8-pool-size=1', '--max-semi-space-size=1'];
const nodeEnvironment = { MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '131072', MALLOC_MMAP_THRESHOLD_: '131072' };
const STOP_TIMEOUT_MS = 15_000;
const LOG_TAIL_LINES = 15;

export type NodeExit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type NodeProcess = {
  readonly pid: number;
  readonly logPath: string;
  /** Resolves when it serves, or with its exit when it ended before that. */
  readonly started: Promise<NodeExit | null>;
  readonly exited: Promise<NodeExit>;
  /** Asks it to stop, and makes it stop when it does not. */
  stop(): Promise<void>;
  kill(): void;
};

/** @param preloadPath a module that the process loads before anything of the node */
export function startNodeProcess(dir: string, preloadPath: string | null = null): NodeProcess {
  const logPath = join(dir, 'node.log');
  const log = openSync(logPath, 'a', 0o600);
  const preload = preloadPath === null ? [] : ['--import', pathToFileURL(preloadPath).href];
  const child = spawn(process.execPath, [...nodeFlags, ...preload, entry, 'node', dir], {
    stdio: ['ignore', log, log, 'ipc'],
    env: { ...process.env, ...nodeEnvironment },
  });
  closeSync(log);
  const pidPath = nodePidPath(dir);
  if (child.pid !== undefined) writeFileSync(pidPath, `${child.pid}\n`);
  const exited = exitOf(child);
  let hasExited = false;
  void exited.then(() => {
    hasExited = true;
    if (readPid(pidPath) === child.pid) rmSync(pidPath, { force: true });
  });
  const started = new Promise<NodeExit | null>((resolve) => {
    child.on('message', (message: NodeMessage) => {
      if (message.type === 'started') resolve(null);
    });
    void exited.then(resolve);
  });
  return {
    pid: child.pid ?? 0,
    logPath,
    started,
    exited,
    async stop() {
      if (hasExited) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await exited;
      clearTimeout(timer);
    },
    kill: () => {
      child.kill('SIGKILL');
    },
  };
}

/** Holds the process number while a node runs that was started here. */
export function nodePidPath(dir: string): string {
  return join(dir, 'node.pid');
}

/** Null where no such process was noted. */
export function readPid(path: string): number | null {
  try {
    const pid = Number(readFileSync(path, 'utf8'));
    return Number.isSafeInteger(pid) && pid > 0 ? pid : null;
  } catch {
    return null;
  }
}

/** The end of a node's log, for messages about why it ended. */
export function logTail(path: string): string {
  try {
    return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
  } catch {
    return '';
  }
}

function exitOf(child: ChildProcess): Promise<NodeExit> {
  return new Promise((resolve) => {
    child.once('error', () => resolve({ code: null, signal: null }));
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}
