/** Amounts as people write them (`2.50`) and as the ledger counts them (base units). Exact, in both directions. */
import { type CairnError, fail, ok, type Result } from '@cairn-ledger/core';

const uint64Max = (1n << 64n) - 1n;

/** @param decimals base units per unit, as a power of ten */
export function amountToUnits(text: string, decimals: number): Result<bigint, CairnError> {
  const match = /^(\d{1,20})(?:\.(\d+))?$/.exec(text);
  const fraction = match?.[2] ?? '';
  if (match === null)
    return fail({ code: 'usage.bad-amount', message: `"${text}" is not an amount; write it like 2.50` });
  if (fraction.length > decimals) {
    return fail({ code: 'usage.bad-amount', message: `"${text}" has more than the ${decimals} decimals of the asset` });
  }
  const units = BigInt(match[1]! + fraction.padEnd(decimals, '0'));
  if (units === 0n || units > uint64Max)
    return fail({ code: 'usage.bad-amount', message: `"${text}" is no amount above zero that fits 64 bits` });
  return ok(units);
}

export function unitsToAmount(units: bigint, decimals: number): string {
  if (decimals === 0) return units.toString();
  const digits = units.toString().padStart(decimals + 1, '0');
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}
