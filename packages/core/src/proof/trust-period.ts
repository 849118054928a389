/**
 * How long an anchor may be trusted online without asking around (protocol.md section 7).
 *
 * The keys of validators that left long ago may be stolen or sold, and nobody punishes their owners any more: a quorum of them
 * could sign a second future of the ledger. So an anchor whose newest certified time is longer ago than the trust period
 * leads on only where f + 1 nodes confirm, each on its own, that they follow the same future: one of them is honest. Receipts
 * checked offline need no such check: whoever keeps one knows since when.
 */
import { assert, type CairnError, fail, ok, type Result } from '../result.ts';
import type { TrustAnchor } from './trust-anchor.ts';

/** 30 days. */
export const defaultTrustPeriodSeconds = 30 * 86_400;

export type TrustPeriodCheck = {
  /** When the anchor was last known to be certified, in seconds since 1970: its own time, or that of a later confirmation. */
  readonly certifiedSeconds: number;
  readonly nowSeconds: number;
  readonly trustPeriodSeconds: number;
  /** Nodes that have confirmed the same future just now, each asked on its own. */
  readonly confirmations: number;
};

/** f + 1 of the anchor's epoch: how many confirmations hold one of an honest validator. */
export function confirmationsNeeded(anchor: TrustAnchor): number {
  return anchor.validators.length - anchor.quorum + 1;
}

export function isWithinTrustPeriod(check: Omit<TrustPeriodCheck, 'confirmations'>): boolean {
  return check.nowSeconds - check.certifiedSeconds <= check.trustPeriodSeconds;
}

/**
 * Whether an anchor may be used online: it is fresh enough, or enough nodes confirm it. Error: `anchor.too-old`.
 *
 * @param anchor the one that was trusted to begin with; what proofs led to later counts for nothing here, since old keys may
 * have signed it
 */
export function checkTrustPeriod(anchor: TrustAnchor, check: TrustPeriodCheck): Result<void, CairnError> {
  const { certifiedSeconds, nowSeconds, trustPeriodSeconds, confirmations } = check;
  assert(confirmations >= 0 && trustPeriodSeconds >= 0, 'a trust period and its confirmations are not negative');
  const needed = confirmationsNeeded(anchor);
  if (isWithinTrustPeriod(check) || confirmations >= needed) return ok(undefined);
  return fail({
    code: 'anchor.too-old',
    message:
      `The trust anchor (epoch ${anchor.epoch}) was last certified ${daysText(nowSeconds - certifiedSeconds)} ago, longer than the trust period of ` +
      `${daysText(trustPeriodSeconds)}, and ${confirmations} of ${needed} nodes that are needed confirm what came after it. Name ${needed} nodes that do not belong together, or a newer anchor from a source you trust.`,
  });
}

function daysText(seconds: number): string {
  const hours = (seconds - (seconds % 3600)) / 3600;
  const days = (hours - (hours % 24)) / 24;
  return days >= 2 ? `${days} days` : `${hours} hours`;
}
