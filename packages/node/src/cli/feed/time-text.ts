/**
 * Times as people write them in files, to exact seconds since 1970 in decimal text, never through a double.
 *
 *     2013-07-04 00:00:00        no zone: UTC
 *     2013-07-04T00:00:00.125Z   ISO 8601; also +02:00, -0330, without seconds, or the date alone
 *     1372896000.5               seconds
 *     1372896000500              milliseconds, when the caller says so
 */
import { type CairnError, fail, ok, type Result } from '@cairn-ledger/core';

export type TimeUnit = 's' | 'ms';

const CALENDAR =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?$/i;
const NUMBER = /^(\d{1,15})(?:\.(\d{1,9}))?$/;

/** @param unit what a bare number counts */
export function timeTextToSeconds(text: string, unit: TimeUnit = 's'): Result<string, CairnError> {
  const trimmed = text.trim();
  const number = NUMBER.exec(trimmed);
  if (number !== null) return ok(unit === 's' ? trimmed : millisecondsToSeconds(number[1]!, number[2] ?? ''));
  const calendar = CALENDAR.exec(trimmed);
  if (calendar === null) return refused(text);
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction, zone] = calendar;
  const instant = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(instant.getTime()) || instant.getUTCDate() !== Number(day)) return refused(text);
  const offset = zoneToSeconds(zone);
  if (offset === null) return refused(text);
  const seconds = instant.getTime() / 1000 - offset;
  if (seconds < 0) return refused(text);
  return ok(fraction === undefined ? `${seconds}` : `${seconds}.${fraction}`);
}

function millisecondsToSeconds(whole: string, fraction: string): string {
  const padded = whole.padStart(4, '0');
  const below = (padded.slice(-3) + fraction).replace(/0+$/, '');
  const seconds = padded.slice(0, -3).replace(/^0+(?=\d)/, '');
  return below === '' ? seconds : `${seconds}.${below}`;
}

function zoneToSeconds(zone: string | undefined): number | null {
  if (zone === undefined || /^(z|utc)$/i.test(zone)) return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(':', '') || '0');
  if (hours > 14 || minutes > 59) return null;
  return (zone[0] === '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

function refused(text: string): Result<string, CairnError> {
  return fail({
    code: 'feed.bad-time',
    message: `"${text}" is not a time. Known: 2013-07-04 00:00:00 (UTC), ISO 8601, or seconds since 1970 (milliseconds with --time-unit ms).`,
  });
}
