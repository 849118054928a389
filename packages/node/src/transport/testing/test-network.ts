/** Nodes with real sockets on loopback, for the tests of the transport. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLinkIdentity, type LinkIdentity } from '../../crypto/certificate.ts';
import type { LinkReason } from '../link-reason.ts';
import { createTlsTransport, type TlsTransport, type TlsTransportOptions } from '../tls-transport.ts';
import type { Channel, PeerAddress, PeerId } from '../transport.ts';

export const LEDGER_HASH = new Uint8Array(32).fill(7);

export type LogEntry =
  | { readonly event: 'connected'; readonly peer: PeerId }
  | { readonly event: 'second-instance'; readonly peer: PeerId }
  | { readonly event: 'disconnected'; readonly peer: PeerId; readonly reason: LinkReason };

export type TestNode = {
  readonly id: PeerId;
  readonly secretKey: Uint8Array;
  readonly identity: LinkIdentity;
  readonly transport: TlsTransport;
  readonly frames: { readonly peer: PeerId; readonly channel: Channel; readonly frame: Uint8Array }[];
  readonly log: LogEntry[];
};

export type TestNodeOptions = Partial<Omit<TlsTransportOptions, 'id' | 'linkSecretKey' | 'events'>>;

/** A node that knows nobody yet and is not started. */
export function createNode(
  id: PeerId,
  options: TestNodeOptions = {},
  secretKey: Uint8Array = randomBytes(32),
): TestNode {
  const frames: TestNode['frames'] = [];
  const log: LogEntry[] = [];
  const transport = createTlsTransport({
    id,
    linkSecretKey: secretKey,
    ledgerHash: LEDGER_HASH,
    listen: { host: '127.0.0.1', port: 0 },
    peers: [],
    ...options,
    events: {
      onFrame: (peer, channel, frame) => frames.push({ peer, channel, frame }),
      onConnected: (peer) => log.push({ event: 'connected', peer }),
      onDisconnected: (peer, reason) => log.push({ event: 'disconnected', peer, reason }),
      onSecondInstance: (peer) => log.push({ event: 'second-instance', peer }),
    },
  });
  return { id, secretKey, identity: createLinkIdentity(secretKey), transport, frames, log };
}

export function peerOf(node: TestNode, isReachable = true): PeerAddress {
  const address = node.transport.address();
  const addresses = address === null || !isReachable ? [] : [`${address.host}:${address.port}`];
  return { id: node.id, linkKey: node.identity.publicKey, addresses };
}

/** Starts nodes `node-0`, `node-1`... that know each other, and waits until all are connected. */
export async function startNetwork(
  count: number,
  options: TestNodeOptions = {},
): Promise<{ readonly nodes: TestNode[]; readonly stop: () => Promise<void> }> {
  const nodes = Array.from({ length: count }, (_, index) => createNode(`node-${index}`, options));
  await Promise.all(nodes.map(({ transport }) => transport.start()));
  introduce(nodes);
  const stop = async () => {
    await Promise.all(nodes.map(({ transport }) => transport.stop()));
  };
  await until(() => nodes.every(({ transport }) => transport.peers().every(({ isConnected }) => isConnected)));
  return { nodes, stop };
}

/** Tells every node of all others. */
export function introduce(nodes: readonly TestNode[]): void {
  for (const node of nodes) node.transport.updatePeers(nodes.map((other) => peerOf(other)));
}

export async function until(isTrue: () => boolean, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!isTrue()) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${isTrue}`);
    await sleep(5);
  }
}
