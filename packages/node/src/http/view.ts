/** The common view: members, accounts, devices and their readings. A device or account is `member/device`. */
import type { CairnError, Result } from '@cairn-ledger/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { App, HttpContext } from './app.ts';
import type { Page, PageRequest } from './edge-port.ts';
import { type Problem, problemOf, sendProblem } from './problem.ts';
import { parseInstant, readingsCsv, readingsJson } from './readings.ts';
import {
  accountSchema,
  deviceSchema,
  heldFromSchema,
  memberSchema,
  nameParams,
  pageOf,
  pageQuery,
  pairParams,
  type ReadingsQuery,
  readingSchema,
  readingsQuery,
} from './schemas.ts';
import { wants } from './transactions.ts';
import { accountJson, deviceJson, memberJson } from './views.ts';

const tags = ['view'];
const config = { roles: ['read'] as const };
const PAGE_SIZE = 1_000;
/** Says of every list of readings what `heldFrom` does in its JSON; CSV has no other place for it. */
export const heldFromHeader = 'cairn-held-from';

export function addViewRoutes(app: App, { port, limits }: HttpContext): void {
  app.get(
    '/v1/members',
    {
      schema: {
        tags,
        operationId: 'listMembers',
        summary: 'Members and their keys',
        response: { 200: Type.Object({ members: Type.Array(memberSchema) }) },
      },
      config,
    },
    async () => ({ members: (await port.members()).map(memberJson) }),
  );

  const listAccounts = port.accounts?.bind(port);
  if (listAccounts !== undefined) {
    app.get(
      '/v1/accounts',
      {
        schema: {
          tags,
          operationId: 'listAccounts',
          summary: 'Accounts and their balances',
          querystring: pageQuery(limits.pageSizeMax),
          response: { 200: pageOf('accounts', accountSchema) },
        },
        config,
      },
      async ({ query }, reply) => sendPage(reply, await listAccounts(pageRequest(query)), 'accounts', accountJson),
    );
  }

  const account = async (id: string, reply: FastifyReply) => {
    const found = await port.account(id);
    if (found === null) return sendProblem(reply, problemOf('http.not-found', `there is no account "${id}"`));
    return accountJson(found);
  };
  const accountRoute = { tags, summary: 'Balances of an account', response: { 200: accountSchema } };
  app.get(
    '/v1/accounts/:id',
    { schema: { ...accountRoute, operationId: 'getAccount', params: nameParams }, config },
    (request, reply) => account(request.params.id, reply),
  );
  app.get(
    '/v1/accounts/:member/:device',
    { schema: { ...accountRoute, operationId: 'getDeviceAccount', params: pairParams }, config },
    (request, reply) => account(`${request.params.member}/${request.params.device}`, reply),
  );

  const listDevices = port.devices?.bind(port);
  if (listDevices !== undefined) {
    app.get(
      '/v1/devices',
      {
        schema: {
          tags,
          operationId: 'listDevices',
          summary: 'Devices and their keys',
          querystring: pageQuery(limits.pageSizeMax),
          response: { 200: pageOf('devices', deviceSchema) },
        },
        config,
      },
      async ({ query }, reply) => sendPage(reply, await listDevices(pageRequest(query)), 'devices', deviceJson),
    );
  }

  const device = async (id: string, reply: FastifyReply) => {
    const found = await port.device(id);
    return found === null ? sendProblem(reply, unknownDevice(id)) : deviceJson(found);
  };
  const deviceRoute = { tags, summary: 'A device and its keys', response: { 200: deviceSchema } };
  app.get(
    '/v1/devices/:id',
    { schema: { ...deviceRoute, operationId: 'getDevice', params: nameParams }, config },
    (request, reply) => device(request.params.id, reply),
  );
  app.get(
    '/v1/devices/:member/:device',
    { schema: { ...deviceRoute, operationId: 'getDeviceOfMember', params: pairParams }, config },
    (request, reply) => device(`${request.params.member}/${request.params.device}`, reply),
  );

  async function readings(id: string, request: FastifyRequest & { query: ReadingsQuery }, reply: FastifyReply) {
    const { query } = request;
    const fromMs = query.from === undefined ? null : parseInstant(query.from);
    const toMs = query.to === undefined ? null : parseInstant(query.to);
    if (query.from !== undefined && fromMs === null) return sendProblem(reply, badInstant('from', query.from));
    if (query.to !== undefined && toMs === null) return sendProblem(reply, badInstant('to', query.to));
    const heldBefore = port.heldFrom();
    const page = await port.readings(id, { ...pageRequest(query), fromMs, toMs });
    if (page === null) return sendProblem(reply, unknownDevice(id));
    if (!page.ok) return sendProblem(reply, page.error);
    // The rest may have come, or a new chain begun, while the page was made: the page may lack what either moment lacks.
    const heldFrom = Math.max(heldBefore, port.heldFrom());
    reply.header(heldFromHeader, heldFrom);
    const isCsv = query.format === 'csv' || (query.format === undefined && wants(request, 'text/csv'));
    if (page.value.next !== null) reply.header('link', `<${nextUrl(request.url, page.value.next)}>; rel="next"`);
    if (isCsv)
      return reply.header('content-type', 'text/csv; charset=utf-8; header=present').send(readingsCsv(page.value));
    return reply.header('content-type', 'application/json; charset=utf-8').send(readingsJson(page.value, heldFrom));
  }
  const readingsRoute = {
    tags,
    summary: 'Readings of a device, in order of time',
    description:
      'As JSON, or as CSV with `Accept: text/csv` or `format=csv`. Numbers have exactly the decimals that were signed. The next page is named by ' +
      `\`next\` and by a Link header. Above 0, \`heldFrom\` (in CSV the header ${heldFromHeader}) says that blocks below it are not held here yet: ` +
      'readings in them are missing from the list, so ask another node.',
    querystring: readingsQuery(limits.pageSizeMax),
    response: {
      200: {
        description: 'A page of readings',
        headers: { [heldFromHeader]: heldFromSchema },
        content: {
          'application/json': {
            schema: Type.Object({ ...pageOf('readings', readingSchema).properties, heldFrom: heldFromSchema }),
          },
          'text/csv': { schema: Type.String() },
        },
      },
    },
  };
  app.get(
    '/v1/devices/:id/readings',
    { schema: { ...readingsRoute, operationId: 'listReadings', params: nameParams }, config },
    (request, reply) => readings(request.params.id, request, reply),
  );
  app.get(
    '/v1/devices/:member/:device/readings',
    { schema: { ...readingsRoute, operationId: 'listReadingsOfDevice', params: pairParams }, config },
    (request, reply) => readings(`${request.params.member}/${request.params.device}`, request, reply),
  );
}

function pageRequest(query: { readonly limit?: number; readonly cursor?: string }): PageRequest {
  return { limit: query.limit ?? PAGE_SIZE, cursor: query.cursor ?? null };
}

function sendPage<T>(
  reply: FastifyReply,
  page: Result<Page<T>, CairnError>,
  name: string,
  toJson: (item: T) => unknown,
): unknown {
  if (!page.ok) return sendProblem(reply, page.error);
  return { [name]: page.value.items.map(toJson), next: page.value.next };
}

function unknownDevice(id: string): Problem {
  return problemOf('http.not-found', `there is no device "${id}"`);
}

function badInstant(name: string, text: string): Problem {
  const message = `${name}=${text} is neither a time like 2026-01-31T12:00:00Z nor a whole number of milliseconds since 1970`;
  return problemOf('http.bad-request', message);
}

function nextUrl(url: string, cursor: string): string {
  const [path, query = ''] = url.split('?', 2);
  const parameters = new URLSearchParams(query);
  parameters.set('cursor', cursor);
  return `${path}?${parameters}`;
}
