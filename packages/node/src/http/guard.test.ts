import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { createApp } from './app.ts';
import { createFakeEdge } from './fake-edge.ts';
import { createToken, parseTokens, type Role, type Tokens } from './tokens.ts';

function tokensOf(...clients: [name: string, roles: Role[]][]): { tokens: Tokens; bearer: Record<string, string> } {
  const made = clients.map(([name, roles]) => ({ name, ...createToken(name, roles) }));
  const tokens = parseTokens(JSON.stringify({ tokens: made.map(({ entry }) => entry) }), 'tokens.json');
  assert.ok(tokens.ok);
  const bearer = Object.fromEntries(made.map(({ name, token }) => [name, `Bearer ${token}`]));
  return { tokens: tokens.value, bearer };
}

const cose = { 'content-type': 'application/cose' };
const submit = { method: 'POST', url: '/v1/transactions', payload: Buffer.from('00', 'hex') } as const;

test('each role opens its calls and no others', async () => {
  const { tokens, bearer } = tokensOf(
    ['reader', ['read']],
    ['gateway', ['submit']],
    ['operator', ['operate']],
    ['both', ['read', 'submit']],
  );
  const { app } = await createApp(createFakeEdge(), { tokens });
  const status = async (client: string, url: string) =>
    (await app.inject({ url, headers: { authorization: bearer[client] } })).statusCode;
  const submitStatus = async (client: string) =>
    (await app.inject({ ...submit, headers: { ...cose, authorization: bearer[client] } })).statusCode;
  assert.deepEqual(
    await Promise.all(['reader', 'gateway', 'operator', 'both'].map((client) => status(client, '/v1/status'))),
    [200, 403, 200, 200],
  );
  assert.deepEqual(
    await Promise.all(['reader', 'gateway', 'operator', 'both'].map(submitStatus)),
    [403, 202, 403, 202],
  );
  assert.equal(await status('gateway', `/v1/transactions/${'00'.repeat(32)}`), 404, 'who submits may follow it');
  assert.equal(await status('gateway', '/metrics'), 403);
  assert.equal(await status('operator', '/metrics'), 200);
  assert.equal(await status('reader', '/nowhere'), 404);
});

test('without a token only the probes and the description answer', async () => {
  const { tokens } = tokensOf(['reader', ['read']]);
  const { app } = await createApp(createFakeEdge(), { tokens });
  for (const url of ['/healthz', '/readyz', '/openapi.json'])
    assert.equal((await app.inject(url)).statusCode, 200, url);
  for (const url of ['/', '/metrics', '/v1/status', '/v1/genesis', '/v1/events', '/nowhere']) {
    const answer = await app.inject(url);
    assert.equal(answer.statusCode, 401, url);
    assert.match(String(answer.headers['www-authenticate']), /Bearer/);
    assert.equal(answer.json().code, 'http.unauthorized');
  }
});

test('a browser may give the token as password, for the status page only', async () => {
  const { tokens, bearer } = tokensOf(['reader', ['read']]);
  const { app } = await createApp(createFakeEdge(), { tokens });
  const basic = `Basic ${Buffer.from(`me:${bearer.reader!.slice(7)}`).toString('base64')}`;
  assert.equal((await app.inject({ url: '/', headers: { authorization: basic } })).statusCode, 200);
  assert.equal((await app.inject({ url: '/v1/status', headers: { authorization: basic } })).statusCode, 401);
});

test('guessing tokens is slowed down for the guesser, and for nobody else', async () => {
  let nowMs = 0;
  const { tokens, bearer } = tokensOf(['reader', ['read']]);
  const limits = { failuresBurst: 3, failuresPerSecond: 1 };
  const { app } = await createApp(createFakeEdge(), { tokens, limits, nowMs: () => nowMs });
  const ask = async (authorization: string, remoteAddress: string) =>
    (await app.inject({ url: '/v1/status', headers: { authorization }, remoteAddress })).statusCode;
  const codes: number[] = [];
  for (let i = 0; i < 5; i++) codes.push(await ask('Bearer wrong', '10.0.0.1'));
  assert.deepEqual(codes, [401, 401, 401, 429, 429]);
  assert.equal(await ask(bearer.reader!, '10.0.0.2'), 200);
  nowMs += 1_000;
  assert.equal(await ask(bearer.reader!, '10.0.0.1'), 200);
});

test('a client over its rate is told when to come back; others are not held up', async () => {
  let nowMs = 0;
  const limits = { requestsPerSecond: 2, requestsBurst: 2 };
  const { app } = await createApp(createFakeEdge(), { limits, nowMs: () => nowMs });
  const ask = (remoteAddress: string) => app.inject({ url: '/v1/status', remoteAddress });
  assert.equal((await ask('10.0.0.1')).statusCode, 200);
  assert.equal((await ask('10.0.0.1')).statusCode, 200);
  const refused = await ask('10.0.0.1');
  assert.equal(refused.statusCode, 429);
  assert.equal(refused.headers['retry-after'], '1');
  assert.equal((await ask('10.0.0.2')).statusCode, 200);
  nowMs += 500;
  assert.equal((await ask('10.0.0.1')).statusCode, 200);
});

test('without tokens the node answers to the loopback only, whatever name leads there', async () => {
  const { app } = await createApp(createFakeEdge(), { allowedHosts: ['node.test'] });
  const ask = async (host: string) => (await app.inject({ url: '/v1/status', headers: { host } })).statusCode;
  for (const host of ['localhost', 'localhost:8080', '127.0.0.1:8080', '[::1]:8080', 'LOCALHOST', 'node.test:1']) {
    assert.equal(await ask(host), 200, host);
  }
  for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example:80']) {
    assert.equal(await ask(host), 421, host);
  }
});

test('without tokens a page of another site can change nothing, whatever it calls the node', async () => {
  const { app } = await createApp(createFakeEdge());
  const ask = async (headers: Record<string, string>, method: 'GET' | 'POST' = 'POST') => {
    const request = method === 'POST' ? submit : { url: '/v1/status', method };
    return (await app.inject({ ...request, headers: { host: 'localhost:8080', ...cose, ...headers } })).statusCode;
  };
  assert.equal(await ask({}), 202, 'no browser');
  assert.equal(await ask({ origin: 'http://localhost:8080', 'sec-fetch-site': 'same-origin' }), 202);
  for (const origin of ['https://evil.example', 'null', 'http://localhost:9090', 'http://evil.example:8080'])
    assert.equal(await ask({ origin }), 403, origin);
  assert.equal(await ask({ 'sec-fetch-site': 'cross-site' }), 403);
  assert.equal(await ask({ origin: 'https://evil.example' }, 'GET'), 200, 'it cannot read the answer');
});
