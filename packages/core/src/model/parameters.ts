/**
 * Parameters of a network: set by its genesis, changed by votes of its members, kept in the state under `parameters`. The first five are the protocol's
 * constants (protocol.md section 8), the next four limit what one member may use of everybody's nodes, and the last one
 * says how many members must agree to a proposal.
 *
 *     Parameters = { 1 => deltaMs, 2 => heartbeatMs, 3 => clockDriftMs, 4 => checkpointLag, 5 => retentionHeights,
 *                    6 => transactionsPerMinute, 7 => bytesPerMinute, 8 => devicesMax, 9 => keysMax,
 *                    10 => memberVotesPercent }                                                          ; all uint
 */
import type { Cbor } from '../bytes/cbor.ts';
import { requireShape, uintOf } from '../bytes/shape.ts';

export type Parameters = {
  readonly deltaMs: number;
  readonly heartbeatMs: number;
  readonly clockDriftMs: number;
  /** L: how many heights agreement may be ahead of the last certified checkpoint. */
  readonly checkpointLag: number;
  readonly retentionHeights: number;
  /** Transactions of one member per minute of block time. */
  readonly transactionsPerMinute: number;
  /** Bytes of transactions of one member per minute of block time. */
  readonly bytesPerMinute: number;
  /** Devices one member may have on the ledger. */
  readonly devicesMax: number;
  /** Keys one member may register over time, revoked ones included: a kid is remembered for ever. */
  readonly keysMax: number;
  /**
   * A proposal passes when yes * 100 >= memberVotesPercent * members. From 51 to 100, so always by a majority of all members;
   * 67 is always more than two thirds.
   */
  readonly memberVotesPercent: number;
};

export const defaultParameters: Parameters = {
  deltaMs: 500,
  heartbeatMs: 10_000,
  clockDriftMs: 5_000,
  checkpointLag: 4,
  retentionHeights: 10_000,
  transactionsPerMinute: 1_000_000,
  bytesPerMinute: 1 << 30,
  devicesMax: 100_000,
  keysMax: 1_000_000,
  memberVotesPercent: 67,
};

type Field = { readonly name: keyof Parameters; readonly min: number; readonly max: number };

/** Position i holds the field with CBOR key i + 1. */
const fields: readonly Field[] = [
  { name: 'deltaMs', min: 1, max: 600_000 },
  { name: 'heartbeatMs', min: 1, max: 3_600_000 },
  { name: 'clockDriftMs', min: 0, max: 3_600_000 },
  { name: 'checkpointLag', min: 1, max: 1_000 },
  { name: 'retentionHeights', min: 1_000, max: Number.MAX_SAFE_INTEGER },
  { name: 'transactionsPerMinute', min: 1, max: Number.MAX_SAFE_INTEGER },
  { name: 'bytesPerMinute', min: 65_535, max: Number.MAX_SAFE_INTEGER },
  { name: 'devicesMax', min: 0, max: Number.MAX_SAFE_INTEGER },
  { name: 'keysMax', min: 1, max: Number.MAX_SAFE_INTEGER },
  { name: 'memberVotesPercent', min: 51, max: 100 },
];

export function parametersToCbor(parameters: Parameters): Cbor {
  return new Map(fields.map((field, i) => [i + 1, parameters[field.name]]));
}

/** For use inside `readShape` or `decodeShape`. */
export function readParametersShape(value: Cbor): Parameters {
  requireShape(
    value instanceof Map && value.size === fields.length,
    `parameters must be a map of ${fields.length} fields`,
  );
  const parameters: Record<string, number> = {};
  fields.forEach((field, i) => {
    const item = uintOf(value.get(i + 1) ?? null, `parameter ${field.name}`, field.max);
    requireShape(item >= field.min, `parameter ${field.name} must be at least ${field.min}`);
    parameters[field.name] = item;
  });
  return parameters as Parameters;
}
