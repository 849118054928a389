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
