/**
 * Where HTTP may listen. On the loopback as it is; on any other address only with TLS and a token per client, so that a
 * careless setting cannot open a node to the network. Checked before anything starts.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import process from 'node:process';
import { type CairnError, fail, ok, type Result } from '@cairn-ledger/core';
import { readTokens, type Tokens } from './tokens.ts';

export type HttpConfig = {
  /** An address of this machine; 127.0.0.1 unless configured. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** PEM files. */
  readonly tls?: { readonly certPath: string; readonly keyPath: string } | undefined;
  readonly tokensPath?: string | undefined;
  readonly allowedHosts?: readonly string[] | undefined;
};

export type TlsFiles = { readonly cert: Buffer; readonly key: Buffer };
export type Binding = { readonly tls: TlsFiles | null; readonly tokens: Tokens | null };

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return loopback.check(host, 'ipv4');
  if (isIPv6(host)) return loopback.check(host, 'ipv6');
  return host === 'localhost';
}

/** Reads certificate and tokens, and refuses an address that they do not suffice for. */
export function checkBinding(config: HttpConfig): Result<Binding, CairnError> {
  const isPublic = !isLoopback(config.host);
  if (isPublic && config.tls === undefined) {
    return refuse(
      'config.http-needs-tls',
      `HTTP on ${config.host} can be reached from other machines, so it needs TLS: set http.tls (certPath, keyPath), or bind to 127.0.0.1`,
    );
  }
  if (isPublic && config.tokensPath === undefined) {
    return refuse(
      'config.http-needs-tokens',
      `HTTP on ${config.host} can be reached from other machines, so every client needs a token: name a tokens file in http.tokensPath, or bind to 127.0.0.1`,
    );
  }
  const tokens = config.tokensPath === undefined ? ok(null) : readTokens(config.tokensPath);
  if (!tokens.ok) return tokens;
  const tls = config.tls === undefined ? ok(null) : readTls(config.tls);
  if (!tls.ok) return tls;
  return ok({ tls: tls.value, tokens: tokens.value });
}

/** Reads a certificate and its key, and checks that they belong together. */
export function readTls(files: NonNullable<HttpConfig['tls']>): Result<TlsFiles, CairnError> {
  const { certPath, keyPath } = files;
  try {
    if (process.platform !== 'win32' && (statSync(keyPath).mode & 0o007) !== 0) {
      return refuse('config.http-tls-invalid', `${keyPath} can be read by everybody; run: chmod o-rwx ${keyPath}`);
    }
    const cert = readFileSync(certPath);
    const key = readFileSync(keyPath);
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
      return refuse(
        'config.http-tls-invalid',
        `the key in ${keyPath} does not belong to the certificate in ${certPath}`,
      );
    }
    return ok({ cert, key });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return refuse('config.http-tls-invalid', `${certPath} and ${keyPath} cannot be used (${code ?? 'not PEM'})`);
  }
}

function refuse(code: string, message: string): Result<never, CairnError> {
  return fail({ code, message });
}
