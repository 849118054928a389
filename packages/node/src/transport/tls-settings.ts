/**
 * What every link demands of TLS, whichever side dialed: version 1.3, Ed25519 certificates from both sides, a full
 * handshake each time. The chain of trust is not TLS's business: certificates are self-signed and their keys are
 * compared with the ledger (`crypto/certificate.ts`).
 */
import { createSecureContext, type SecureContext, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { fail, ok, type Result } from '@cairn-ledger/core';
import { ed25519KeyOf, type LinkIdentity } from '../crypto/certificate.ts';
import type { LinkEnd } from './link-reason.ts';

type TlsOptions = SecureContextOptions & { readonly rejectUnauthorized: false };

export function tlsOptionsOf(identity: LinkIdentity): TlsOptions {
  return {
    cert: identity.certificatePem,
    key: identity.privateKeyPem,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    // Only Ed25519 may sign a handshake; a hostile certificate with a huge RSA key is refused before it costs anything.
    sigalgs: 'ed25519',
    ciphers: 'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384',
    // Says only that no authority vouches for the certificate; the key is checked by `authenticatedKeyOf`.
    rejectUnauthorized: false,
  };
}

/** Made once per node: parsing keys costs more than the rest of a handshake. */
export function secureContextOf(identity: LinkIdentity): SecureContext {
  return createSecureContext(tlsOptionsOf(identity));
}

/** The key whose possession the peer has just proved. Call it once the handshake is complete. */
export function authenticatedKeyOf(socket: TLSSocket): Result<Uint8Array, LinkEnd> {
  if (socket.getProtocol() !== 'TLSv1.3') return refuse('link.tls-version', socket.getProtocol() ?? '');
  // A resumed session proves possession of the session only.
  if (socket.isSessionReused()) return refuse('link.session-reused', '');
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return refuse('link.no-certificate', '');
  const key = ed25519KeyOf(certificate);
  return key === null ? refuse('link.unknown-key', 'not an Ed25519 key') : ok(key);
}

function refuse(reason: LinkEnd['reason'], detail: string): Result<never, LinkEnd> {
  return fail({ reason, detail });
}
