/**
 * Readings as applications hold them: names, units, and exact decimal texts for numbers and times, so that nothing passes
 * through a double on its way to the ledger or back.
 */
import { type CairnError, decimalToText, fail, ok, type Result, textToDecimal } from '@cairn-ledger/core';

export type ReadingValue =
  /** A decimal number in the grammar of JSON, exact. */
  | { readonly type: 'number'; readonly text: string }
  | { readonly type: 'string'; readonly text: string }
  | { readonly type: 'boolean'; readonly value: boolean }
  | { readonly type: 'data'; readonly bytes: Uint8Array };

export type Reading = {
  /** Below the device's own name: `[A-Za-z0-9][A-Za-z0-9:./_-]*` (RFC 8428 section 4.5.1). */
  readonly name: string;
  /** A unit of the SenML registry: `Cel`, `%RH`, `V`... */
  readonly unit?: string;
  /** Seconds since 1970, exact decimal text. */
  readonly time?: string;
  readonly value: ReadingValue;
};

const NAME = /^[A-Za-z0-9][A-Za-z0-9:./_-]{0,127}$/;

/** True for a name that SenML allows a reading to have. */
export function isReadingName(name: string): boolean {
  return NAME.test(name);
}

/**
 * A number as people and loggers write it (`+1.5`, `.5`, `007.10`) as an exact JSON number; null when it is none, or has
 * more digits than the ledger takes. Digits after the point stay as they are, also trailing zeros.
 */
export function numberText(text: string): string | null {
  const decimal = textToDecimal(text.trim());
  return decimal === null ? null : decimalToText(decimal);
}

/**
 * Reads `name=value` or `name=value:unit` as the command line takes it: `temperature=21.50:Cel`, `door=true`,
 * `note=text`. Values that look like numbers are numbers, `true` and `false` are booleans, the rest is text.
 */
export function textToReading(text: string, time?: string): Result<Reading, CairnError> {
  const match = /^([^=]+)=(.*)$/s.exec(text);
  const name = match?.[1] ?? '';
  if (match === null || !isReadingName(name)) {
    return fail({
      code: 'usage.bad-reading',
      message: `"${text}" is not a reading. Write name=value or name=value:unit, for example temperature=21.5:Cel.`,
    });
  }
  const written = match[2]!;
  const colon = written.lastIndexOf(':');
  const number = numberText(colon < 0 ? written : written.slice(0, colon));
  const unit = colon < 0 ? undefined : written.slice(colon + 1);
  if (number !== null && (unit === undefined || unit !== '')) {
    return ok({
      name,
      value: { type: 'number', text: number },
      ...(unit !== undefined && { unit }),
      ...(time !== undefined && { time }),
    });
  }
  const value: ReadingValue =
    written === 'true' || written === 'false'
      ? { type: 'boolean', value: written === 'true' }
      : { type: 'string', text: written };
  return ok({ name, value, ...(time !== undefined && { time }) });
}
