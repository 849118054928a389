/**
 * Classes of the time between the first and the last reading of one transaction. A look-up by time asks each class apart,
 * beginning as far before the wanted range as a row of that class can reach: so the packs of one day do not make every
 * look-up begin a day earlier.
 */
const spanMaxMs: readonly number[] = [2 ** 18, 2 ** 22, 2 ** 26, 2 ** 30, Number.MAX_SAFE_INTEGER];

export const seriesWidths: readonly number[] = spanMaxMs.map((_, width) => width);

/** About 4 minutes, 70 minutes, 19 hours, 12 days, and more. */
export function widthOf(spanMs: number): number {
  return spanMaxMs.findIndex((max) => spanMs <= max);
}

/** The earliest beginning of a row of this class that can reach `timeMs`. */
export function earliestBegin(width: number, timeMs: number): number {
  return Math.max(0, timeMs - spanMaxMs[width]!);
}
