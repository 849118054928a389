/**
 * What two ends of a link say to each other, beside the frames they carry: one strict CBOR array each, in a frame whose
 * length has its highest bit set.
 *
 *   hello = [0, version, ledger hash, id, channel, instance, sequence]   first thing on a link, from both sides
 *   ping  = [1, number]         pong = [2, number]                       liveness and round-trip time
 *   bye   = [3, text]                                                    why the link is about to be closed
 *
 * The TLS handshake has proved the sender's key before a byte of this is read; a hello says what the link is for.
 * `instance` is drawn anew by each process, and `sequence` numbers all hellos of one instance: together they tell which
 * of two links the peer made later (peer-links.ts).
 */
import { type CairnError, type Cbor, decodeCbor, encodeCbor, fail, ok, type Result } from '@cairn-ledger/core';
import { CHANNELS, type Channel, type PeerId } from './transport.ts';

export const LINK_VERSION = 1;
const INSTANCE_BYTES = 8;
const LEDGER_HASH_BYTES = 32;
const ID_LENGTH_MAX = 64;
const BYE_LENGTH_MAX = 200;

export type Hello = {
  readonly type: 'hello';
  readonly version: number;
  readonly ledgerHash: Uint8Array;
  readonly id: PeerId;
  readonly channel: Channel;
  /** 8 random bytes. */
  readonly instance: Uint8Array;
  readonly sequence: number;
};

export type LinkMessage =
  | Hello
  | { readonly type: 'ping'; readonly number: number }
  | { readonly type: 'pong'; readonly number: number }
  | { readonly type: 'bye'; readonly text: string };

const KIND = { hello: 0, ping: 1, pong: 2, bye: 3 } as const;

export function encodeLinkMessage(message: LinkMessage): Uint8Array {
  switch (message.type) {
    case 'hello':
      return encodeCbor([
        KIND.hello,
        message.version,
        message.ledgerHash,
        message.id,
        CHANNELS.indexOf(message.channel),
        message.instance,
        message.sequence,
      ]);
    case 'ping':
    case 'pong':
      return encodeCbor([KIND[message.type], message.number]);
    case 'bye':
      return encodeCbor([KIND.bye, message.text.slice(0, BYE_LENGTH_MAX)]);
  }
}

/** Decodes one message of a link; anything unexpected in it is an error that closes the link. */
export function decodeLinkMessage(bytes: Uint8Array): Result<LinkMessage, CairnError> {
  const decoded = decodeCbor(bytes);
  if (!decoded.ok) return malformed(decoded.error.message);
  if (!Array.isArray(decoded.value)) return malformed('not an array');
  const [kind, ...fields] = decoded.value;
  switch (kind) {
    case KIND.hello:
      return helloOf(fields);
    case KIND.ping:
    case KIND.pong: {
      const [number] = fields;
      if (fields.length !== 1 || !isCount(number)) return malformed('ping without a number');
      return ok({ type: kind === KIND.ping ? 'ping' : 'pong', number });
    }
    case KIND.bye: {
      const [text] = fields;
      if (fields.length !== 1 || typeof text !== 'string') return malformed('bye without a text');
      return ok({ type: 'bye', text: text.slice(0, BYE_LENGTH_MAX) });
    }
    default:
      return malformed('unknown kind');
  }
}

function helloOf(fields: readonly Cbor[]): Result<Hello, CairnError> {
  const [version, ledgerHash, id, channelIndex, instance, sequence] = fields;
  if (fields.length !== 6) return malformed('hello of another length');
  if (!isCount(version) || !isCount(sequence)) return malformed('hello with a bad number');
  if (!isBytes(ledgerHash, LEDGER_HASH_BYTES)) return malformed('hello with a bad ledger hash');
  if (!isBytes(instance, INSTANCE_BYTES)) return malformed('hello with a bad instance');
  if (typeof id !== 'string' || id.length === 0 || id.length > ID_LENGTH_MAX) return malformed('hello with a bad id');
  const channel = typeof channelIndex === 'number' ? CHANNELS[channelIndex] : undefined;
  if (channel === undefined) return malformed('hello with an unknown channel');
  // It is kept as long as the link: a copy, so that the chunk it came in is not.
  return ok({ type: 'hello', version, ledgerHash, id, channel, instance: instance.slice(), sequence });
}

function isCount(value: Cbor | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isBytes(value: Cbor | undefined, length: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length === length;
}

function malformed(what: string): Result<never, CairnError> {
  return fail({ code: 'link.message-malformed', message: `The peer sent a malformed link message: ${what}.` });
}
