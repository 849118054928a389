/**
 * Members and what they decide, invitations and requests to join, and taking this node out of service. Requests here come
 * as small JSON bodies; a proposal or vote itself is a transaction like any other, signed by a person.
 *
 * `POST /v1/join` is open to everybody who has the secret of an invitation; wrong ones are rate-limited by address.
 */
import { base64urlToBytes } from '@cairn-ledger/core';
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { isNodeUrl, secretSizeBytes } from '../membership/invitation.ts';
import { fieldsToJoinRequest, joinRequestSchema } from '../membership/join-request.ts';
import type { App, HttpContext } from './app.ts';
import {
  cancelParams,
  decidedSchema,
  fenceBody,
  invitationSchema,
  inviteBody,
  issuedInvitationSchema,
  joinAnswerSchema,
  membershipSchema,
  proposalParams,
} from './membership-schemas.ts';
import { invitationJson, joinAnswerJson, membershipJson, proposalJson } from './membership-views.ts';
import { problemOf, sendProblem } from './problem.ts';
import { addressClient, createRateLimit } from './rate-limit.ts';
import { isoOf } from './views.ts';

const tags = ['membership'];
const operate = { roles: ['operate'] as const };
const DAY_SECONDS = 86_400;

/** @param scope an application of its own: JSON bodies are taken by these calls and no others */
export function addMembershipRoutes(scope: App, { port, limits }: HttpContext, nowMs: () => number): void {
  const failures = createRateLimit(limits.failuresPerSecond, limits.failuresBurst);
  scope.addContentTypeParser(
    'application/json',
    { parseAs: 'string', bodyLimit: limits.jsonSizeBytesMax },
    scope.getDefaultJsonParser('error', 'error'),
  );

  scope.get(
    '/v1/membership',
    {
      schema: {
        tags,
        operationId: 'getMembership',
        summary: 'Members, the standing of validators, and open proposals',
        response: { 200: membershipSchema },
      },
      config: { roles: ['read'] },
    },
    async () => membershipJson(await port.membership()),
  );

  scope.get(
    '/v1/proposals/:id',
    {
      schema: {
        tags,
        operationId: 'getProposal',
        summary: 'A proposal, decided or not, and its votes',
        params: proposalParams,
        response: { 200: decidedSchema },
      },
      config: { roles: ['read'] },
    },
    async (request, reply) => {
      const found = await port.proposal(Buffer.from(request.params.id, 'hex'));
      if (found === null)
        return sendProblem(reply, problemOf('http.not-found', 'no transaction of this id opened a proposal'));
      return { ...proposalJson(found.proposal), votesNeeded: found.votesNeeded };
    },
  );

  scope.get(
    '/v1/invitations',
    {
      schema: {
        tags,
        operationId: 'listInvitations',
        summary: 'Invitations that this node gave out, and requests to join that wait',
        response: { 200: Type.Object({ invitations: Type.Array(invitationSchema) }) },
      },
      config: operate,
    },
    async () => ({ invitations: (await port.invitations()).map(invitationJson) }),
  );

  scope.post(
    '/v1/invitations',
    {
      schema: {
        tags,
        operationId: 'invite',
        summary: 'Make an invitation for one validator',
        description:
          'The text holds a secret that is good for one request to join; this node keeps only its hash. Whether the validator is taken in is voted ' +
          'on by the members.',
        body: inviteBody,
        response: { 200: issuedInvitationSchema },
      },
      config: operate,
    },
    async (request, reply) => {
      const { member, name, validator, expiresSeconds = DAY_SECONDS, urls } = request.body;
      const wrong = urls.find((url) => !isNodeUrl(url));
      if (wrong !== undefined) return badRequest(reply, `${JSON.stringify(wrong)} is not the bare URL of a node`);
      const issued = await port.invite({ member, name: name ?? null, validator, expiresSeconds, urls });
      if (!issued.ok) return sendProblem(reply, issued.error);
      const { expiresMs, ...invitation } = issued.value;
      return { ...invitation, expires: isoOf(expiresMs) };
    },
  );

  scope.post(
    '/v1/invitations/:id/cancel',
    {
      schema: {
        tags,
        operationId: 'cancelInvitation',
        summary: 'Forget an invitation, or a request to join',
        params: cancelParams,
        response: { 200: Type.Object({ id: Type.String() }) },
      },
      config: operate,
    },
    async (request, reply) => {
      const { id } = request.params;
      const cancelled = await port.cancelInvitation(id);
      if (!cancelled.ok) return sendProblem(reply, cancelled.error);
      if (!cancelled.value) return sendProblem(reply, problemOf('http.not-found', `there is no invitation ${id} here`));
      return { id };
    },
  );

  scope.post(
    '/v1/join',
    {
      schema: {
        tags,
        operationId: 'join',
        summary: 'Hand in the keys and addresses of a node that was invited',
        description:
          'Needs no token: the secret of the invitation lets in, once. The same request again gets the same answer. The genesis must hash to the ' +
          'ledger hash of the invitation.',
        body: Type.Object(
          {
            secret: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$', description: 'of the invitation, base64url' }),
            request: joinRequestSchema,
          },
          { additionalProperties: false },
        ),
        response: { 200: joinAnswerSchema },
      },
      config: { roles: [] },
    },
    async (request, reply) => {
      const address = addressClient(request.raw.socket.remoteAddress);
      const retryAfterMs = failures.look(address, nowMs());
      if (retryAfterMs > 0) {
        const problem = problemOf('http.too-many-requests', 'too many wrong invitations', { retryAfterMs });
        return sendProblem(reply, problem);
      }
      const secret = base64urlToBytes(request.body.secret);
      if (secret?.length !== secretSizeBytes) return badRequest(reply, 'the secret is not 32 bytes in base64url');
      const asked = fieldsToJoinRequest(request.body.request);
      if (typeof asked === 'string') return badRequest(reply, asked);
      const joined = await port.join(secret, asked);
      if (joined.ok) return joinAnswerJson(joined.value);
      if (joined.error.code === 'invitation.unknown') failures.take(address, nowMs());
      return sendProblem(reply, joined.error);
    },
  );

  scope.post(
    '/v1/fence',
    {
      schema: {
        tags,
        operationId: 'fence',
        summary: 'Take this node out: it signs nothing until this is lifted',
        body: fenceBody,
        response: { 200: fenceAnswer },
      },
      config: operate,
    },
    async (request, reply) => {
      const fenced = await port.fence(request.body.reason);
      return fenced.ok ? { mode: port.status().mode } : sendProblem(reply, fenced.error);
    },
  );

  scope.post(
    '/v1/unfence',
    {
      schema: {
        tags,
        operationId: 'unfence',
        summary: 'Lift the fence of the operator: the node comes back',
        response: { 200: fenceAnswer },
      },
      config: operate,
    },
    async (_request, reply) => {
      const lifted = await port.unfence();
      return lifted.ok ? { mode: port.status().mode } : sendProblem(reply, lifted.error);
    },
  );
}

const fenceAnswer = Type.Object({ mode: Type.String({ description: 'as in GET /v1/status' }) });

function badRequest(reply: FastifyReply, message: string): FastifyReply {
  return sendProblem(reply, problemOf('http.bad-request', message));
}
