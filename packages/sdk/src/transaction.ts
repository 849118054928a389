/**
 * Transactions as applications make and read them: readings, transfers and registrations, signed by one key. What core
 * asserts about its callers is checked here, and comes back as an error that says what to do.
 */
import {
  attest,
  type CairnError,
  decodeTransaction,
  type EncodedOperation,
  encodeCbor,
  encodePack,
  fail,
  type KeyAlgorithm,
  type KeyRole,
  ok,
  propose,
  type ReadingInput,
  type Result,
  readingsOf,
  ready,
  registerKey,
  type Signer,
  signTransaction as signContent,
  textToDecimal,
  toHex,
  transactionBytesMax,
  transfer,
  vote,
} from '@cairn-ledger/core';
import type { Reading, ReadingValue } from './reading.ts';

export type TransferInput = {
  /** `member` or `member/device`. */
  readonly to: string;
  readonly asset: string;
  /** Base units. */
  readonly amount: bigint;
  /** Absent: the account of the signing key. */
  readonly from?: string;
};

export type RegistrationInput = {
  readonly role: KeyRole;
  readonly algorithm: KeyAlgorithm;
  readonly publicKey: Uint8Array;
  /** The second part of `member/device`; null for a key of the member itself. */
  readonly device: string | null;
};

export type TransactionInput = {
  /** SHA-256 of the genesis document. */
  readonly ledgerHash: Uint8Array;
  /** Of the signing key; never one that was used before, also not after a crash. */
  readonly counter: bigint;
  readonly readings?: readonly Reading[];
  readonly transfers?: readonly TransferInput[];
  readonly registrations?: readonly RegistrationInput[];
  /** Operations of other kinds, as core encodes them: proposals, votes. */
  readonly operations?: readonly EncodedOperation[];
  /** `member/device`, where a gateway signs for it. */
  readonly device?: string;
  /** The transaction is void at this block time, in seconds since 1970. */
  readonly expiresSeconds?: number;
  /** When it was signed, in seconds since 1970: what readings without a time count from. */
  readonly issuedSeconds?: number;
};

/** Signs readings and operations as one transaction: all of it applies, or nothing. Errors: `senml.malformed`, `tx.*`. */
export function signTransaction(input: TransactionInput, signer: Signer): Result<Uint8Array, CairnError> {
  const senml = packReadings(input.readings ?? [], input.device);
  if (!senml.ok) return senml;
  const operations = [
    ...(input.transfers ?? []).map((operation) => transfer.toCbor(operation)),
    ...(input.registrations ?? []).map((operation) => registerKey.toCbor(operation)),
    ...(input.operations ?? []),
  ];
  if (senml.value === null && operations.length === 0) {
    return fail({ code: 'tx.malformed', message: 'a transaction holds readings, operations or both' });
  }
  // Bytes of the header and the signature are well below this.
  const operationBytes = operations.reduce((size, operation) => size + encodeCbor(operation).length, 0);
  if ((senml.value?.length ?? 0) + operationBytes > transactionBytesMax - 1024) {
    return fail({
      code: 'tx.too-large',
      message: `a transaction has at most ${transactionBytesMax} bytes; put fewer readings into one`,
    });
  }
  return ok(
    signContent(
      {
        ledgerHash: input.ledgerHash,
        counter: input.counter,
        ...(senml.value !== null && { senml: senml.value }),
        ...(operations.length > 0 && { operations }),
        ...(input.device !== undefined && { sub: input.device }),
        ...(input.expiresSeconds !== undefined && { expiresSeconds: input.expiresSeconds }),
        ...(input.issuedSeconds !== undefined && { issuedSeconds: input.issuedSeconds }),
      },
      signer,
    ),
  );
}

/** The id of a transaction, hexadecimal: the same for every signature of the same content. */
export function transactionIdOf(transaction: Uint8Array): Result<string, CairnError> {
  const decoded = decodeTransaction(transaction);
  return decoded.ok ? ok(toHex(decoded.value.id)) : decoded;
}

/** A transaction in words, for people. */
export type TransactionContent = {
  readonly id: string;
  readonly kid: string;
  readonly counter: string;
  readonly readings: readonly Reading[];
  readonly operations: number;
  /** One line for each reading and operation. */
  readonly lines: readonly string[];
};

