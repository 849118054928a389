/**
 * Listens for HTTP: binding rules, TLS, and the limits that hold before a request is one: connections, per address and in
 * all, headers, and time. A renewed certificate is picked up from its files, so that none ever runs out on a running node.
 */
import { createServer as createHttpServer, type Server, type ServerOptions } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type CairnError, fail, ok, type Result } from '@cairn-ledger/core';
import type { FastifyServerFactory } from 'fastify';
import { type NodeErrorCode, statusOf } from '../errors.ts';
import { type Log, silentLog } from '../logging.ts';
import type { MetricSamples } from '../metrics.ts';
import { createApp } from './app.ts';
import { checkBinding, type HttpConfig, readTls, type TlsFiles } from './binding.ts';
import type { EdgePort } from './edge-port.ts';
import { defaultLimits, type HttpLimits } from './limits.ts';
import { PROBLEM_TYPE, problemOf, problemText } from './problem.ts';
import { addressClient } from './rate-limit.ts';

export type HttpServer = {
  /** With the port that is really listened on. */
  readonly url: string;
  readonly port: number;
  samples(): MetricSamples;
  /** Ends event streams, lets running requests end (not longer than `graceMs`), then closes every connection. */
  stop(graceMs?: number): Promise<void>;
};

export type HttpServerOptions = { readonly log?: Log; readonly limits?: Partial<HttpLimits> };

const TLS_RENEWAL_MS = 60_000;
const STOP_GRACE_MS = 5_000;
const STOP_SWEEP_MS = 50;

export async function startHttpServer(
  config: HttpConfig,
  edge: EdgePort,
  options: HttpServerOptions = {},
): Promise<Result<HttpServer, CairnError>> {
  const binding = checkBinding(config);
  if (!binding.ok) return binding;
  const log = options.log ?? silentLog;
  const limits = { ...defaultLimits, ...options.limits };
  const { tls, tokens } = binding.value;

  const sockets = new Set<Socket>();
  const { app, samples } = await createApp(edge, {
    tokens,
    allowedHosts: config.allowedHosts ?? [],
    limits,
    log,
    serverFactory: createFactory(tls, limits, sockets),
  });
  try {
    await app.listen({ host: config.host, port: config.port, backlog: 511, listenTextResolver: () => '' });
  } catch (error) {
    await app.close();
    const { code } = error as NodeJS.ErrnoException;
    const message = `cannot listen on ${config.host}, port ${config.port} (${code ?? 'unknown reason'})`;
    return fail({ code: 'config.http-address-unusable', message });
  }

  const { port } = app.server.address() as AddressInfo;
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  const url = `${tls === null ? 'http' : 'https'}://${host}:${port}`;
  const renewal = config.tls === undefined ? null : renewTls(app.server as unknown as TlsServer, config.tls, tls, log);
  log.info('http.listening', { url, clients: tokens?.count ?? null });

  return ok({
    url,
    port,
    samples: () => ({ ...samples(), http_connections: sockets.size }),
    async stop(graceMs = STOP_GRACE_MS) {
      if (renewal !== null) clearInterval(renewal);
      const impatience = setTimeout(() => app.server.closeAllConnections(), graceMs);
      // A connection on which no request has begun counts as busy in Node: browsers and fetch keep such ones in reserve.
      const sweeping = setInterval(() => {
        for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      }, STOP_SWEEP_MS);
      await app.close();
      clearTimeout(impatience);
      clearInterval(sweeping);
      log.info('http.stopped', { url });
    },
  });
}

function createFactory(tls: TlsFiles | null, limits: HttpLimits, sockets: Set<Socket>): FastifyServerFactory {
  return (handler) => {
    const settings: ServerOptions = {
      maxHeaderSize: limits.headersSizeBytesMax,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs),
      noDelay: true,
    };
    const server: Server =
      tls === null
        ? createHttpServer(settings, handler)
        : (createTlsServer(
            { ...settings, ...tls, minVersion: 'TLSv1.2', handshakeTimeout: limits.headersTimeoutMs },
            handler,
          ) as unknown as Server);
    server.maxConnections = limits.connectionsMax;
    server.maxHeadersCount = 64;
    server.setTimeout(limits.idleTimeoutMs);
    server.on('connection', limitConnections(limits, sockets));
    server.on('clientError', refuseBroken);
    return server;
  };
}

/** Closes a connection beyond what one address may have; one client must not use up everybody's. */
function limitConnections(limits: HttpLimits, sockets: Set<Socket>): (socket: Socket) => void {
  const perAddress = new Map<string, number>();
  return (socket) => {
    const address = addressClient(socket.remoteAddress);
    const open = perAddress.get(address) ?? 0;
    if (open >= limits.connectionsPerAddressMax) {
      socket.destroy();
      return;
    }
    perAddress.set(address, open + 1);
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      const left = (perAddress.get(address) ?? 1) - 1;
      if (left === 0) perAddress.delete(address);
      else perAddress.set(address, left);
    });
  };
}

/** Answers what never became a request: malformed, too slow, or with too large headers. */
function refuseBroken(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const code = brokenCode(error.code);
  const body = problemText(problemOf(code, 'the connection is closed'));
  socket.end(
    `HTTP/1.1 ${statusOf(code)} Refused\r\nContent-Type: ${PROBLEM_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `Connection: close\r\n\r\n${body}`,
  );
  // A peer that never reads the answer must not keep the socket.
  setTimeout(() => socket.destroy(), 1_000).unref();
}

function brokenCode(code: string | undefined): NodeErrorCode {
  if (code === 'HPE_HEADER_OVERFLOW') return 'http.headers-too-large';
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'http.timeout';
  return 'http.bad-request';
}

/** Looks at the files now and then; a pair that is not usable is told in the log, and the old one stays. */
function renewTls(
  server: TlsServer,
  files: NonNullable<HttpConfig['tls']>,
  first: TlsFiles | null,
  log: Log,
): NodeJS.Timeout {
  let present = first;
  const timer = setInterval(() => {
    const read = readTls(files);
    if (!read.ok) return log.warn('http.certificate-unusable', { error: read.error });
    if (present !== null && read.value.cert.equals(present.cert) && read.value.key.equals(present.key)) return;
    present = read.value;
    server.setSecureContext({ ...read.value, minVersion: 'TLSv1.2' });
    log.info('http.certificate-renewed');
  }, TLS_RENEWAL_MS);
  timer.unref();
  return timer;
}
