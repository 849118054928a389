/**
 * Quotas: what one member may have the network do in a minute, in transactions and in bytes. Minutes are those of block
 * time, so all nodes count alike. Everything that used up a counter counts, applied or not: it cost the same work.
 */
import type { Parameters } from '../model/parameters.ts';
import type { CairnError } from '../result.ts';
import { errorOf } from './errors.ts';
import { absentQuota, paths, type QuotaRecord, quotaKind } from './records.ts';
import type { WorkingState } from './working-state.ts';

const minuteMs = 60_000;

/** Counts a transaction against the member's quota, or says why it has none left. */
export function chargeQuota(
  state: WorkingState,
  parameters: Parameters,
  member: string,
  timeMs: number,
  sizeBytes: number,
): CairnError | null {
  const used = usedInMinute(state.get(quotaKind, paths.quota(member)), timeMs);
  if (used.transactions >= parameters.transactionsPerMinute) {
    return errorOf('quota.exceeded', `${parameters.transactionsPerMinute} transactions`);
  }
  if (used.bytes + sizeBytes > parameters.bytesPerMinute) {
    return errorOf('quota.exceeded', `${parameters.bytesPerMinute} bytes`);
  }
  state.set(quotaKind, paths.quota(member), {
    minute: used.minute,
    transactions: used.transactions + 1,
    bytes: used.bytes + sizeBytes,
  });
  return null;
}

/** What was used of the minute that block time `timeMs` lies in. */
export function usedInMinute(record: QuotaRecord | null, timeMs: number): QuotaRecord {
  const minute = (timeMs - (timeMs % minuteMs)) / minuteMs;
  return record !== null && record.minute === minute ? record : { ...absentQuota, minute };
}
