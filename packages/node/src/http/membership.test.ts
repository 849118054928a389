import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { type CairnError, defaultParameters, fail, ok } from '@cairn-ledger/core';
import { Check, Errors } from 'typebox/value';
import type { JoinRequest } from '../membership/join-request.ts';
import { createApp } from './app.ts';
import { createFakeEdge, type FakeEdge } from './fake-edge.ts';
import type { InvitationView, NewInvitation } from './membership-port.ts';
import {
  decidedSchema,
  invitationSchema,
  issuedInvitationSchema,
  joinAnswerSchema,
  membershipSchema,
} from './membership-schemas.ts';
import { createToken, parseTokens, type Tokens } from './tokens.ts';

type Asked = { method: 'GET' | 'POST'; url: string; body?: unknown; token?: string; type?: string };

async function appOf(edge: FakeEdge, tokens: Tokens | null = null) {
  const { app } = await createApp(edge, { tokens });
  return async ({ method, url, body, token, type = 'application/json' }: Asked) => {
    const answer = await app.inject({
      method,
      url,
      headers: {
        ...(body !== undefined && { 'content-type': type }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: answer.statusCode, json: answer.json() as Record<string, unknown>, headers: answer.headers };
  };
}

const hex = (digit: string): string => digit.repeat(64);
const requestFields = {
  linkKey: hex('1'),
  votingKey: hex('2'),
  checkpointKey: hex('3'),
  gatewayKey: hex('4'),
  addresses: ['maple.example:7700'],
  host: 'Rack 4',
};
const secret = Buffer.alloc(32, 7).toString('base64url');
const inviteFields = { member: 'maple', validator: 'maple-1', urls: ['http://127.0.0.1:7701'] };

test('membership is told as its schema says, changes of every kind included', async () => {
  const ask = await appOf(createFakeEdge());
  const { status, json } = await ask({ method: 'GET', url: '/v1/membership' });
  assert.equal(status, 200);
  assert.ok(Check(membershipSchema, json), JSON.stringify(Errors(membershipSchema, json)));
  const proposals = json.proposals as { change: Record<string, unknown> }[];
  assert.deepEqual(proposals[0]!.change, { kind: 'remove-validator', validator: 'node-1' });
  const parameters = { ...defaultParameters, deltaMs: 200 };
  assert.deepEqual(proposals[1]!.change, { kind: 'change-parameters', parameters });
  assert.deepEqual(json.parameters, defaultParameters);
  const validators = json.validators as Record<string, unknown>[];
  assert.equal(validators[0]!.operator, undefined);
  assert.equal(validators[1]!.sinceHeight, undefined);
});

test('a proposal is told by its id, decided or not', async () => {
  const ask = await appOf(createFakeEdge());
  const { status, json } = await ask({ method: 'GET', url: `/v1/proposals/${'0a'.repeat(32)}` });
  assert.equal(status, 200);
  assert.ok(Check(decidedSchema, json), JSON.stringify(Errors(decidedSchema, json)));
  assert.deepEqual([json.outcome, json.closedHeight, json.votesNeeded], ['refused', 6, 2]);
  assert.equal((await ask({ method: 'GET', url: `/v1/proposals/${'0c'.repeat(32)}` })).status, 404);
  assert.equal((await ask({ method: 'GET', url: '/v1/proposals/0c' })).status, 400);
});

test('an invitation is made with what was asked for, for a day unless said otherwise', async () => {
  const asked: NewInvitation[] = [];
  const ask = await appOf(
    createFakeEdge({
      invite: async (input) => {
        asked.push(input);
        return ok({ id: 'abcd0123', text: 'cairn-invitation:x', fingerprint: '1 2 3', expiresMs: 0 });
      },
    }),
  );
  const made = await ask({ method: 'POST', url: '/v1/invitations', body: inviteFields });
  assert.equal(made.status, 200);
  assert.ok(Check(issuedInvitationSchema, made.json));
  assert.equal(made.headers['cache-control'], 'no-store');
  assert.deepEqual(asked, [{ ...inviteFields, name: null, expiresSeconds: 86_400 }]);
  const wrong: unknown[] = [
    {},
    { ...inviteFields, member: 'Maple' },
    { ...inviteFields, urls: [] },
    { ...inviteFields, urls: ['http://a/x'] },
    { ...inviteFields, urls: Array(9).fill('http://a') },
    { ...inviteFields, expiresSeconds: 1 },
    { ...inviteFields, expiresSeconds: 1e9 },
    { ...inviteFields, name: '' },
    { ...inviteFields, more: 1 },
    '{"member":',
    '[]',
    'null',
    '{"__proto__":{"member":"x"}}',
  ];
  for (const body of wrong) {
    const answer = await ask({ method: 'POST', url: '/v1/invitations', body });
    assert.equal(answer.status, 400, JSON.stringify(body));
    assert.equal(answer.json.code, 'http.bad-request');
  }
  assert.equal(asked.length, 1);
});

test('a request to join reaches the port decoded, and its answer holds the genesis', async () => {
  const handedIn: { secret: Uint8Array; request: JoinRequest }[] = [];
  const peers = [{ id: 'node-1', linkKey: new Uint8Array(32).fill(5), addresses: ['a:1'] }];
  const ask = await appOf(
    createFakeEdge({
      join: async (given, request) => {
        handedIn.push({ secret: given, request });
        return ok({ id: 'abcd0123', ledgerName: 'test', genesis: new Uint8Array([0xa0]), inviter: 'node-1', peers });
      },
    }),
  );
  const joined = await ask({ method: 'POST', url: '/v1/join', body: { secret, request: requestFields } });
  assert.equal(joined.status, 200, JSON.stringify(joined.json));
  assert.ok(Check(joinAnswerSchema, joined.json), JSON.stringify(Errors(joinAnswerSchema, joined.json)));
  assert.equal(joined.json.genesis, 'oA');
  assert.deepEqual([...handedIn[0]!.secret], Array(32).fill(7));
  assert.equal(handedIn[0]!.request.host, 'Rack 4');
  assert.equal(handedIn[0]!.request.personKey, null);
  const wrong: unknown[] = [
    { secret },
    { secret: 'x', request: requestFields },
    { secret, request: { ...requestFields, linkKey: hex('g') } },
    { secret, request: { ...requestFields, linkKey: hex('2') } },
    { secret, request: { ...requestFields, addresses: [] } },
    { secret, request: { ...requestFields, addresses: ['nowhere'] } },
    { secret, request: { ...requestFields, host: 'a\nb' } },
    { secret, request: { ...requestFields, personKey: 'rsa:xx' } },
    { secret, request: { ...requestFields, life: hex('1') } },
  ];
  for (const body of wrong) {
    const answer = await ask({ method: 'POST', url: '/v1/join', body });
    assert.equal(answer.status, 400, JSON.stringify(body));
  }
  assert.equal(handedIn.length, 1);
});

test('bodies are limited in size and kind', async () => {
  const ask = await appOf(createFakeEdge());
  const body = { secret, request: { ...requestFields, host: 'x'.repeat(20_000) } };
  assert.equal((await ask({ method: 'POST', url: '/v1/join', body })).json.code, 'http.body-too-large');
  for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
    const answer = await ask({ method: 'POST', url: '/v1/join', body: 'x', type });
    assert.equal(answer.json.code, 'http.unsupported-media-type', type);
  }
  // JSON is taken by these calls alone.
  const elsewhere = await ask({ method: 'POST', url: '/v1/transactions', body: {} });
  assert.equal(elsewhere.json.code, 'http.unsupported-media-type');
});

test('who guesses invitations is slowed down', async () => {
  const ask = await appOf(createFakeEdge());
  const codes: unknown[] = [];
  for (let i = 0; i < 25; i++) {
    const answer = await ask({ method: 'POST', url: '/v1/join', body: { secret, request: requestFields } });
    codes.push(answer.json.code);
  }
  assert.equal(codes[0], 'invitation.unknown');
  assert.equal(codes.at(-1), 'http.too-many-requests');
});

test('joining needs no token; inviting, looking at invitations and fencing need an operator', async () => {
  const granted = { reader: createToken('reader', ['read']), operator: createToken('operator', ['operate']) };
  const file = { tokens: [granted.reader.entry, granted.operator.entry] };
  const tokens = parseTokens(JSON.stringify(file), 'tokens.json');
  assert.ok(tokens.ok);
  const ask = await appOf(createFakeEdge(), tokens.value);
  const join: Asked = { method: 'POST', url: '/v1/join', body: { secret, request: requestFields } };
  assert.equal((await ask(join)).json.code, 'invitation.unknown');
  const calls: Asked[] = [
    { method: 'GET', url: '/v1/invitations' },
    { method: 'POST', url: '/v1/invitations', body: inviteFields },
    { method: 'POST', url: '/v1/invitations/abcd0123/cancel' },
    { method: 'POST', url: '/v1/fence', body: { reason: 'attack' } },
    { method: 'POST', url: '/v1/unfence' },
  ];
  for (const call of calls) {
    assert.equal((await ask(call)).json.code, 'http.unauthorized', call.url);
    assert.equal((await ask({ ...call, token: granted.reader.token })).json.code, 'http.forbidden', call.url);
    const allowed = await ask({ ...call, token: granted.operator.token });
    assert.ok(![401, 403].includes(allowed.status), `${call.url}: ${allowed.status}`);
  }
  assert.equal((await ask({ method: 'GET', url: '/v1/membership' })).status, 401);
  assert.equal((await ask({ method: 'GET', url: '/v1/membership', token: granted.reader.token })).status, 200);
});

test('invitations are listed with what was handed in, and never with a secret', async () => {
  const request: JoinRequest = {
    linkKey: new Uint8Array(32).fill(1),
    votingKey: new Uint8Array(32).fill(2),
    checkpointKey: new Uint8Array(32).fill(3),
    gatewayKey: new Uint8Array(32).fill(4),
    addresses: ['a:1'],
    personKey: null,
    proposal: null,
  };
  const one = { id: 'abcd0123', member: 'maple', memberName: null, validator: 'maple-1', createdMs: 1, expiresMs: 2 };
  const invitations: InvitationView[] = [
    { ...one, state: 'open', joinedMs: null, request: null },
    { ...one, memberName: 'Maple', state: 'waiting', joinedMs: 3, request },
  ];
  const ask = await appOf(
    createFakeEdge({ invitations: async () => invitations, cancelInvitation: async (id) => ok(id === 'abcd0123') }),
  );
  const { json } = await ask({ method: 'GET', url: '/v1/invitations' });
  const list = json.invitations as unknown[];
  assert.equal(list.length, 2);
  for (const item of list) assert.ok(Check(invitationSchema, item), JSON.stringify(Errors(invitationSchema, item)));
  assert.ok(!JSON.stringify(json).includes('ecret'));
  assert.equal((await ask({ method: 'POST', url: '/v1/invitations/abcd0123/cancel' })).status, 200);
  assert.equal((await ask({ method: 'POST', url: '/v1/invitations/ffffffff/cancel' })).status, 404);
  assert.equal((await ask({ method: 'POST', url: '/v1/invitations/x/cancel' })).status, 400);
});

test('the operator takes the node out with a reason, and back', async () => {
  const edge = createFakeEdge();
  const ask = await appOf(edge);
  const fenced = await ask({ method: 'POST', url: '/v1/fence', body: { reason: 'the disk makes noises' } });
  assert.deepEqual([fenced.status, edge.fencedFor], [200, 'the disk makes noises']);
  assert.equal((await ask({ method: 'POST', url: '/v1/unfence' })).status, 200);
  const none = await ask({ method: 'POST', url: '/v1/unfence' });
  assert.deepEqual([none.status, none.json.code], [409, 'node.not-liftable']);
  for (const reason of ['', '  ', 'a\nb', 'x'.repeat(201)]) {
    assert.equal((await ask({ method: 'POST', url: '/v1/fence', body: { reason } })).status, 400, reason);
  }
});

test('what the port refuses comes with its code', async () => {
  const refusal = fail<CairnError>({ code: 'node.stopping', message: 'it is stopping' });
  const edge = createFakeEdge({ fence: async () => refusal, unfence: async () => refusal });
  const ask = await appOf(edge);
  const answer = await ask({ method: 'POST', url: '/v1/fence', body: { reason: 'x' } });
  assert.deepEqual([answer.status, answer.json.code], [503, 'node.stopping']);
});
