/**
 * A gateway: MQTT in, outbox on disk, ledger, verdicts and receipts out.
 *
 *   broker link -> intake -> outbox -> delivery -> ledger port
 *        ^                                |
 *        +---- answers on result/ <-------+
 *
 * It runs inside a node (the port is the node's own edge) or alone (the port is a client of HTTP nodes). Delivery is at
 * least once on both sides: a message is acknowledged when it is on disk, a verdict is repeated until the broker has it.
 *
 * Answers. The verdict goes to `cairn/<ledger>/result/<id>` as JSON:
 *
 *   {"id": hex, "status": "accepted", "height", "position", "leafIndex", "provenance", "source"}
 *   {"id": hex, "status": "rejected", "code", "message", "source"}
 *
 * (a field whose value is not known is left out; `source` is "member/device" of readings that the gateway signed)
 * and is followed, when accepted, by the receipt bundle at `.../result/<id>/receipt`: its raw CBOR bytes (wire-format.md
 * section 4), content type application/cbor with MQTT 5. What never became a transaction is answered on
 * `cairn/<ledger>/rejected/...` as {"code", "message", "topic", "payloadSha256": hex}, as far as there is room.
 *
 * When the outbox is full, messages are no longer acknowledged: the broker holds them, and further publishers' as its
 * own limits say. QoS 0 messages are lost then; they promise nothing else.
 */

import { createHash } from 'node:crypto';
import { audienceOf, type CairnError, ok, type Result, type Signer, toHex } from '@cairn-ledger/core';
import { createAttestor } from './attestor.ts';
import { type BrokerLink, type BrokerLinkEvent, type IncomingMessage, openBrokerLink } from './broker-link.ts';
import { type BrokerAddress, type BrokerTls, parseBrokerUrl } from './broker-socket.ts';
import { type DeliveryEvent, startDelivery, type Verdict } from './delivery.ts';
import { createIntake, PAYLOAD_BYTES_MAX } from './intake.ts';
import type { LedgerPort } from './ledger-port.ts';
import { type Outbox, type OutboxTransaction, openOutbox } from './outbox.ts';
import { topicsOf } from './topics.ts';

const HELD_MESSAGES_MAX = 2000;
const HELD_BYTES_MAX = 8 * 1024 * 1024;
const ANSWERS_WAITING_MAX = 8000;
/** Rejections waiting to be published; a flood of bad messages must not crowd out verdicts. */
const REJECTIONS_WAITING_MAX = 500;
const PACK_DELAY_MS = 10;

export type GatewayConfig = {
  /** `mqtt://host:1883` or `mqtts://host:8883`. */
  readonly brokerUrl: string;
  readonly username?: string;
  readonly password?: string;
  readonly tls?: BrokerTls;
  /** 5, 4 (that is 3.1.1), or 'auto' (default): 5 where the broker speaks it. */
  readonly protocolVersion?: 4 | 5 | 'auto';
  /** Names the session at the broker; default `cairn-gateway-<kid>`. */
  readonly clientId?: string;
  /** SHA-256 of the genesis document. */
  readonly ledgerHash: Uint8Array;
  /** The gateway's own key, registered on the ledger. One key, one outbox. */
  readonly signer: Signer;
  readonly ledger: LedgerPort;
  /** Folder of the outbox. Losing it loses what was acknowledged and is not on the ledger yet. */
  readonly directory: string;
  /** Limits of the outbox; default 1,000,000 transactions and 1 GiB. */
  readonly outboxTransactionsMax?: number;
  readonly outboxBytesMax?: number;
  /** How long a reading may wait for further ones of its device, 0 to 1000; default 10. */
  readonly packDelayMs?: number;
  /** The member the signer's key belongs to; the ledger lets a gateway attest for devices of its own member only. */
  readonly member: string;
  /**
   * The gateway's own device name, when its key was registered with one. Unsigned readings under this name are refused:
   * the ledger would take them for the gateway's own, signed by their device.
   */
  readonly device?: string;
  /** Devices of that member for which it signs; default all. */
  readonly mayAttest?: (device: string) => boolean;
  /** Whether signed transactions are taken from the broker, too; default true. Several gateways may: it is harmless. */
  readonly takesSigned?: boolean;
  /** Whether receipts are published; default true. */
  readonly wantsReceipts?: boolean;
  readonly onEvent?: (event: GatewayEvent) => void;
  readonly nowMs?: () => number;
};

