/**
 * Why a link, or an attempt to make one, ended. Every end has exactly one of these codes, and each is counted; part of
 * the catalogue of errors (docs/errors.md).
 */

export const LINK_REASONS = [
  // Before there was a link: nobody answered, or the connection was not let in.
  'link.bad-address',
  'link.unreachable',
  'link.rate-limited',
  'link.too-many-pending',
  // The peer did not prove who it is.
  'link.not-tls',
  'link.tls-version',
  'link.tls-failed',
  'link.no-certificate',
  'link.session-reused',
  'link.unknown-key',
  'link.wrong-key',
  'link.handshake-timeout',
  'link.handshake-ended',
  // The peer is who it says, but speaks of something else.
  'link.hello-timeout',
  'link.hello-malformed',
  'link.wrong-version',
  'link.wrong-ledger',
  'link.wrong-id',
  'link.wrong-channel',
  // The peer broke the rules of an established link.
  'link.frame-empty',
  'link.frame-too-large',
  'link.frame-slow',
  'link.message-malformed',
  // The link broke.
  'link.idle',
  'link.stalled',
  'link.reset',
  'link.truncated',
  'link.closed',
  'link.closed-by-peer',
  // We ended it.
  'link.replaced',
  'link.duplicate',
  'link.second-instance',
  'link.backed-off',
  'link.disconnected',
  'link.removed',
  'link.stopped',
] as const;

export type LinkReason = (typeof LINK_REASONS)[number];

/** An end with the words that explain it; `detail` may come from a peer and is only ever shown. */
export type LinkEnd = { readonly reason: LinkReason; readonly detail: string };

/** What only a faulty or hostile peer does: it is kept out for a time that grows with every repetition. */
const VIOLATIONS: ReadonlySet<LinkReason> = new Set([
  'link.hello-timeout',
  'link.hello-malformed',
  'link.wrong-version',
  'link.wrong-ledger',
  'link.wrong-id',
  'link.wrong-channel',
  'link.frame-empty',
  'link.frame-too-large',
  'link.frame-slow',
  'link.message-malformed',
]);

export function isViolation(reason: LinkReason): boolean {
  return VIOLATIONS.has(reason);
}

/** Counts ends by reason; bounded, since the reasons are. */
export class LinkEndCounts {
  readonly #counts = Object.fromEntries(LINK_REASONS.map((reason) => [reason, 0])) as Record<LinkReason, number>;

  add(reason: LinkReason): void {
    this.#counts[reason] += 1;
  }

  snapshot(): Record<LinkReason, number> {
    return { ...this.#counts };
  }
}

/** Puts an error of node's TLS or TCP into our words. `wasSecure`: whether the handshake had been completed. */
export function endOfSocketError(error: Error & { code?: string }, wasSecure: boolean): LinkEnd {
  const code = error.code ?? '';
  const detail = code === '' ? error.message.slice(0, 120) : code;
  if (wasSecure) return { reason: 'link.reset', detail };
  if (TCP_ERRORS.has(code)) return { reason: 'link.unreachable', detail };
  if (/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/.test(code)) return { reason: 'link.tls-version', detail };
  if (/CERTIFICATE_REQUIRED|PEER_DID_NOT_RETURN/.test(code)) return { reason: 'link.no-certificate', detail };
  if (NOT_TLS.test(code)) return { reason: 'link.not-tls', detail };
  if (code === 'ECONNRESET' || code === 'EPIPE') return { reason: 'link.reset', detail };
  return { reason: 'link.tls-failed', detail };
}

const TCP_ERRORS: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** What OpenSSL says to bytes that are not a TLS record at all. */
const NOT_TLS = /WRONG_VERSION_NUMBER|HTTP_REQUEST|HTTPS_PROXY_REQUEST|PACKET_LENGTH_TOO_LONG|UNKNOWN_PROTOCOL/;
