/**
 * Opens a connection to a peer and makes sure that it is that peer: the other side must prove the key that the ledger
 * has for it, else nothing is said to it.
 */
import { isIP } from 'node:net';
import { connect, type SecureContext, type TLSSocket } from 'node:tls';
import { fail, ok, type Result } from '@cairn-ledger/core';
import { endOfSocketError, type LinkEnd } from './link-reason.ts';
import { authenticatedKeyOf } from './tls-settings.ts';

export type Endpoint = { readonly host: string; readonly port: number };

/** A connection being made. Either `onReady` or `onFailed` is called, once, later; neither after `cancel`. */
export type Dial = { readonly cancel: () => void };

export type DialEvents = {
  readonly onReady: (socket: TLSSocket) => void;
  readonly onFailed: (end: LinkEnd) => void;
};

export function dialTls(
  endpoint: Endpoint,
  peerKey: Uint8Array,
  context: SecureContext,
  timeoutMs: number,
  events: DialEvents,
): Dial {
  const socket = connect({
    ...endpoint,
    servername: '',
    secureContext: context,
    rejectUnauthorized: false,
  });
  let isSettled = false;
  const settle = (): boolean => {
    if (isSettled) return false;
    isSettled = true;
    clearTimeout(timer);
    return true;
  };
  const failWith = (end: LinkEnd): void => {
    if (!settle()) return;
    socket.destroy();
    events.onFailed(end);
  };
  const timer = setTimeout(() => failWith({ reason: 'link.handshake-timeout', detail: '' }), timeoutMs);
  socket.setNoDelay(true);
  socket.on('error', (error) => failWith(endOfSocketError(error, false)));
  socket.on('close', () => failWith({ reason: 'link.handshake-ended', detail: '' }));
  socket.on('secureConnect', () => {
    const authenticated = authenticatedKeyOf(socket);
    if (!authenticated.ok) return failWith(authenticated.error);
    if (Buffer.compare(authenticated.value, peerKey) !== 0) return failWith({ reason: 'link.wrong-key', detail: '' });
    if (settle()) events.onReady(socket);
  });
  return {
    cancel: () => {
      if (settle()) socket.destroy();
    },
  };
}

/** Reads `host:port` or `[ipv6]:port`. */
export function parseEndpoint(text: string): Result<Endpoint, LinkEnd> {
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]\s]{1,253})):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  const isBad = host === undefined || port < 1 || port > 65535 || (match?.[1] !== undefined && isIP(host) !== 6);
  if (isBad) return fail({ reason: 'link.bad-address', detail: text.slice(0, 120) });
  return ok({ host, port });
}
