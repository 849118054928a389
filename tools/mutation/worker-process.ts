/** A worker as its parent sees it: commands go in, answers come out, and one that is silent for too long is ended. */
import { type ChildProcess, fork } from 'node:child_process';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Answer, Command } from './worker.ts';

/** `ended`: the process is gone, by itself or because it was silent for too long. */
export type Outcome = Answer | { readonly type: 'ended'; readonly wasSilent: boolean };

/** A mutant may allocate without end: then the process ends, and not the machine. */
const memoryMbMax = 1_024;

export type WorkerOptions = {
  readonly setupPath: string;
  /** A mutant that is on while sources and tests are loaded, and how often it may be come by meanwhile. */
  readonly atLoad?: { readonly id: string; readonly limit: number };
  readonly isMeasuring?: boolean;
};

export class WorkerProcess {
  private readonly child: ChildProcess;
  private readonly answers: Outcome[] = [];
  private wake: (() => void) | null = null;
  private wasSilent = false;

  constructor({ setupPath, atLoad = { id: '', limit: 0 }, isMeasuring = false }: WorkerOptions) {
    const flags = [setupPath, atLoad.id, String(atLoad.limit), ...(isMeasuring ? ['--measure'] : [])];
    this.child = fork(fileURLToPath(new URL('./worker.ts', import.meta.url)), flags, {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'ipc'],
      execArgv: [`--max-old-space-size=${memoryMbMax}`],
      // Stripping types and compiling is most of what a new process does before its first test.
      env: { ...process.env, NODE_COMPILE_CACHE: join(dirname(setupPath), 'compiled') },
    });
    const lines = createInterface({ input: this.child.stdio[3] as Readable });
    lines.on('line', (line) => this.push(JSON.parse(line) as Answer));
    // Lines that were written before the end are read before it is told.
    lines.on('close', () => this.push({ type: 'ended', wasSilent: this.wasSilent }));
    this.child.on('error', () => undefined);
  }

  send(command: Command): void {
    this.child.send(command, () => undefined);
  }

  /** The next answer. A process that gives none for `patienceMs` is ended, and that is the answer. */
  async next(patienceMs: number): Promise<Outcome> {
    const timer = setTimeout(() => {
      this.wasSilent = true;
      this.child.kill('SIGKILL');
    }, patienceMs);
    while (this.answers.length === 0) await new Promise<void>((resolve) => (this.wake = resolve));
    clearTimeout(timer);
    return this.answers.shift()!;
  }

  end(): void {
    this.child.kill('SIGKILL');
  }

  private push(outcome: Outcome): void {
    this.answers.push(outcome);
    this.wake?.();
  }
}