export type GatewayEvent =
  | BrokerLinkEvent
  | DeliveryEvent
  | { readonly type: 'rejected'; readonly topic: string; readonly error: CairnError }
  | { readonly type: 'full' }
  | { readonly type: 'room' }
  | { readonly type: 'failed'; readonly error: CairnError };

export type GatewayStatus = {
  readonly isConnected: boolean;
  /** 4 is MQTT 3.1.1; null before the first connection. */
  readonly protocolVersion: 4 | 5 | null;
  readonly isFull: boolean;
  readonly failure: CairnError | null;
  readonly outbox: { readonly transactions: number; readonly sizeBytes: number };
  /** Messages received and not acknowledged yet. */
  readonly held: number;
  readonly received: number;
  readonly redelivered: number;
  readonly retained: number;
  /** Messages that never became a transaction, by code. */
  readonly rejected: Readonly<Record<string, number>>;
  /** Rejections for which there was no room to answer. */
  readonly unanswered: number;
  /** Verdicts of the ledger, published. */
  readonly acceptedVerdicts: number;
  readonly rejectedVerdicts: number;
  readonly receiptsMissing: number;
};

export type Gateway = {
  status(): GatewayStatus;
  /** Resolves if the outbox can no longer be written: the gateway takes nothing more and must be restarted. */
  readonly failed: Promise<CairnError>;
  /** Stops taking messages, leaves the rest in the outbox. */
  close(): Promise<void>;
};

/** Opens the outbox and starts; does not wait for broker or ledger. Errors: `config.*`, `outbox.*`. */
export async function startGateway(config: GatewayConfig): Promise<Result<Gateway, CairnError>> {
  const address = parseBrokerUrl(config.brokerUrl);
  if (!address.ok) return address;
  const ledger = audienceOf(config.ledgerHash);
  const outbox = await openOutbox({
    directory: config.directory,
    ledger,
    transactionsMax: config.outboxTransactionsMax ?? 1_000_000,
    bytesMax: config.outboxBytesMax ?? 1024 ** 3,
  });
  if (!outbox.ok) return outbox;
  await startCounting(outbox.value, config);
  return ok(run(config, address.value, ledger, outbox.value));
}

/**
 * Where counting starts for a key this outbox does not know. A little above what the ledger has seen, since some of the
 * lost outbox's transactions may still be on their way; without an answer, at the present time in seconds, which is
 * above what a gateway with less than one transaction a second has used.
 */
async function startCounting(outbox: Outbox, config: GatewayConfig): Promise<void> {
  const kid = toHex(config.signer.kid);
  if (outbox.nextCounter(kid) !== null) return;
  const highest = await config.ledger.highestCounter?.(config.signer.kid).catch(() => undefined);
  const presentSeconds = BigInt(Math.floor((config.nowMs ?? Date.now)() / 1000));
  outbox.raiseCounter(kid, highest === undefined ? presentSeconds : highest === null ? 1n : highest + 10_000n);
}

