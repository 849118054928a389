/**
 * The members restart a simulated network (protocol.md section 6, "Restart"): what a document does to the disk of a node that does not
 * run. The block is that of the production code; its outcome is the simulated ledger's.
 */
import {
  checkpointDigest,
  createEpochTarget,
  createRestart,
  restartRound,
  sha256,
  toHeight,
  type Validator,
} from '@cairn-ledger/core';
import { epochAfter } from './stored-origin.ts';
import type { VirtualChain } from './virtual-chain.ts';
import type { VirtualDisk } from './virtual-disk.ts';
import { firstPolicy } from './virtual-policy.ts';

/** The epoch ends above what the node has executed, and these go on. Its mark knows nothing of the epoch that begins. */
export function restartDisk(disk: VirtualDisk, chain: VirtualChain, validators: readonly Validator[]): void {
  const { set } = epochAfter(chain, disk.executed);
  const last = disk.executed.at(-1);
  const { statement, timeMs } = last?.outcome ?? chain.genesis;
  const named = disk.executed[disk.executed.length - chain.constants.checkpointLag]?.outcome ?? chain.genesis;
  const point = {
    ledgerHash: chain.ledgerHash,
    epoch: set.epoch,
    rules: set.rules,
    height: toHeight(disk.executed.length),
    parent: last?.block.digest ?? set.genesis.digest,
    timeMs,
    result: checkpointDigest(statement),
    checkpoint: checkpointDigest(named.statement),
  };
  const { block } = createRestart(point, validators).restart;
  const target = createEpochTarget(validators, set.rules);
  const { height } = block.header;
  const outcome = {
    statement: {
      ...statement,
      epoch: set.epoch,
      height,
      round: restartRound,
      stateRoot: sha256(block.headerBytes),
      validatorSet: target.digest,
    },
    timeMs: block.header.timeMs,
    target,
  };
  const policy = { ...(last?.policy ?? firstPolicy(chain.genesis.target)), target };
  disk.executed.push({
    ...{ block, batches: [], finalization: null, misbehaviour: [], accused: [] },
    ...{ outcome, policy, isRestart: true },
  });
  disk.certifiedHeight = height;
  disk.mark = { epoch: set.epoch + 1, view: 0, seq: 0, checkpointHeight: height };
}
