/**
 * What HTTP answers while a node mends itself and nothing else of it is open: that it is alive, how it was and how far it is, and
 * to everything else that others know better. Nothing here reads what may be damaged.
 *
 * With tokens or TLS in the configuration it only refuses: keys and roles belong to the whole server.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { NodeConfig } from '../config/node-config.ts';
import type { HealingProgress } from '../healing/report.ts';
import type { NodeStatus } from './edge-port.ts';
import { statusJson } from './views.ts';

export type RepairSight = {
  /** Of the last life; null where there was none in this process. */
  readonly status: NodeStatus | null;
  readonly progress: HealingProgress | null;
};

export type RepairDoor = { close(): Promise<void> };

const retryAfterSeconds = 5;
const requestMsMax = 5_000;

/** Where the address cannot be had, there is no door: the repair goes on without. Not opened for a node with TLS. */
export async function openRepairDoor(http: NodeConfig['http'], sight: () => RepairSight): Promise<RepairDoor> {
  if (http.tls !== undefined || http.port === 0) return { close: async () => undefined };
  const server = createServer((request, response) => {
    request.resume();
    answer(request, response, http.tokensPath === undefined ? sight() : null);
  });
  server.requestTimeout = requestMsMax;
  server.headersTimeout = requestMsMax;
  server.maxConnections = 64;
  const isOpen = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(http.port, http.host, () => resolve(true));
  });
  server.on('error', () => undefined);
  return {
    close: () =>
      new Promise((resolve) => {
        if (!isOpen) return resolve();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer({ method, url }: IncomingMessage, response: ServerResponse, sight: RepairSight | null): void {
  const path = (url ?? '').split('?', 1)[0];
  if (method === 'GET' && path === '/healthz') return send(response, 200, 'application/json', { status: 'alive' });
  if (method === 'GET' && path === '/v1/status' && sight !== null && sight.status !== null) {
    const { progress, status } = sight;
    const repair = progress ?? undefined;
    const json = { ...statusJson({ ...status, mode: 'repairing', inSync: false }), repair };
    return send(response, 200, 'application/json', json);
  }
  response.setHeader('retry-after', retryAfterSeconds);
  send(response, 503, 'application/problem+json', {
    type: 'urn:cairn:error:node.syncing',
    title: 'The node is still catching up',
    status: 503,
    detail: 'the node mends what it keeps from its peers: use another node, or ask again later',
    code: 'node.syncing',
    retryAfterSeconds,
  });
}

function send(response: ServerResponse, status: number, type: string, body: object): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}