function run(config: GatewayConfig, address: BrokerAddress, ledger: string, outbox: Outbox): Gateway {
  const nowMs = config.nowMs ?? Date.now;
  const tell = config.onEvent ?? (() => {});
  const topics = topicsOf(ledger);
  const rejected: Record<string, number> = {};
  const counts = {
    received: 0,
    redelivered: 0,
    retained: 0,
    unanswered: 0,
    acceptedVerdicts: 0,
    rejectedVerdicts: 0,
    receiptsMissing: 0,
  };
  let protocolVersion: 4 | 5 | null = null;
  let isFull = false;
  let rejectionsWaiting = 0;
  let failure: CairnError | null = null;
  let closing: Promise<void> | null = null;
  let resolveFailed: (error: CairnError) => void = () => {};
  const failed = new Promise<CairnError>((resolve) => {
    resolveFailed = resolve;
  });

  const intake = createIntake({
    topics,
    ledger,
    outbox,
    attestor: createAttestor({ signer: config.signer, ledgerHash: config.ledgerHash, outbox }),
    packDelayMs: config.packDelayMs ?? PACK_DELAY_MS,
    mayAttest: (member, device) =>
      member === config.member && device !== config.device && (config.mayAttest?.(device) ?? true),
    nowMs,
    onRecorded: () => delivery.wake(),
    onRejected: reject,
    onSkipped: (reason) => {
      counts[reason] += 1;
    },
    onFailed: stopTaking,
  });

  const delivery = startDelivery({
    outbox,
    ledger: config.ledger,
    wantsReceipts: config.wantsReceipts ?? true,
    publishVerdict,
    onEvent: (event) => {
      if (event.type === 'receipt-missing') counts.receiptsMissing += 1;
      if (event.type === 'delivered') {
        counts[event.verdict === 'accepted' ? 'acceptedVerdicts' : 'rejectedVerdicts'] += 1;
        controlFlow();
      }
      tell(event);
    },
  });

  const link: BrokerLink = openBrokerLink({
    address,
    tls: config.tls ?? {},
    ...(config.username === undefined ? {} : { username: config.username }),
    ...(config.password === undefined ? {} : { password: config.password }),
    clientId: config.clientId ?? `cairn-gateway-${toHex(config.signer.kid)}`,
    protocolVersion: config.protocolVersion ?? 'auto',
    subscriptions: topics.subscriptions(config.member, config.takesSigned ?? true),
    payloadBytesMax: PAYLOAD_BYTES_MAX,
    heldMessagesMax: HELD_MESSAGES_MAX,
    heldBytesMax: HELD_BYTES_MAX,
    publishesWaitingMax: ANSWERS_WAITING_MAX,
    onMessage: (message) => {
      counts.received += 1;
      intake.take(message);
      controlFlow();
    },
    onEvent: (event) => {
      if (event.type === 'connected') protocolVersion = event.protocolVersion;
      // What the broker will send again must be known as recorded by then.
      if (event.type === 'disconnected') intake.flush();
      tell(event);
    },
  });
  controlFlow();

  /** A full outbox stops the acknowledgements; with a tenth of it free they go on. */
  function controlFlow(): void {
    if (failure !== null || isFull === (isFull ? !outbox.hasRoom : outbox.isFull)) return;
    isFull = !isFull;
    if (isFull) link.pause();
    else link.resume();
    tell({ type: isFull ? 'full' : 'room' });
  }

  function stopTaking(error: CairnError): void {
    if (failure !== null || error.code === 'outbox.closed') return;
    failure = error;
    link.pause();
    tell({ type: 'failed', error });
    resolveFailed(error);
  }

  function reject(message: IncomingMessage, error: CairnError): void {
    rejected[error.code] = (rejected[error.code] ?? 0) + 1;
    tell({ type: 'rejected', topic: message.topic, error });
    if (rejectionsWaiting >= REJECTIONS_WAITING_MAX || !link.isConnected) {
      counts.unanswered += 1;
      return;
    }
    rejectionsWaiting += 1;
    const payloadSha256 = createHash('sha256').update(message.payload).digest('hex');
    const answer = { code: error.code, message: error.message, topic: message.topic, payloadSha256 };
    void link
      .publish(topics.rejected(message.topic), JSON.stringify(answer), 'application/json')
      .then((isPublished) => {
        rejectionsWaiting -= 1;
        if (!isPublished) counts.unanswered += 1;
      });
  }

  async function publishVerdict({ id, source }: OutboxTransaction, verdict: Verdict): Promise<boolean> {
    const idHex = toHex(id);
    const answer = JSON.stringify({ id: idHex, ...verdictFields(verdict), ...(source === null ? {} : { source }) });
    const answered = link.publish(topics.result(idHex), answer, 'application/json');
    if (verdict.type === 'rejected' || verdict.receipt === null) return answered;
    const proven = link.publish(topics.receipt(idHex), verdict.receipt, 'application/cbor');
    return (await answered) && (await proven);
  }

  return {
    failed,
    status: () => ({
      ...counts,
      isConnected: link.isConnected,
      protocolVersion,
      isFull,
      failure,
      outbox: { transactions: outbox.count, sizeBytes: outbox.sizeBytes },
      held: link.heldCount,
      rejected: { ...rejected },
    }),
    close: () => (closing ??= close()),
  };

  async function close(): Promise<void> {
    link.pause();
    intake.flush();
    await delivery.stop();
    await link.close();
    await outbox.close();
  }
}

function verdictFields(verdict: Verdict): Record<string, unknown> {
  if (verdict.type === 'rejected') return { status: 'rejected', ...verdict.error };
  const { height, position, leafIndex, provenance } = verdict.status;
  const known = Object.entries({ height, position, leafIndex, provenance }).filter(([, value]) => value !== null);
  return { status: 'accepted', ...Object.fromEntries(known) };
}
