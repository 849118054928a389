/** Readings of a SenML pack, JSON or CBOR (RFC 8428), with exact numbers. */
import { type CairnError, decodePack, jsonToPack, ok, type Result } from '@cairn-ledger/core';
import type { Reading } from '@cairn-ledger/sdk';

/** Names are as written, base name and name put together; on the ledger they count within the device that signs. */
export function senmlReadings(bytes: Uint8Array, form: 'json' | 'cbor'): Result<Reading[], CairnError> {
  const pack = form === 'json' ? jsonToPack(bytes) : ok(bytes);
  if (!pack.ok) return pack;
  // A pack that is given as a file says when by itself; times relative to "now" have lost their now.
  const decoded = decodePack(pack.value);
  if (!decoded.ok) return decoded;
  return ok(
    decoded.value.flatMap(({ name, unit, timeText, value }): Reading[] =>
      value.type === 'none'
        ? []
        : [{ name, time: timeText, value: plainValue(value), ...(unit !== undefined && { unit }) }],
    ),
  );
}

function plainValue(value: Reading['value']): Reading['value'] {
  return value.type === 'number' ? { type: 'number', text: value.text } : value;
}
