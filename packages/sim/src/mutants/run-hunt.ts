/** Starts the process that hunts a mutant, and watches it: one that neither goes on nor ends is killed. */
import { fork } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { HuntMessage, HuntOrder } from './hunt.ts';

/** Real time that one world may take, in milliseconds: hundreds of times what one takes. */
const worldMsMax = 90_000;
const heapMiBMax = 1_024;

export type HuntResult = {
  /** Null: every world was clean. */
  readonly how: 'violation' | 'stall' | 'crash' | 'hang' | null;
  readonly text: string;
  /** Worlds run, the one that showed it included. */
  readonly seeds: number;
  /** Of the last world. */
  readonly seed: number;
  readonly nodes: number;
};

export function runHunt(order: HuntOrder): Promise<HuntResult> {
  // A compile cache could hand out what the unmutated text compiles to.
  const env = { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' };
  const execArgv = [`--max-old-space-size=${heapMiBMax}`];
  const child = fork(fileURLToPath(new URL('./hunt.ts', import.meta.url)), [], {
    env,
    execArgv,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let result: HuntResult = { how: 'crash', text: 'ended without a word', seeds: 0, seed: order.from, nodes: 0 };
  let complaint = '';
  let hasEnded = false;
  child.stderr!.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-2_000);
  });
  return new Promise((resolve) => {
    const onHang = () => {
      result = { ...result, how: 'hang', text: `a world took more than ${worldMsMax} ms` };
      hasEnded = true;
      child.kill('SIGKILL');
    };
    let watchdog = setTimeout(onHang, worldMsMax);
    child.on('message', (message: HuntMessage) => {
      clearTimeout(watchdog);
      watchdog = setTimeout(onHang, worldMsMax);
      if (message.type === 'world') {
        result = { ...result, seeds: result.seeds + 1, seed: message.seed, nodes: message.nodes };
        return;
      }
      hasEnded = true;
      result =
        message.type === 'clean'
          ? { ...result, how: null, text: '' }
          : { ...result, how: message.how, text: message.text };
    });
    child.on('close', () => {
      clearTimeout(watchdog);
      if (!hasEnded && complaint !== '') result = { ...result, text: lastLineOf(complaint) };
      // Before the first world nothing was hunted: the mutant itself does not load.
      if (!hasEnded && result.seeds === 0) throw new Error(`${order.mutant} does not run: ${complaint}`);
      resolve(result);
    });
    child.send(order);
  });
}

/** The line that names the error, of what a dying process has said. */
function lastLineOf(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? '';
}
