/** Readings as a node answers them: numbers are taken from their text, so that no decimal is lost in a double. */
import { type CairnError, fail, ok, type Result } from '@cairn-ledger/core';
import type { ReadingsPage } from './answers.ts';

type Reviver = (this: unknown, name: string, value: unknown, context: { readonly source?: string }) => unknown;

/** Keeps the source text of every number called `value`; other numbers (heights) are safe integers. */
const keepNumberText: Reviver = (name, value, context) =>
  name === 'value' && typeof value === 'number' && context.source !== undefined
    ? { type: 'number', text: context.source }
    : value;

export function parseReadings(text: string): Result<ReadingsPage, CairnError> {
  try {
    const page = JSON.parse(text, keepNumberText as Parameters<typeof JSON.parse>[1]) as Partial<ReadingsPage>;
    const { readings = null, next = null, heldFrom = 0 } = page;
    const rows: unknown = readings;
    const isPage = Array.isArray(rows) && rows.every((row: unknown) => typeof row === 'object' && row !== null);
    if (readings !== null && isPage && Number.isSafeInteger(heldFrom) && heldFrom >= 0)
      return ok({ readings, next, heldFrom });
  } catch {
    // Answered below.
  }
  return fail({
    code: 'client.bad-answer',
    message: 'the node answered with something that is not a page of readings',
  });
}
