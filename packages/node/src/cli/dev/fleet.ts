/**
 * A simulated fleet: a device of each of 20 members signs a reading every two seconds, and with every tenth a payment.
 * Most hand in by HTTP, each at the node of its choice; some publish signed transactions by MQTT; two older ones, which
 * cannot sign, publish plain SenML that the gateway of their member's node attests.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { bytesToBase64url, type Signer } from '@cairn-ledger/core';
import { type Client, createClient, signTransaction, transactionIdOf } from '@cairn-ledger/sdk';
import mqtt, { type MqttClient } from 'mqtt';
import { reserveCounters } from '../../keys/counter-file.ts';
import { orFail } from '../exit-code.ts';
import { signerOf } from '../signing.ts';
import { type DevNetwork, fleetMembers } from './dev-network.ts';
import { measure } from './simulated-sensor.ts';

const PERIOD_MS = 2_000;
const COUNTERS_AT_ONCE = 500;
const WAIT_MS = 10_000;
const LATENCIES_KEPT = 200;
/** Device i publishes by MQTT when this divides it. */
const MQTT_EVERY = 5;
const PAYMENT_EVERY = 10;
const legacyDevices = 2;

export type FleetStatus = {
  readonly devices: number;
  /** Transactions handed in by HTTP, and what became of them. */
  readonly sent: number;
  readonly accepted: number;
  readonly failed: number;
  /** Messages published by MQTT. */
  readonly published: number;
  /** Median time from handing in to the verdict, in ms; null before the first. */
  readonly medianMs: number | null;
  readonly lastError: string | null;
};

export type Fleet = { status(): FleetStatus; stop(): Promise<void> };

type Device = {
  readonly index: number;
  readonly name: string;
  readonly keyPath: string;
  readonly signer: Signer;
  next: bigint;
  left: number;
};

export function startFleet(network: DevNetwork, brokerUrl: string): Fleet {
  const stopping = new AbortController();
  const { signal } = stopping;
  const members = network.genesis.genesis.members.map((member) => member.id).slice(0, fleetMembers);
  const broker = mqtt.connect(brokerUrl, {
    protocolVersion: 4,
    reconnectPeriod: 1000,
    clientId: `cairn-fleet-${Date.now().toString(36)}`,
  });
  broker.on('error', () => undefined);
  const topics = `cairn/${bytesToBase64url(network.genesis.ledgerHash.subarray(0, 8))}`;
  const counts = { sent: 0, accepted: 0, failed: 0, published: 0 };
  const latenciesMs: number[] = [];
  let lastError: string | null = null;

  const loops = [
    ...members.map((member, index) => runDevice(member, index)),
    ...network.nodes
      .slice(0, legacyDevices)
      .map((node, index) => runLegacyDevice(`${node.member}/legacy`, fleetMembers + index)),
  ];

  async function runDevice(member: string, index: number): Promise<void> {
    const name = `${member}/sensor`;
    const keyPath = network.keyPath(name);
    const device: Device = { index, name, keyPath, signer: signerOf(keyPath), next: 0n, left: 0 };
    const client = createClient({
      nodes: rotated(
        network.nodes.map((node) => node.http),
        index,
      ),
      timeoutMs: 20_000,
    });
    for (let count = 0; await nextTurn(index); count++) {
      const pay = count % PAYMENT_EVERY === PAYMENT_EVERY - 1 ? members[(index + count) % members.length]! : null;
      const transaction = await signNext(device, pay);
      if (index % MQTT_EVERY === 0) publish(broker, `${topics}/tx`, transaction);
      else await handIn(client, transaction);
    }
  }

  async function runLegacyDevice(name: string, index: number): Promise<void> {
    while (await nextTurn(index)) {
      const pack = measure(index, Date.now()).map(({ name, unit, time, value }) => {
        const number = value.type === 'number' ? value.text : '0';
        return `{"n":"${name}","u":"${unit}","t":${time},"v":${number}}`;
      });
      publish(broker, `${topics}/senml/${name}`, Buffer.from(`[${pack.join(',')}]`));
    }
  }

  /** Devices take turns, spread over the period; false when the fleet stops. */
  async function nextTurn(index: number): Promise<boolean> {
    const offset = (PERIOD_MS * index) / (fleetMembers + legacyDevices);
    const wait = PERIOD_MS - ((Date.now() - offset) % PERIOD_MS);
    await sleep(wait, undefined, { signal }).catch(() => undefined);
    return !signal.aborted;
  }

  async function signNext(device: Device, payTo: string | null): Promise<Uint8Array> {
    if (device.left === 0) {
      device.next = orFail(await reserveCounters(device.keyPath, COUNTERS_AT_ONCE));
      device.left = COUNTERS_AT_ONCE;
    }
    device.left--;
    const readings = measure(device.index, Date.now());
    const transfers = payTo === null ? [] : [{ to: payTo, asset: 'eur', amount: 5n }];
    return orFail(
      signTransaction(
        { ledgerHash: network.genesis.ledgerHash, counter: device.next++, readings, transfers },
        device.signer,
      ),
    );
  }

  async function handIn(client: Client, transaction: Uint8Array): Promise<void> {
    counts.sent++;
    const startedMs = performance.now();
    const outcomes = await client.submitMany([transaction], WAIT_MS, { signal });
    if (signal.aborted) return;
    const outcome = outcomes.ok ? outcomes.value[0]! : null;
    if (outcome?.status === 'accepted') {
      counts.accepted++;
      latenciesMs.push(performance.now() - startedMs);
      if (latenciesMs.length > LATENCIES_KEPT) latenciesMs.shift();
      return;
    }
    counts.failed++;
    lastError = outcomes.ok
      ? (outcome?.code ?? `no verdict on ${orFail(transactionIdOf(transaction)).slice(0, 16)} in time`)
      : outcomes.error.code;
  }

  function publish(client: MqttClient, topic: string, payload: Uint8Array): void {
    if (!client.connected) return;
    counts.published++;
    client.publish(topic, Buffer.from(payload), { qos: 1 }, () => undefined);
  }

  return {
    status: () => ({ devices: members.length, ...counts, medianMs: medianOf(latenciesMs), lastError }),
    async stop() {
      stopping.abort();
      await Promise.all(loops);
      await broker.endAsync(true).catch(() => undefined);
    },
  };
}

function rotated<T>(items: readonly T[], by: number): T[] {
  const at = by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

function medianOf(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
