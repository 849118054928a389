/** Ports of a development network: one block, `base` for MQTT, then HTTP of each node, then its link to the others. */
import { createServer } from 'node:net';
import { type CairnError, fail, ok, type Result } from '@cairn-ledger/core';

export type DevPorts = {
  readonly base: number;
  readonly mqtt: number;
  readonly http: readonly number[];
  readonly link: readonly number[];
};

export const defaultBasePort = 7700;
const HOST = '127.0.0.1';
const BLOCK_STEP = 100;
const BLOCKS_MAX = 100;

export function portsFrom(base: number, nodes: number): DevPorts {
  const numbers = (start: number): number[] => Array.from({ length: nodes }, (_, index) => start + index);
  return { base, mqtt: base, http: numbers(base + 1), link: numbers(base + 1 + nodes) };
}

/**
 * Finds a block whose ports are all free.
 *
 * @param wanted where to begin
 * @param isFixed the user asked for exactly this base: no other one is tried
 */
export async function choosePorts(
  wanted: number,
  isFixed: boolean,
  nodes: number,
): Promise<Result<DevPorts, CairnError>> {
  const size = 2 * nodes + 1;
  let taken: number | null = null;
  for (let block = 0; block < (isFixed ? 1 : BLOCKS_MAX); block++) {
    const ports = portsFrom(wanted + block * BLOCK_STEP, nodes);
    if (ports.base + size > 65_536) break;
    taken = await firstTaken([ports.mqtt, ...ports.http, ...ports.link]);
    if (taken === null) return ok(ports);
  }
  const message = isFixed
    ? `port ${taken ?? wanted} is taken or out of range; the network needs ${size} free ports from ${wanted} on. Choose another --port, or leave it out to have free ones found.`
    : `no block of ${size} free ports was found from ${wanted} on; name one with --port`;
  return fail({ code: 'dev.port-taken', message });
}

async function firstTaken(ports: readonly number[]): Promise<number | null> {
  const free = await Promise.all(ports.map((port) => isFree(port)));
  return ports[free.indexOf(false)] ?? null;
}

export function isFree(port: number, host: string = HOST): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
