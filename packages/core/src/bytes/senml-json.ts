/**
 * SenML packs in JSON (RFC 8428 section 5) into CBOR, record by record: labels become integers, numbers keep their exact
 * value from their text (integers, else decimal fractions), data values are base64url. Extensions are kept. The result
 * is in the payload profile and follows the rules of senml-pack.ts; relative times stay relative.
 */
import { type CairnError, fail, ok, type Result } from '../result.ts';
import { base64urlToBytes } from './base64url.ts';
import { type CborKey, type Encodable, encodeCbor } from './cbor.ts';
import { textToDecimal } from './decimal.ts';
import { type JsonNumber, type JsonValue, readJson } from './json-text.ts';
import { payloadDepthMax } from './payload.ts';
import { decimalToEncodable, requireReadablePack } from './senml-encode.ts';
import { senmlJsonLabels, senmlLabel } from './senml-label.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** Two levels less than in CBOR, where a number may take them. */
const depthMax = payloadDepthMax - 2;

type Converted<T> = Result<T, CairnError>;

/** A JSON pack, as text or as UTF-8 bytes, into a CBOR pack. */
export function jsonToPack(json: string | Uint8Array): Converted<Uint8Array<ArrayBuffer>> {
  const text = typeof json === 'string' ? json : utf8ToText(json);
  if (text === null) return refuse('the text is not UTF-8');
  const read = readJson(text, depthMax);
  if (!read.ok) return refuse(read.error.message);
  if (!Array.isArray(read.value)) return refuse('a pack is an array of records');
  const records: Encodable[] = [];
  for (const record of read.value) {
    const converted = recordToCbor(record, records.length);
    if (!converted.ok) return converted;
    records.push(converted.value);
  }
  return requireReadablePack(encodeCbor(records));
}

function recordToCbor(record: JsonValue, index: number): Converted<Map<CborKey, Encodable>> {
  if (!(record instanceof Map)) return refuse(`record ${index} is not an object`);
  const converted = new Map<CborKey, Encodable>();
  for (const [name, value] of record) {
    const label = senmlJsonLabels.get(name);
    const encodable = label === senmlLabel.dataValue ? dataToCbor(value) : valueToCbor(value);
    if (encodable === undefined)
      return refuse(`${JSON.stringify(name)} of record ${index} has a value that cannot be kept`);
    converted.set(label ?? name, encodable);
  }
  return ok(converted);
}

/** undefined where a number is beyond the limits. */
function valueToCbor(value: JsonValue): Encodable | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (value instanceof Map) {
    const map = new Map<CborKey, Encodable>();
    for (const [name, item] of value) {
      const encodable = valueToCbor(item);
      if (encodable === undefined) return undefined;
      map.set(name, encodable);
    }
    return map;
  }
  if (Array.isArray(value)) {
    const items = value.map(valueToCbor);
    return items.includes(undefined) ? undefined : (items as Encodable[]);
  }
  return numberToCbor(value);
}

function numberToCbor({ numberText }: JsonNumber): Encodable | undefined {
  const decimal = textToDecimal(numberText);
  return decimal === null ? undefined : decimalToEncodable(decimal);
}

function dataToCbor(value: JsonValue): Encodable | undefined {
  return typeof value === 'string' ? (base64urlToBytes(value) ?? undefined) : undefined;
}

function utf8ToText(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}

function refuse(message: string): Result<never, CairnError> {
  return fail({ code: 'senml.malformed', message });
}
