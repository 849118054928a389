/**
 * Unsigned readings as they come by MQTT: SenML in JSON or CBOR (RFC 8428), decided by the MQTT 5 content type or else by
 * the first byte: JSON packs begin with `[`, which begins no CBOR pack.
 *
 * The gateway's clock gives a time to what has none, in milliseconds, and resolves relative times. Such a *plain* pack,
 * whose names lie under its device, can be written anew, together with others. One that names things otherwise, or has
 * extension fields, goes to the ledger as it is (in CBOR); relative times in it count from the second of attestation.
 */

import {
  type CairnError,
  decodePack,
  decodePayload,
  fail,
  jsonToPack,
  ok,
  type Reading,
  type ReadingInput,
  type Result,
} from '@cairn-ledger/core';

export type DeviceReadings =
  | { readonly type: 'plain'; readonly readings: readonly ReadingInput[] }
  | { readonly type: 'as-sent'; readonly pack: Uint8Array };

/**
 * @param contentType of MQTT 5, or null
 * @param device `member/device`
 * @param nowMs the gateway's clock
 */
export function decodeReadings(
  payload: Uint8Array,
  contentType: string | null,
  device: string,
  nowMs: number,
): Result<DeviceReadings, CairnError> {
  const pack = isJson(payload, contentType) ? jsonToPack(payload) : ok(payload);
  if (!pack.ok) return explain(pack.error);
  const decoded = decodePack(pack.value, { device, nowMs });
  if (!decoded.ok) return explain(decoded.error);
  const readings: ReadingInput[] = [];
  for (const reading of decoded.value) {
    const name = nameUnder(device, reading);
    if (name === null) return ok({ type: 'as-sent', pack: pack.value });
    readings.push({ ...reading, name });
  }
  return ok(hasExtensions(pack.value) ? { type: 'as-sent', pack: pack.value } : { type: 'plain', readings });
}

function isJson(payload: Uint8Array, contentType: string | null): boolean {
  const type = contentType?.split(';')[0]?.trim().toLowerCase();
  if (type === 'application/senml+json' || type === 'application/json') return true;
  if (type === 'application/senml+cbor' || type === 'application/cbor') return false;
  const first = payload.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d);
  return first === 0x5b;
}

/** The name below the device; null when it lies elsewhere. */
function nameUnder(device: string, { name }: Reading): string | null {
  if (name === device) return '';
  return name.startsWith(`${device}/`) ? name.slice(device.length + 1) : null;
}

function hasExtensions(pack: Uint8Array): boolean {
  const records = decodePayload(pack);
  if (!records.ok || !Array.isArray(records.value)) return true;
  return records.value.some(
    (record) => record instanceof Map && [...record.keys()].some((label) => typeof label === 'string'),
  );
}

function explain(error: CairnError): Result<never, CairnError> {
  return fail({
    code: error.code,
    message: `the payload is no SenML pack (RFC 8428), JSON or CBOR: ${error.message}; for example [{"n":"temperature","u":"Cel","v":21.5}]`,
  });
}
