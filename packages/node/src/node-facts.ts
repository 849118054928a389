/** What a node says in its log: facts of the protocol, and why it is fenced. */
import { type CairnError, type EpochSet, type Fact, unreachable } from '@cairn-ledger/core';
import type { FenceReason } from './driver/driver.ts';
import { rolledBackError } from './keys/rolled-back.ts';
import type { Log } from './logging.ts';
import { operatorFenceReason } from './membership/operator-fence.ts';

export function logFact(log: Log, fact: Fact, { validators }: Pick<EpochSet, 'validators'>): void {
  switch (fact.type) {
    case 'entered-view':
      return log.debug('view.entered', { view: fact.view, by: fact.by });
    case 'nullified':
      return log.info('view.nullified', { view: fact.view, reason: fact.reason });
    case 'finalized':
      return log.debug('view.finalized', { view: fact.view, digest: fact.digest });
    case 'fault-proven':
      return log.error('fault.proven', { accused: validators[fact.accused]!.id, kind: fact.kind });
    case 'fork':
      return log.error('chain.forked', { view: fact.view });
    case 'checkpoint-certified':
      return log.debug('checkpoint.certified', { height: fact.height });
    case 'syncing':
      return log.info('chain.syncing', { from: fact.from });
    case 'start-checked':
      return log.info('node.checked');
    default:
      return unreachable(fact);
  }
}

/** @param markPath of the signing mark beside the keys */
export function fenceError(reason: FenceReason, dataDir: string, markPath: string): CairnError {
  switch (reason) {
    case 'rolled-back':
      return rolledBackError(dataDir, markPath);
    case 'operator':
      return {
        code: 'node.fenced',
        message: `taken out by its operator: ${operatorFenceReason(dataDir) ?? 'no reason'}`,
      };
    case 'restart':
      return {
        code: 'node.fenced',
        message:
          'the members have ended this epoch: nothing is signed in it, and the next one begins at the height they named',
      };
    case 'damaged':
      return {
        code: 'node.damaged',
        message: 'what is kept on disk is not what was written: it is repaired from peers',
      };
    case 'diverged':
      return {
        code: 'node.diverged',
        message:
          'the result of a block differs from the certified one: nothing is signed before the state is that of the others',
      };
    default:
      return unreachable(reason);
  }
}
