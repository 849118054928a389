/**
 * A flood at every port of a node: requests and half-open requests at HTTP, garbage and bare connections at the link port, and
 * messages at the broker whose devices its gateway serves. As much as one process can send without taking the whole machine.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { bytesToBase64url } from '@cairn-ledger/core';
import mqtt from 'mqtt';
import type { Attack, AttackScene } from '../attack.ts';

const turnMs = 50;
const linksPerTurn = 4;
const requestsPerTurn = 2;
const tricklesPerTurn = 2;
const messagesPerTurn = 10;
const socketsMax = 600;
const garbageBytes = 512;
/** A connection that the node ended sooner was refused; idle ones it ends after seconds in any case. */
const refusedWithinMs = 1_500;

export const flood: Attack = {
  name: 'flood',
  what: 'connections, garbage and messages pour into its link port, its HTTP and its broker',
  noticedBy: ['refused', 'suspended'],
  shutOutBy: ['refused', 'suspended'],
  isWindowed: true,
  mayBeProven: false,
  voidsOwnPromises: false,
  needsNewKeys: false,
  isHarmless: true,
  async begin(scene) {
    const stopping = new AbortController();
    const beganMs = Date.now();
    const running = pour(scene, stopping.signal);
    return {
      beganMs,
      async end() {
        stopping.abort();
        await running;
      },
    };
  },
};

async function pour(scene: AttackScene, signal: AbortSignal): Promise<void> {
  const { target, network } = scene;
  const sockets = new Set<Socket>();
  const httpPort = Number(new URL(target.http).port);
  const topic = `cairn/${bytesToBase64url(network.genesis.ledgerHash.subarray(0, 8))}/senml/${target.member}/flood`;
  const publisher = mqtt.connect(network.mqttUrl, { protocolVersion: 4, reconnectPeriod: 0 });
  publisher.on('error', () => undefined);
  let refusals = 0;

  function open(port: number, first: Buffer): void {
    if (sockets.size >= socketsMax) return;
    const beganMs = performance.now();
    const socket = connect(port, '127.0.0.1', () => socket.write(first));
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (answer) => {
      if (answer.includes(' 429 ')) refused('answers 429 to the flood');
    });
    socket.on('close', () => {
      sockets.delete(socket);
      if (!signal.aborted && performance.now() - beganMs < refusedWithinMs)
        refused('closes the connections of the flood');
    });
  }

  function refused(how: string): void {
    refusals++;
    if (refusals === 1) scene.refused(how);
  }

  while (!signal.aborted) {
    for (let i = 0; i < linksPerTurn; i++) open(target.linkPort, randomBytes(garbageBytes));
    for (let i = 0; i < requestsPerTurn; i++) open(httpPort, request);
    for (let i = 0; i < tricklesPerTurn; i++) open(httpPort, Buffer.from('POST /v1/transactions HTTP/1.1\r\nHost: '));
    for (let i = 0; i < messagesPerTurn && publisher.connected; i++)
      publisher.publish(topic, randomBytes(garbageBytes), { qos: 0 });
    await sleep(turnMs, undefined, { signal }).catch(() => undefined);
  }
  for (const socket of sockets) socket.destroy();
  await publisher.endAsync(true).catch(() => undefined);
  scene.tell(`${refusals} connections of the flood were refused`);
}

const request = Buffer.from(
  'GET /v1/blocks/1?transactions=true HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n'.repeat(8),
);
