/**
 * Who may call what, before anything of a body is read: the host that the request is addressed to, the client's token and
 * its roles, and the client's rate.
 *
 * Without tokens (loopback only) the Host header must name the loopback: a page of the web, open in a browser on this
 * machine, must not reach the node under a name of its own that resolves to 127.0.0.1. Nor may such a page change anything under
 * the right name: browsers send it without reading the answer, and say where it comes from.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { HttpLimits } from './limits.ts';
import { type Problem, problemOf, sendProblem } from './problem.ts';
import { addressClient, createRateLimit } from './rate-limit.ts';
import type { Client, Role, Tokens } from './tokens.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Any of these lets in; none: open to everybody. Left out: any token. */
    readonly roles?: readonly Role[];
    /** People look at this page in a browser, which asks for a name and password: the token is the password. */
    readonly browser?: boolean;
  }
  interface FastifyRequest {
    /** The name that limits apply to: a token's or an address. */
    client: string;
  }
}

export type GuardOptions = {
  /** Null only where the server is bound to the loopback. */
  readonly tokens: Tokens | null;
  /** Host names to answer to without tokens, besides those of the loopback; without port. */
  readonly allowedHosts: readonly string[];
  readonly limits: HttpLimits;
  readonly nowMs: () => number;
};

export type Guard = (request: FastifyRequest, reply: FastifyReply, done: () => void) => void;

export function createGuard({ tokens, allowedHosts, limits, nowMs }: GuardOptions): Guard {
  const requests = createRateLimit(limits.requestsPerSecond, limits.requestsBurst);
  const failures = createRateLimit(limits.failuresPerSecond, limits.failuresBurst);
  const hosts = new Set(['localhost', '127.0.0.1', '[::1]', ...allowedHosts]);

  function refusal(request: FastifyRequest): Problem | null {
    const address = addressClient(request.raw.socket.remoteAddress);
    const roles = request.routeOptions.config?.roles;
    const isOpen = roles !== undefined && roles.length === 0;
    if (tokens === null) {
      if (!hosts.has(hostName(request.headers.host))) {
        return problemOf('http.wrong-host', 'this node answers to localhost only, as it has no tokens');
      }
      if (request.method !== 'GET' && request.method !== 'HEAD' && isFromElsewhere(request)) {
        return problemOf('http.forbidden', 'a page of another site may change nothing here');
      }
      request.client = address;
    } else if (isOpen) {
      request.client = address;
    } else {
      const found = authenticate(request, tokens, address);
      if ('code' in found) return found;
      if (roles !== undefined && !isAllowed(found, roles)) {
        return problemOf('http.forbidden', `"${found.name}" has none of the roles: ${roles.join(', ')}`);
      }
      request.client = `token ${found.name}`;
    }
    const waitMs = requests.take(request.client, nowMs());
    if (waitMs === 0) return null;
    const message = `more than ${limits.requestsPerSecond} requests a second`;
    return problemOf('http.too-many-requests', message, { retryAfterMs: waitMs });
  }

  /** Whether a browser says that a page of another site asks; clients that are no browsers say nothing of it. */
  function isFromElsewhere({ headers }: FastifyRequest): boolean {
    const { origin } = headers;
    if (headers['sec-fetch-site'] === 'cross-site') return true;
    if (origin === undefined) return false;
    const { host, hostname } = URL.parse(origin) ?? { host: '', hostname: '' };
    return !hosts.has(hostname) || host !== (headers.host ?? '').toLowerCase();
  }

  function authenticate(request: FastifyRequest, known: Tokens, address: string): Client | Problem {
    const retryAfterMs = failures.look(address, nowMs());
    if (retryAfterMs > 0) return problemOf('http.too-many-requests', 'too many wrong tokens', { retryAfterMs });
    const presented = presentedToken(request.headers.authorization, request.routeOptions.config?.browser === true);
    if (presented === null) return problemOf('http.unauthorized', 'the request has no bearer token');
    const client = known.find(presented);
    if (client !== null) return client;
    failures.take(address, nowMs());
    return problemOf('http.unauthorized', 'the token is not one of this node');
  }

  return (request, reply, done) => {
    const problem = refusal(request);
    if (problem === null) return done();
    if (problem.code === 'http.unauthorized') {
      const schemes = request.routeOptions.config?.browser === true ? 'Basic realm="cairn", Bearer' : 'Bearer';
      reply.header('www-authenticate', schemes);
    }
    // The body will not be read, so the connection cannot be used again.
    if (request.raw.headers['content-length'] !== undefined || request.raw.headers['transfer-encoding'] !== undefined) {
      reply.header('connection', 'close');
    }
    sendProblem(reply, problem);
  };
}

function isAllowed(client: Client, roles: readonly Role[]): boolean {
  return roles.some((role) => client.roles.includes(role) || (role === 'read' && client.roles.includes('operate')));
}

function presentedToken(authorization: string | undefined, isBrowser: boolean): string | null {
  if (authorization === undefined) return null;
  const [scheme = '', value = ''] = authorization.split(' ', 2);
  if (/^bearer$/i.test(scheme)) return value;
  if (!isBrowser || !/^basic$/i.test(scheme)) return null;
  const pair = Buffer.from(value, 'base64').toString('utf8');
  return pair.slice(pair.indexOf(':') + 1);
}

function hostName(host: string | undefined): string {
  return (host ?? '').replace(/:\d+$/, '').toLowerCase();
}
