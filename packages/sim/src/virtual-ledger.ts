/**
 * The ledger of a simulated node: a hash over all transactions in order. It shows any difference in what was executed,
 * and nothing else. Serves peers from what it has executed, as a node does from its storage.
 */
import {
  chainBlocksMax,
  type EpochSet,
  equalBytes,
  type Hash,
  type Message,
  type Outcome,
  sha256,
} from '@cairn-ledger/core';
import { namesIn } from './submitter.ts';
import type { VirtualChain } from './virtual-chain.ts';
import type { Executed, VirtualDisk } from './virtual-disk.ts';
import { firstPolicy, policyAfter } from './virtual-policy.ts';

/** Executes the next block; its outcome is durable at once. */
export function executeBlock(
  disk: VirtualDisk,
  chain: VirtualChain,
  set: EpochSet,
  finalized: Pick<Executed, 'block' | 'batches' | 'finalization' | 'misbehaviour'>,
): Outcome {
  const { block, batches, misbehaviour } = finalized;
  const last = disk.executed.at(-1);
  const before = (last?.outcome ?? chain.genesis).statement;
  const executed = batches.flatMap(({ transactions }) => transactions);
  const historyRoot = executed.length === 0 ? before.historyRoot : chainHash(before.historyRoot, executed);
  const historySize = before.historySize + executed.length;
  const { height, timeMs, nextSet } = block.header;
  const accused = misbehaviour.map((fault) => set.validators[fault.accused]!.id);
  const policy = policyAfter(
    last?.policy ?? firstPolicy(chain.genesis.target),
    set,
    height,
    namesIn(batches),
    chain.removesFaulty ? accused : [],
    chain.everybody,
  );
  const wanted = new Uint8Array(32 + misbehaviour.length);
  wanted.set(policy.target.digest);
  wanted.set(
    misbehaviour.map((fault) => fault.accused),
    32,
  );
  const statement = {
    ...before,
    epoch: set.epoch,
    height,
    round: roundAt(disk, height, chain.constants.checkpointLag),
    historyRoot,
    historySize,
    stateRoot: chainHash(block.digest, height < disk.wrongFrom ? [wanted] : [wanted, wanted]),
    validatorSet: nextSet ?? set.digest,
  };
  const outcome = { statement, timeMs, target: policy.target };
  disk.executed.push({ ...finalized, outcome, policy, accused });
  return outcome;
}

function roundAt({ rounds }: VirtualDisk, height: number, checkpointLag: number): number {
  return rounds.findLast(({ above }) => height > above && height <= above + checkpointLag)?.round ?? 0;
}

/** Each part stands behind its length. */
function chainHash(before: Hash, parts: readonly Uint8Array[]): Hash {
  const all = new Uint8Array(parts.reduce((size, part) => size + 2 + part.length, 32));
  all.set(before);
  let at = 32;
  for (const part of parts) {
    all[at] = part.length >> 8;
    all[at + 1] = part.length;
    all.set(part, at + 2);
    at += 2 + part.length;
  }
  return sha256(all);
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
    case 'request-boundary': {
      const boundary = disk.executed.find(
        ({ block: { header } }) => header.epoch === request.epoch && header.nextSet !== null,
      );
      const finalization = boundary?.finalization ?? null;
      return finalization === null ? null : { type: 'certificate', certificate: finalization };
    }
    default:
      return null;
  }
}

function chainFrom(disk: VirtualDisk, from: number): Message | null {
  const page = disk.executed.slice(from - 1, from - 1 + chainBlocksMax);
  // Who is in one epoch cannot verify what the next one has finalized.
  const boundary = page.findIndex(({ block }) => block.header.nextSet !== null);
  if (boundary >= 0) page.length = boundary + 1;
  while (page.length > 0 && page.at(-1)!.finalization === null) page.pop();
  const last = page.at(-1);
  return last === undefined
    ? null
    : { type: 'chain', blocks: page.map(({ block }) => block), finalization: last.finalization! };
}
