/**
 * The HTTP interface as one fastify application over the port: the calls of wire-format.md section 6, OpenAPI made from
 * their schemas, and every failure as problem details. It knows nothing of sockets; server.ts listens.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import swagger from '@fastify/swagger';
import {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifySchemaValidationError,
  type FastifyServerFactory,
  type FastifyTypeProvider,
  fastify,
  type RawServerDefault,
} from 'fastify';
import type { Static, TSchema } from 'typebox';
import { NodeFailed } from '../failure.ts';
import { type Log, silentLog } from '../logging.ts';
import type { MetricSamples } from '../metrics.ts';
import { addChainRoutes } from './chain.ts';
import type { EdgePort } from './edge-port.ts';
import { addEventRoutes, createEventHub, type EventHub } from './events.ts';
import { createGuard } from './guard.ts';
import { addHealthRoutes } from './health.ts';
import { defaultLimits, type HttpLimits } from './limits.ts';
import { createHttpCounts } from './measure.ts';
import { addMembershipRoutes } from './membership.ts';
import { createOpenApi } from './openapi.ts';
import { type Problem, problemOf, sendProblem } from './problem.ts';
import { addStatusPage } from './status-page.ts';
import type { Tokens } from './tokens.ts';
import { addTransactionRoutes } from './transactions.ts';
import { addViewRoutes } from './view.ts';

/** Requests have the types of their schemas. Answers are checked by the serialisers, and by tests against the schemas. */
interface RequestSchemas extends FastifyTypeProvider {
  validator: this['schema'] extends TSchema ? Static<this['schema']> : unknown;
}

export type App = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, RequestSchemas>;

/** What the routes share. */
export type HttpContext = {
  readonly port: EdgePort;
  readonly limits: HttpLimits;
  readonly hub: EventHub;
  readonly log: Log;
  /** Transactions that requests are waiting for at present. */
  waiters: number;
};

export type AppOptions = {
  readonly tokens?: Tokens | null;
  readonly allowedHosts?: readonly string[];
  readonly limits?: Partial<HttpLimits>;
  readonly log?: Log;
  readonly nowMs?: () => number;
  readonly serverFactory?: FastifyServerFactory;
};

export type HttpApp = { readonly app: App; samples(): MetricSamples };

export async function createApp(port: EdgePort, options: AppOptions = {}): Promise<HttpApp> {
  const { tokens = null, allowedHosts = [], log = silentLog, nowMs = () => performance.now() } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const app: App = fastify({
    ...(options.serverFactory === undefined ? {} : { serverFactory: options.serverFactory }),
    bodyLimit: limits.sequenceSizeBytesMax,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 100, ignoreTrailingSlash: true },
    // A name that the query does not have is a mistake to be told, not to be dropped.
    ajv: { customOptions: { removeAdditional: false, coerceTypes: true } },
    schemaErrorFormatter: (errors, part) => new Error(errors.map((error) => describeFault(error, part)).join('; ')),
    frameworkErrors: (error, _request, reply) => void sendProblem(reply, toProblem(error)),
    return503OnClosing: false,
    forceCloseConnections: 'idle',
  }).withTypeProvider<RequestSchemas>();

  // JSON bodies belong to the calls on membership alone, text bodies to none; elsewhere a parser would only be a way in.
  app.removeAllContentTypeParsers();
  await app.register(swagger, createOpenApi(port.status().node.version));

  const context: HttpContext = { port, limits, hub: createEventHub(port), log, waiters: 0 };
  const counts = createHttpCounts();
  app.decorateRequest('client', '');
  app.addHook('onRequest', createGuard({ tokens, allowedHosts, limits, nowMs }));
  app.addHook('onRequest', (_request, reply, done) => {
    reply.header('x-content-type-options', 'nosniff');
    reply.header('cache-control', 'no-store');
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    counts.count(request.method, request.routeOptions.url ?? 'none', reply.statusCode, reply.elapsedTime);
    done();
  });
  app.addHook('preClose', async () => context.hub.close());

  app.setNotFoundHandler((request, reply) => {
    const message = `there is no call ${request.method} ${request.url.slice(0, 200)}; GET /openapi.json lists them`;
    return sendProblem(reply, problemOf('http.not-found', message));
  });
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = toProblem(error);
    if (problem.code === 'node.internal') {
      log.error('http.failed', { error, request: request.id, method: request.method, route: request.routeOptions.url });
      return sendProblem(reply, { ...problem, message: `request ${request.id} failed` });
    }
    return sendProblem(reply, problem);
  });

  addTransactionRoutes(app, context);
  addChainRoutes(app, context);
  addViewRoutes(app, context);
  addEventRoutes(app, context);
  await app.register(async (scope) => addMembershipRoutes(scope as App, context, nowMs));
  addHealthRoutes(app, context);
  addStatusPage(app, context);
  app.get(
    '/openapi.json',
    {
      schema: { tags: ['operations'], operationId: 'getOpenApi', summary: 'This description', response: { 200: {} } },
      config: { roles: [] },
    },
    (_request, reply) => reply.type('application/json').send(JSON.stringify(app.swagger())),
  );
  await app.ready();

  return {
    app,
    samples: () => ({
      ...counts.samples(),
      http_subscribers: context.hub.count,
      http_waiters: context.waiters,
    }),
  };
}

/** In words of the caller: which part of the request, which field, what is wrong with it. */
function describeFault(error: FastifySchemaValidationError, part: string): string {
  const where = part === 'querystring' ? 'query' : part === 'body' ? 'body' : 'path';
  if (error.keyword === 'additionalProperties')
    return `the ${where} has no ${where === 'body' ? 'field' : 'parameter'} "${error.params.additionalProperty}"`;
  return `"${error.instancePath.slice(1)}" in the ${where} ${error.message ?? 'is not as described'}`;
}

/** What fastify throws, as a code of the catalogue. Anything it does not blame on the request is ours. */
function toProblem(error: FastifyError): Problem {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return problemOf('http.body-too-large', 'the body is larger than this content type may be');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return problemOf('http.unsupported-media-type', 'the content type is not one that this call takes');
    case 'FST_ERR_CTP_EMPTY_TYPE':
      return problemOf('http.unsupported-media-type', 'the request has no content type');
    default:
      break;
  }
  // What the node behind the port refuses has a code of its own.
  if (error instanceof NodeFailed) return { code: error.code, message: error.message };
  const status = error.statusCode ?? 500;
  if (status >= 400 && status < 500) return problemOf('http.bad-request', error.message.slice(0, 300));
  return problemOf('node.internal', 'the request failed');
}
