/** Repair of view.db: it is a function of chain.db, so it is deleted, and made again when the node starts or follows next. */
import { existsSync, statSync } from 'node:fs';
import { removeDatabase } from '../storage/chain-replacement.ts';
import type { HealingReport } from './report.ts';

/** @param path of view.db, which nobody may have open */
export function repairView(path: string): HealingReport & { readonly bytesDropped: number } {
  const startedMs = performance.now();
  const bytesDropped = existsSync(path) ? statSync(path).size : 0;
  removeDatabase(path);
  return {
    what: 'view-rebuilt',
    rows: {},
    bytesFetched: 0,
    bytesDropped,
    tookMs: performance.now() - startedMs,
    height: null,
  };
}
