import process from 'node:process';
import { Command } from 'commander';
import { readNodeConfig } from '../../config/node-config.ts';
import { readNodeKeys } from '../../keys/node-keys.ts';
import { CommandFailed, exitCodes, orFail } from '../exit-code.ts';
import { note } from '../output.ts';

/** What a node tells the process that started it, where there is one. */
export type NodeMessage = { readonly type: 'started'; readonly id: string; readonly http: string };

export function nodeCommand(): Command {
  return new Command('node')
    .description('run one node; logs are JSON lines on standard error')
    .argument('<folder>', 'folder of the node: node.json, genesis.cbor, keys/, data/')
    .addHelpText(
      'after',
      `
Examples:
  $ cairn node /var/lib/cairn
  $ cairn node .cairn-dev/nodes/node-2          bring a stopped node of a development network back

Ctrl-C and SIGTERM stop it cleanly; a second one stops it at once, which it also survives.
The keys folder must be readable by its owner alone. It is what to back up.`,
    )
    .action(async (dir: string) => {
      const config = orFail(readNodeConfig(dir));
      // Said here, before threads and sockets: a node does not start with keys that others may read.
      orFail(readNodeKeys(config.keysDir));
      const { createNode } = await import('../../node.ts');
      const node = await Promise.resolve(config).then(createNode).catch(startFailed);
      // From here on: a node may wait for its peers for long before it has begun.
      const stopped = stopOnSignals(() => node.stop());
      const hasBegun = await node.begin().then(() => true, notBegun);
      if (hasBegun) tellParent({ type: 'started', id: node.id, http: node.httpUrl });
      await stopped;
      process.exit(exitCodes.done);
    });
}

/** Stopped before it had begun, which is no failure. */
function notBegun(error: unknown): false {
  if ((error as { code?: unknown } | null)?.code === 'node.stopping') return false;
  return startFailed(error);
}

function startFailed(error: unknown): never {
  throw startFailure(error);
}

/** A known error keeps its code; anything else is shown whole. */
function startFailure(error: unknown): unknown {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  const isKnown = typeof code === 'string' && /^[a-z]+\.[a-z-]+$/.test(code) && typeof message === 'string';
  return isKnown ? new CommandFailed({ code, message }) : error;
}

/** Resolves once the node has stopped: by signal, or because the process that started it is gone. */
function stopOnSignals(stop: () => Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    let isStopping = false;
    const begin = (): void => {
      if (isStopping) process.exit(exitCodes.failed);
      isStopping = true;
      stop().then(resolve, reject);
    };
    process.on('SIGINT', begin);
    process.on('SIGTERM', begin);
    process.once('disconnect', () => {
      if (isStopping) return;
      note('the process that started this node is gone; stopping');
      begin();
    });
  });
}

function tellParent(message: NodeMessage): void {
  if (process.connected) process.send?.(message);
}
