import { type CairnError, fail, ok, type Result } from '@cairn-ledger/core';
import type { ReadingValue } from '@cairn-ledger/sdk';
import type { SourceOptions } from './feed-options.ts';

/** A value in text as a reading's value, by the rule for bad ones; null: leave it out. */
export function readingValueOf(
  text: string,
  number: string | null,
  onBad: SourceOptions['onBad'],
): Result<ReadingValue | null, CairnError> {
  if (number !== null) return ok({ type: 'number', text: number });
  if (text === 'true' || text === 'false') return ok({ type: 'boolean', value: text === 'true' });
  if (onBad === 'text') return ok({ type: 'string', text });
  if (onBad === 'skip') return ok(null);
  return fail({
    code: 'feed.bad-value',
    message: `"${text}" is not a number. --on-bad skip leaves such values out, --on-bad text sends them as text.`,
  });
}
