/** One end of a link that speaks as the test wants: to say wrong things, or the right ones at the wrong time. */
import { randomBytes } from 'node:crypto';
import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { LinkIdentity } from '../../crypto/certificate.ts';
import { FrameReader, HEADER_BYTES, writeHeader } from '../frame-reader.ts';
import { decodeLinkMessage, encodeLinkMessage, type Hello, LINK_VERSION, type LinkMessage } from '../link-message.ts';
import { tlsOptionsOf } from '../tls-settings.ts';
import { LEDGER_HASH, type TestNode } from './test-network.ts';

export type HostilePeer = {
  readonly socket: Socket;
  /** What the node said on the link. */
  readonly heard: LinkMessage[];
  readonly isClosed: () => boolean;
};

/** Connects without TLS. */
export function knock(target: TestNode): HostilePeer {
  return watch(connectTcp({ ...target.transport.address()! }));
}

/** Connects with TLS, as somebody or (without identity) nobody. */
export async function handshake(
  target: TestNode,
  identity: LinkIdentity | null,
  options: ConnectionOptions = {},
): Promise<HostilePeer> {
  const { host, port } = target.transport.address()!;
  const own = identity === null ? { rejectUnauthorized: false } : tlsOptionsOf(identity);
  const socket: TLSSocket = connect({ host, port, ...own, ...options });
  const peer = watch(socket);
  await new Promise((resolve) => socket.once('secureConnect', resolve).once('close', resolve));
  return peer;
}

/** Connects as a peer the node knows, and greets. */
export async function greet(
  target: TestNode,
  identity: LinkIdentity,
  hello: Partial<Hello> = {},
): Promise<HostilePeer> {
  const peer = await handshake(target, identity);
  peer.socket.write(linkMessage(helloOf(hello)));
  return peer;
}

export function helloOf(fields: Partial<Hello>): Hello {
  const instance = new Uint8Array(randomBytes(8));
  const defaults = {
    version: LINK_VERSION,
    ledgerHash: LEDGER_HASH,
    id: 'peer',
    channel: 'control',
    instance,
    sequence: 1,
  };
  return { type: 'hello', ...defaults, ...fields } as Hello;
}

export function linkMessage(message: LinkMessage): Uint8Array {
  return framed(encodeLinkMessage(message), { isLinkMessage: true });
}

export function framed(bytes: Uint8Array, { isLinkMessage = false, declared = bytes.length } = {}): Uint8Array {
  const frame = new Uint8Array(HEADER_BYTES + bytes.length);
  writeHeader(frame, 0, declared, isLinkMessage);
  frame.set(bytes, HEADER_BYTES);
  return frame;
}

function watch(socket: Socket): HostilePeer {
  const heard: LinkMessage[] = [];
  const reader = new FrameReader({
    frameBytesMax: () => 8 << 20,
    onFrame: () => true,
    onLinkMessage: (bytes) => {
      const message = decodeLinkMessage(bytes);
      if (message.ok) heard.push(message.value);
      return true;
    },
  });
  let isClosed = false;
  socket.on('error', () => {});
  socket.on('close', () => {
    isClosed = true;
  });
  socket.on('data', (chunk) => reader.push(chunk));
  return { socket, heard, isClosed: () => isClosed };
}
