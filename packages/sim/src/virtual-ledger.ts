/**
 * The ledger of a simulated node: a hash over all transactions in order. It shows any difference in what was executed,
 * and nothing else. Serves peers from what it has executed, as a node does from its storage.
 */
import { chainBlocksMax, equalBytes, type Hash, type Message, type Outcome, sha256 } from '@cairn-ledger/core';
import type { Executed, VirtualDisk } from './virtual-disk.ts';

/** Executes the next block; its outcome is durable at once. */
export function executeBlock(disk: VirtualDisk, genesis: Outcome, finalized: Omit<Executed, 'outcome'>): Outcome {
  const { block, batches, misbehaviour } = finalized;
  const before = (disk.executed.at(-1)?.outcome ?? genesis).statement;
  let { historyRoot, historySize } = before;
  for (const { transactions } of batches) {
    for (const transaction of transactions) {
      historyRoot = chainHash(historyRoot, transaction);
      historySize++;
    }
  }
  const statement = {
    ...before,
    height: block.header.height,
    historyRoot,
    historySize,
    stateRoot: chainHash(
      sha256(block.headerBytes),
      Uint8Array.from(misbehaviour, ({ accused }) => accused),
    ),
  };
  const outcome = { statement, timeMs: block.header.timeMs, target: genesis.target };
  disk.executed.push({ ...finalized, outcome });
  return outcome;
}

function chainHash(before: Hash, transaction: Uint8Array): Hash {
  const both = new Uint8Array(32 + transaction.length);
  both.set(before);
  both.set(transaction, 32);
  return sha256(both);
}

/** Answers a request that the replica has handed on to storage; null where it has nothing. */
export function serveFromDisk(disk: VirtualDisk, request: Message): Message | null {
  switch (request.type) {
    case 'request-chain':
      return chainFrom(disk, request.from);
    case 'request-block': {
      const found = disk.executed.find(({ block }) => equalBytes(block.digest, request.digest));
      return found === undefined ? null : { type: 'block', block: found.block };
    }
    case 'request-batch':
      for (const { batches } of disk.executed) {
        const batch = batches.find(({ digest }) => equalBytes(digest, request.digest));
        if (batch !== undefined) return { type: 'batch', batch };
      }
      return null;
    case 'request-checkpoint': {
      const signatures = disk.certified.get(request.height);
      return signatures === undefined ? null : { type: 'checkpoint-signatures', signatures };
    }
    default:
      return null;
  }
}

function chainFrom(disk: VirtualDisk, from: number): Message | null {
  const page = disk.executed.slice(from - 1, from - 1 + chainBlocksMax);
  while (page.length > 0 && page.at(-1)!.finalization === null) page.pop();
  const last = page.at(-1);
  return last === undefined
    ? null
    : { type: 'chain', blocks: page.map(({ block }) => block), finalization: last.finalization! };
}
