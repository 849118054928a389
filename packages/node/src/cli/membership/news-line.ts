/** One event as a line for people. What a node says is printed as it is, less control characters. */
import type { NewsItem } from '@cairn-ledger/sdk';
import type { EventKind } from '../../http/news.ts';
import { plainText, style } from '../output.ts';

type Data = Readonly<Record<string, unknown>>;

const lines: Readonly<Partial<Record<EventKind, (data: Data) => string>>> = {
  block: (data) => `${text(data.transactionCount)} transactions, by rules ${text(data.rules)}, at ${text(data.time)}`,
  transaction: (data) => `${text(data.id)} ${text(data.code)}`,
  status: (data) => `${text(data.mode)}, height ${text(data.executedHeight)}`,
  'fault-proven': (data) => `${text(data.validator)} of ${text(data.member)} was proven faulty: ${text(data.fault)}`,
  suspended: (data) => `${text(data.validator)} is suspended: ${text(data.cause)}`,
  cleared: (data) => `${text(data.validator)} is no longer suspended: ${text(data.cause)}`,
  attested: (data) =>
    data.by === data.validator
      ? `${text(data.by)} says of itself: ${text(data.verdict)} (${text(data.reason)})`
      : `${text(data.by)} says of ${text(data.validator)}: ${text(data.verdict)} (${text(data.reason)})`,
  'member-added': (data) => `${text(data.member)} (${text(data.name)}) is a member`,
  'proposal-opened': (data) => `${short(data.proposal)} by ${text(data.member)}: ${text(data.change)}`,
  'proposal-voted': (data) =>
    `${short(data.proposal)}: ${text(data.member)} votes ${data.isYes === true ? 'yes' : 'no'}`,
  'proposal-closed': (data) =>
    `${short(data.proposal)} ${text(data.outcome)}${data.code === undefined ? '' : ` (${text(data.code)})`}`,
  'parameters-changed': (data) => `the parameters are now ${text(JSON.stringify(data.parameters))}`,
  'validator-admitted': (data) =>
    `${text(data.validator)} of ${text(data.member)} is admitted, and joins when it is ready`,
  'validator-ready': (data) => `${text(data.validator)} is ready`,
  'ready-lapsed': (data) => `${text(data.validator)} did not join in time, and must say again that it is ready`,
  'target-changed': targetLine,
  'epoch-began': (data) => `epoch ${text(data.epoch)} from height ${text(data.fromHeight)}: ${list(data.validators)}`,
  'node-mode': (data) => `this node was ${text(data.from)} and is now ${text(data.mode)}`,
  attack: (data) =>
    `${text(data.peer)} was cut off for ${text(data.code)}, and kept out for ${text(data.backoffMs)} ms`,
};

const alarming: ReadonlySet<string> = new Set(['fault-proven', 'suspended', 'attack', 'gap']);

export function newsLine({ id, event, data }: NewsItem): string {
  const fields: Data = isData(data) ? data : {};
  const at = (id ?? (typeof fields.height === 'number' ? String(fields.height) : '')).split('@')[0]!;
  const write = Object.hasOwn(lines, event) ? lines[event as EventKind] : undefined;
  const told =
    event === 'gap'
      ? `the node does not have height ${text(fields.height)}`
      : (write?.(fields) ?? text(JSON.stringify(data)));
  const name = text(event).slice(0, 40).padEnd(18);
  return `${text(at).padEnd(12)} ${alarming.has(event) ? style('red', name) : style('bold', name)} ${told}`;
}

function targetLine(data: Data): string {
  const left = (Array.isArray(data.left) ? data.left : []).filter(isData);
  const parts = [
    ...(typeof data.joined === 'string' ? [`${text(data.joined)} comes in`] : []),
    ...left.map(({ validator, cause }) => `${text(validator)} goes (${text(cause)})`),
  ];
  return `${parts.length === 0 ? `rules ${text(data.rules)}` : parts.join(', ')} with the next epoch`;
}

function isData(value: unknown): value is Data {
  return typeof value === 'object' && value !== null;
}

function short(value: unknown): string {
  return text(value).slice(0, 16);
}

function list(value: unknown): string {
  return Array.isArray(value) ? value.map(text).join(', ') : text(value);
}

function text(value: unknown): string {
  return plainText((typeof value === 'string' ? value : String(value)).slice(0, 500));
}
