import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { Check, Errors } from 'typebox/value';
import { nodeErrors } from '../errors.ts';
import { createApp } from './app.ts';
import { createFakeEdge, readyStatus } from './fake-edge.ts';
import {
  accountSchema,
  blockSchema,
  checkpointSchema,
  deviceSchema,
  epochSchema,
  memberSchema,
  problemSchema,
  statusSchema,
  validatorSchema,
} from './schemas.ts';

test('every call is described: what it does, what it takes, what it answers', async () => {
  const { app } = await createApp(createFakeEdge());
  const document = (await app.inject('/openapi.json')).json();
  assert.match(document.openapi, /^3\.1/);
  const routes = app
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => /[├└]── \S.* \(([A-Z, ]+)\)/.exec(line)?.[1]?.split(', ') ?? []);
  assert.ok(routes.length >= 20);
  const operations = Object.entries<Record<string, Record<string, unknown>>>(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
  );
  assert.equal(operations.length, routes.length);
  const ids = new Set<unknown>();
  for (const { path, method, operation } of operations) {
    const name = `${method} ${path}`;
    assert.ok(typeof operation.summary === 'string' && operation.summary.length > 5, `${name} has a summary`);
    assert.ok(Array.isArray(operation.tags) && operation.tags.length === 1, `${name} has a tag`);
    const responses = operation.responses as Record<string, { description?: string }>;
    assert.ok(responses['200'] !== undefined && responses.default !== undefined, `${name} describes its answers`);
    const parameters = (operation.parameters ?? []) as { name: string; in: string }[];
    for (const [, parameter] of path.matchAll(/\{(\w+)\}/g)) {
      assert.ok(
        parameters.some((one) => one.in === 'path' && one.name === parameter),
        `${name} describes ${parameter}`,
      );
    }
    ids.add(operation.operationId);
  }
  assert.equal(ids.size, operations.length, 'operation ids are unique');
  assert.deepEqual(Object.keys(document.paths['/v1/transactions'].post.requestBody.content), [
    'application/cose',
    'application/cbor-seq',
  ]);
});

test('answers are as their schemas say, and leave nothing out', async () => {
  const { app } = await createApp(createFakeEdge());
  const cases = [
    ['/v1/blocks/3?transactions=true', '', blockSchema],
    ['/v1/blocks/3', '', blockSchema],
    ['/v1/checkpoints/latest', '', checkpointSchema],
    ['/v1/checkpoints/3', '', checkpointSchema],
    ['/v1/epochs', 'epochs', epochSchema],
    ['/v1/validators', 'validators', validatorSchema],
    ['/v1/members', 'members', memberSchema],
    ['/v1/status', '', statusSchema],
    ['/v1/accounts', 'accounts', accountSchema],
    ['/v1/accounts/acme', '', accountSchema],
    ['/v1/accounts/acme/probe', '', accountSchema],
    ['/v1/accounts/acme%2Fprobe', '', accountSchema],
    ['/v1/devices/acme/probe', '', deviceSchema],
    ['/v1/devices/acme%2Fprobe', '', deviceSchema],
  ] as const;
  for (const [url, list, schema] of cases) {
    const answer = await app.inject(url);
    assert.equal(answer.statusCode, 200, url);
    const body = answer.json();
    for (const item of list === '' ? [body] : body[list]) {
      assert.ok(Check(schema, item), `${url}: ${JSON.stringify(Errors(schema, item))}`);
    }
  }
  assert.equal((await app.inject('/v1/blocks/3?transactions=true')).json().transactions[0].leafIndex, 3);
  assert.equal((await app.inject('/v1/accounts/acme')).json().balances[0].amount, '18446744073709551615');
  assert.equal((await app.inject('/v1/status')).json().peers.length, 3);
});

test('the genesis document comes as it is', async () => {
  const { app } = await createApp(createFakeEdge());
  const answer = await app.inject('/v1/genesis');
  assert.equal(answer.headers['content-type'], 'application/cbor');
  assert.deepEqual([...answer.rawPayload], [0xa0]);
});

test('epochs come in pages, each with how it ended, and a proof also comes as it is', async () => {
  const { app } = await createApp(createFakeEdge());
  const first = (await app.inject('/v1/epochs?limit=2')).json();
  assert.deepEqual(
    first.epochs.map(({ epoch, fromHeight, toHeight }: { epoch: number; fromHeight: number; toHeight?: number }) => [
      epoch,
      fromHeight,
      toHeight,
    ]),
    [
      [1, 0, 10],
      [2, 11, 20],
    ],
  );
  assert.deepEqual([...Buffer.from(first.epochs[1].proof, 'base64url')], [0x82, 2]);
  assert.equal(first.next, 3);
  const last = (await app.inject(`/v1/epochs?from=${first.next}`)).json();
  assert.deepEqual(
    [last.epochs.length, last.epochs[0].epoch, last.epochs[0].proof, last.next],
    [1, 3, undefined, null],
  );
  assert.deepEqual((await app.inject('/v1/epochs?from=9')).json(), { epochs: [], next: null, heldFrom: 0 });
  for (const query of ['from=0', 'limit=17', 'limit=0', 'to=3'])
    assert.equal((await app.inject(`/v1/epochs?${query}`)).json().code, 'http.bad-request', query);

  const proof = await app.inject('/v1/epochs/2/proof');
  assert.equal(proof.headers['content-type'], 'application/cbor');
  assert.deepEqual([...proof.rawPayload], [0x82, 2]);
  assert.equal((await app.inject('/v1/epochs/3/proof')).json().code, 'http.not-found');
  assert.equal((await app.inject('/v1/epochs/0/proof')).json().code, 'http.bad-request');
});

