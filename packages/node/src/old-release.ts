/** The members have voted for rules that this release does not know: it can execute nothing of the epoch that has them. */
import { type CairnError, isKnownRules, rulesLatest } from '@cairn-ledger/core';
import { nodeVersion } from './version.ts';

/** Null where this release knows these rules. */
export function oldReleaseError(rules: number): CairnError | null {
  if (isKnownRules(rules)) return null;
  return {
    code: 'node.old-release',
    message: `upgrade this node: the ledger goes on under rules ${rules}, and this release (${nodeVersion}) knows rules ${rulesLatest}. Everything that it has stays as it is`,
  };
}
