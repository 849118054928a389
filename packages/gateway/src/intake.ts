/**
 * What happens to one message: it becomes a transaction in the outbox and is acknowledged once that is on disk, or it is
 * answered with what is wrong with it. Nothing a publisher sends can do more.
 *
 * - A signed transaction is kept as it came, when it decodes and is for this ledger; the nodes verify it.
 * - Unsigned readings are signed by the gateway. Those of one device that arrive within the packing delay share one
 *   transaction. Retained ones are skipped: the broker has kept them from a time when they were delivered already.
 * - A broker that did not get our acknowledgement sends a message again under the same packet id, marked DUP. Readings
 *   that were recorded under that packet id with the same topic and payload are then not attested twice. (A signed
 *   transaction sent twice is one transaction anyway.) A *device* that publishes readings twice has them attested twice:
 *   it should give them a time, or sign.
 */

import { createHash } from 'node:crypto';
import { type CairnError, decodeTransaction, fail, ok, type Result } from '@cairn-ledger/core';
import type { Attestor } from './attestor.ts';
import type { IncomingMessage } from './broker-link.ts';
import type { NewTransaction, Outbox } from './outbox.ts';
import { createPacker, type PackedMessage, type Packer } from './packer.ts';
import { decodeReadings } from './readings.ts';
import type { Topics } from './topics.ts';

/** A transaction has at most 65,535 bytes; unsigned readings, whatever their form, have the same limit. */
export const PAYLOAD_BYTES_MAX = 65_535;

export type IntakeOptions = {
  readonly topics: Topics;
  readonly ledger: string;
  readonly outbox: Outbox;
  readonly attestor: Attestor;
  readonly packDelayMs: number;
  readonly mayAttest: (member: string, device: string) => boolean;
  readonly nowMs: () => number;
  readonly onRecorded: () => void;
  readonly onRejected: (message: IncomingMessage, error: CairnError) => void;
  readonly onSkipped: (reason: 'redelivered' | 'retained') => void;
  /** The outbox cannot be written. */
  readonly onFailed: (error: CairnError) => void;
};

export type Intake = {
  take(message: IncomingMessage): void;
  /** Signs and records at once what waits for more readings. */
  flush(): void;
};

export function createIntake(options: IntakeOptions): Intake {
  const { outbox, topics, attestor } = options;
  const packer: Packer = createPacker(options.packDelayMs, attest);

  function attest(device: string, packed: readonly PackedMessage[]): void {
    const messages = packed.map(({ message }) => message);
    const parts = packed.map(({ content }) => content);
    const transaction = attestor.attest(device, parts, options.nowMs());
    if (transaction.ok) void record([transaction.value], messages);
    else if (packed.length > 1) for (const one of packed) attest(device, [one]);
    else rejectAll(messages, transaction.error);
  }

  function take(message: IncomingMessage): void {
    const topic = topics.parse(message.topic);
    if (message.payload.length > PAYLOAD_BYTES_MAX) return rejectAll([message], tooLarge());
    switch (topic.type) {
      case 'signed':
        return takeSigned(message);
      case 'unsigned':
        return takeUnsigned(message, topic.member, topic.device);
      case 'unknown':
        return rejectAll([message], wrongTopic(message.topic));
    }
  }

  function takeSigned(message: IncomingMessage): void {
    const transaction = readSigned(message.payload, options.ledger);
    if (transaction.ok) void record([transaction.value], [message]);
    else rejectAll([message], transaction.error);
  }

  function takeUnsigned(message: IncomingMessage, member: string, device: string): void {
    if (message.isRetained) {
      options.onSkipped('retained');
      return message.acknowledge();
    }
    if (message.isRedelivery && isRecorded(message)) {
      options.onSkipped('redelivered');
      void record([], [message]);
      return;
    }
    if (!options.mayAttest(member, device)) return rejectAll([message], notAttested(member, device));
    const name = `${member}/${device}`;
    const content = decodeReadings(message.payload, message.contentType, name, options.nowMs());
    if (content.ok) packer.add(name, { message, content: content.value });
    else rejectAll([message], content.error);
  }

  function isRecorded(message: IncomingMessage): boolean {
    return message.packetId !== null && outbox.hasDelivery({ packetId: message.packetId, message: digestOf(message) });
  }

  async function record(transactions: NewTransaction[], messages: IncomingMessage[]): Promise<void> {
    const deliveries = messages.flatMap((message) =>
      message.packetId === null || transactions[0]?.source === null
        ? []
        : [{ packetId: message.packetId, message: digestOf(message) }],
    );
    const result = await outbox.add(transactions, deliveries);
    if (!result.ok) return options.onFailed(result.error);
    for (const message of messages) message.acknowledge();
    options.onRecorded();
  }

  function rejectAll(messages: IncomingMessage[], error: CairnError): void {
    for (const message of messages) {
      options.onRejected(message, error);
      message.acknowledge();
    }
  }

  return { take, flush: () => packer.flush() };
}

function readSigned(payload: Uint8Array, ledger: string): Result<NewTransaction, CairnError> {
  const decoded = decodeTransaction(payload);
  if (!decoded.ok) return decoded;
  const { audience } = decoded.value.header;
  if (audience !== ledger) {
    const message = `the transaction is for ledger ${audience}, this one is ${ledger}: sign it with the audience ${ledger}`;
    return fail({ code: 'tx.wrong-ledger', message });
  }
  return ok({ id: decoded.value.id, bytes: payload, source: null });
}

function digestOf(message: IncomingMessage): Uint8Array {
  return createHash('sha256').update(`${message.topic}\n`).update(message.payload).digest();
}

function tooLarge(): CairnError {
  return {
    code: 'tx.too-large',
    message: `a message has at most ${PAYLOAD_BYTES_MAX} bytes: send fewer readings at a time`,
  };
}

function wrongTopic(topic: string): CairnError {
  const shown = JSON.stringify(topic.slice(0, 200));
  return {
    code: 'gateway.wrong-topic',
    message: `${shown} names no device: publish to cairn/<ledger>/senml/<member>/<device>, both of a-z, 0-9 and -, 1 to 32 characters`,
  };
}

function notAttested(member: string, device: string): CairnError {
  return {
    code: 'gateway.not-attested',
    message: `this gateway does not sign for ${member}/${device}: use its own gateway, or sign on the device`,
  };
}