test('a node that was founded later says so, instead of saying that there is nothing', async () => {
  const { app } = await createApp(createFakeEdge({ heldFromHeight: 5, blocks: new Map() }));
  const id = '00'.repeat(32);
  for (const url of ['/v1/blocks/4', '/v1/checkpoints/4', `/v1/transactions/${id}`]) {
    const answer = await app.inject(url);
    assert.deepEqual([answer.statusCode, answer.json().code], [404, 'history.not-held'], url);
    assert.match(answer.json().detail, /block 5 on: ask another node/);
    assert.equal(answer.json().heldFrom, 5, 'for programs');
  }
  const epochs = (await app.inject('/v1/epochs')).json();
  assert.equal(epochs.heldFrom, 5);
  assert.equal((await app.inject('/v1/blocks/5')).json().code, 'http.not-found');
});

test('every failure is problem details with a code of the catalogue', async () => {
  const { app } = await createApp(createFakeEdge());
  const cases: [string, number, string][] = [
    ['/nowhere', 404, 'http.not-found'],
    ['/v1/blocks/99', 404, 'http.not-found'],
    ['/v1/blocks/-1', 400, 'http.bad-request'],
    ['/v1/blocks/1.5', 400, 'http.bad-request'],
    ['/v1/blocks/99999999999999999999', 400, 'http.bad-request'],
    ['/v1/blocks/1?transactions=maybe', 400, 'http.bad-request'],
    ['/v1/checkpoints/99', 404, 'http.not-found'],
    ['/v1/accounts/nobody', 404, 'http.not-found'],
    ['/v1/accounts/a/b/c', 404, 'http.not-found'],
    ['/v1/accounts?cursor=bad', 400, 'http.bad-cursor'],
    ['/v1/devices/..%2F..%2Fetc', 400, 'http.bad-request'],
    ['/v1/devices/acme/%00', 400, 'http.bad-request'],
    ['/v1/devices/%ff', 400, 'http.bad-request'],
    [`/v1/devices/${'a'.repeat(5_000)}`, 400, 'http.bad-request'],
  ];
  for (const [url, status, code] of cases) {
    const answer = await app.inject(url);
    assert.equal(answer.statusCode, status, `${url}: ${answer.body}`);
    const problem = answer.json();
    assert.ok(Check(problemSchema, problem), `${url}: ${JSON.stringify(Errors(problemSchema, problem))}`);
    assert.equal(problem.code, code, url);
    assert.ok(problem.code in nodeErrors);
    assert.ok(answer.body.length < 2_000);
    assert.equal(answer.headers['x-content-type-options'], 'nosniff', url);
  }
});

test('a failure of the node itself is told without its inner workings, and logged with them', async () => {
  const logged: unknown[] = [];
  const log = { error: (event: string, fields: unknown) => void logged.push(event, fields) };
  const edge = createFakeEdge({ validators: () => Promise.reject(new Error('no such table: secret_table')) });
  const { app } = await createApp(edge, { log: log as never });
  const answer = await app.inject('/v1/validators');
  assert.equal(answer.statusCode, 500);
  assert.equal(answer.json().code, 'node.internal');
  assert.ok(!/secret_table|\.ts|at /.test(answer.json().detail));
  assert.equal(logged[0], 'http.failed');
  assert.match(String((logged[1] as { error: Error }).error), /secret_table/);
});

test('the node is ready only when active and in sync, and says why not', async () => {
  let status = readyStatus;
  const { app } = await createApp(createFakeEdge({ status: () => status }));
  assert.equal((await app.inject('/readyz')).statusCode, 200);
  for (const [change, code] of [
    [{ inSync: false }, 'node.syncing'],
    [{ mode: 'syncing' }, 'node.syncing'],
    [{ mode: 'observing' }, 'node.syncing'],
    [{ mode: 'starting' }, 'node.starting'],
    [{ mode: 'fenced' }, 'node.fenced'],
    [{ mode: 'stopping' }, 'node.stopping'],
  ] as const) {
    status = { ...readyStatus, ...change };
    const answer = await app.inject('/readyz');
    assert.equal(answer.statusCode, 503);
    assert.equal(answer.json().code, code);
    assert.equal((await app.inject('/healthz')).statusCode, 200);
  }
});

test('requests are counted by route, never by the path that was asked for', async () => {
  const { app, samples } = await createApp(createFakeEdge());
  for (const url of ['/v1/blocks/1', '/v1/blocks/2', '/v1/blocks/99', '/x', '/y']) await app.inject(url);
  const counted = samples().http_requests_total;
  assert.deepEqual(counted, [
    { labels: { method: 'GET', route: '/v1/blocks/:height', status: '200' }, value: 2 },
    { labels: { method: 'GET', route: '/v1/blocks/:height', status: '404' }, value: 1 },
    { labels: { method: 'GET', route: 'none', status: '404' }, value: 2 },
  ]);
});

test('the status page is whole in itself, and what members call themselves cannot break it', async () => {
  const { app } = await createApp(createFakeEdge());
  const answer = await app.inject('/');
  assert.match(String(answer.headers['content-type']), /^text\/html/);
  const policy = String(answer.headers['content-security-policy']);
  assert.match(
    policy,
    /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
  );
  assert.ok(!/<script|https?:|style=|src=/.test(answer.body));
  assert.ok(answer.body.includes('node-&lt;4&gt;'));
  assert.ok(answer.body.includes('3 of 4; 3 are needed'));
  assert.ok(!answer.body.includes('held from'));
  const later = await createApp(createFakeEdge({ heldFromHeight: 41 }));
  assert.ok((await later.app.inject('/')).body.includes('held from block 41 on, the rest is being fetched'));
});