/** @param device whose name the readings get; without it they have the names that were signed */
export function describeTransaction(transaction: Uint8Array, device = ''): Result<TransactionContent, CairnError> {
  const decoded = decodeTransaction(transaction);
  if (!decoded.ok) return decoded;
  const { id, header, body } = decoded.value;
  const readings = readingsOf(decoded.value, device).map((reading): Reading => {
    const name = device === '' ? reading.name.replace(/^\//, '') : reading.name;
    const time = reading.timeText;
    return { name, time, ...(reading.unit !== undefined && { unit: reading.unit }), value: toValue(reading.value) };
  });
  const lines = [...readings.map(readingLine), ...body.operations.map(operationLine)];
  return ok({
    id: toHex(id),
    kid: toHex(header.kid),
    counter: header.counter.toString(),
    readings,
    operations: body.operations.length,
    lines,
  });
}

function packReadings(readings: readonly Reading[], device: string | undefined): Result<Uint8Array | null, CairnError> {
  if (readings.length === 0) return ok(null);
  const inputs: ReadingInput[] = [];
  for (const reading of readings) {
    const input = toInput(reading);
    if (!input.ok) return input;
    inputs.push(input.value);
  }
  return encodePack(inputs, device);
}

function toInput(reading: Reading): Result<ReadingInput, CairnError> {
  const { name, unit, value } = reading;
  const time = reading.time === undefined ? undefined : textToDecimal(reading.time);
  if (time === null)
    return fail({
      code: 'senml.malformed',
      message: `the time "${reading.time}" of "${name}" is not a number of seconds`,
    });
  const input = { name, ...(unit !== undefined && { unit }), ...(time !== undefined && { time }) };
  if (value.type !== 'number') return ok({ ...input, value });
  const decimal = textToDecimal(value.text);
  if (decimal === null)
    return fail({
      code: 'senml.malformed',
      message: `the value "${value.text}" of "${name}" is not a number, or has too many digits`,
    });
  return ok({ ...input, value: { type: 'number', decimal } });
}

function toValue(value: ReturnType<typeof readingsOf>[number]['value']): ReadingValue {
  switch (value.type) {
    case 'number':
      return { type: 'number', text: value.text };
    case 'none':
      return { type: 'string', text: '' };
    default:
      return value;
  }
}

function readingLine({ name, unit, time, value }: Reading): string {
  const text = value.type === 'boolean' ? String(value.value) : value.type === 'data' ? toHex(value.bytes) : value.text;
  return `reading     ${name} = ${text}${unit === undefined ? '' : ` ${unit}`} at ${timeText(time)}`;
}

function timeText(seconds: string | undefined): string {
  const ms = Number(seconds) * 1000;
  return Number.isFinite(ms) && ms <= 8.64e15 ? new Date(ms).toISOString() : String(seconds);
}

function operationLine(operation: readonly unknown[]): string {
  const [code, ...rest] = operation;
  if (code === transfer.code) {
    const [to, asset, amount, from] = rest;
    return `transfer    ${String(amount)} base units of ${String(asset)} to ${String(to)}${from === undefined ? '' : ` from ${String(from)}`}`;
  }
  if (code === registerKey.code) return `register    a key${rest[3] === null ? '' : ` of device ${String(rest[3])}`}`;
  if (code === propose.code) return `propose     ${changeText(rest[0])}`;
  if (code === vote.code) return `vote        ${rest[1] === 1 ? 'yes' : 'no'} on proposal ${bytesText(rest[0])}`;
  if (code === attest.code)
    return `attest      of ${String(rest[0])}: ${verdicts[Number(rest[1])] ?? '?'} (${String(rest[2])})`;
  if (code === ready.code) return `ready       validator ${String(rest[0])}`;
  return `operation   ${String(code)}`;
}

const verdicts = ['suspect', 'clear', 'present', 'fenced'];

function changeText(change: unknown): string {
  const [kind, what, name] = Array.isArray(change) ? (change as unknown[]) : [];
  switch (kind) {
    case 0:
      return `member ${String(what)} (${String(name)})`;
    case 1:
      return Array.isArray(what) ? `validator ${String(what[0])} of ${String(what[1])}` : 'a validator';
    case 2:
      return `to remove validator ${String(what)}`;
    case 3:
      return 'other parameters';
    case 4:
      return `rules ${String(what)}`;
    default:
      return 'a change of a kind that is not known here';
  }
}

function bytesText(value: unknown): string {
  return value instanceof Uint8Array ? toHex(value) : '?';
}
