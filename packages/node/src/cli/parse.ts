/** Readers of option values; they end the command with a message that names the option. */
import { InvalidArgumentError } from 'commander';

export function parsePositive(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number above 0.');
  return value;
}

/** Readings of one transaction: what one SenML pack may hold, less a few. */
export function parsePack(text: string): number {
  const value = parsePositive(text);
  if (value > 1000) throw new InvalidArgumentError('It must be at most 1000.');
  return value;
}

export function parsePort(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1 || value > 65_535)
    throw new InvalidArgumentError('It must be a port from 1 to 65535.');
  return value;
}

/** A number above zero, with decimals. */
export function parseRate(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** `90s`, `30m`, `24h` or `7d`, in seconds. */
export function parseDuration(text: string): number {
  const match = /^(\d{1,7})([smhd])$/.exec(text);
  if (match === null || Number(match[1]) === 0)
    throw new InvalidArgumentError('It must be a time like 90s, 30m, 24h or 7d.');
  return Number(match[1]) * unitSeconds[match[2]!]!;
}
