import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { after, afterEach, test } from 'node:test';
import { createClient, groupsToSubmit } from './client.ts';
import { answerBytesMax } from './http.ts';
import { createKey, createSigner } from './key.ts';
import { createFakeNetwork, sendJson, sendProblem, startFakeNode } from './testing/fake-network.ts';
import { signTransaction } from './transaction.ts';

const network = createFakeNetwork();
const nodes = await Promise.all([startFakeNode(network), startFakeNode(network)]);
const [first, second] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
after(() => Promise.all(nodes.map((node) => node.close())));
afterEach(() => {
  for (const node of nodes) {
    node.misbehave = null;
    node.requests.length = 0;
  }
});

const signer = createSigner(createKey());
let counter = 0n;
function reading(): Uint8Array {
  counter++;
  const signed = signTransaction(
    {
      ledgerHash: network.ledgerHash,
      counter,
      readings: [{ name: 't', time: '1700000000', value: { type: 'number', text: '1.50' } }],
    },
    signer,
  );
  assert.ok(signed.ok);
  return signed.value;
}

const urls = nodes.map((node) => node.url);
const client = createClient({ nodes: urls, anchor: network.anchor, timeoutMs: 5_000 });

test('delivering a transaction ends with its verified receipt', async () => {
  const transaction = reading();
  const delivered = await client.deliver(transaction);
  assert.ok(delivered.ok, delivered.ok ? '' : delivered.error.message);
  assert.deepEqual(delivered.value.transaction, transaction);
  assert.equal(delivered.value.verified.id, delivered.value.id);
  assert.deepEqual(delivered.value.verified.signers, ['node-1', 'node-2', 'node-3']);
});

test('a node that cannot be reached, is busy or is catching up is passed over', async () => {
  const dead = createClient({ nodes: ['http://127.0.0.1:1', second.url], anchor: network.anchor, timeoutMs: 5_000 });
  assert.ok((await dead.deliver(reading())).ok);
  for (const [status, code] of [
    [429, 'node.busy'],
    [503, 'node.syncing'],
    [500, 'node.internal'],
  ] as const) {
    first.misbehave = (_, response) => sendProblem(response, status, code);
    const fresh = createClient({ nodes: urls, anchor: network.anchor, timeoutMs: 5_000 });
    assert.ok((await fresh.deliver(reading())).ok, code);
    assert.ok(second.requests.length > 0);
  }
});

test('the same bytes go to the next node when the first took them and never answered', async () => {
  const transaction = reading();
  first.misbehave = (request) => {
    request.socket.destroy();
    return true;
  };
  const fresh = createClient({ nodes: urls, anchor: network.anchor, timeoutMs: 5_000 });
  const delivered = await fresh.deliver(transaction);
  assert.ok(delivered.ok);
  assert.deepEqual(network.accepted.get(delivered.value.id), transaction);
});

test('a busy network is tried again after the time it names', async () => {
  let refusals = 2;
  const busy = (_: unknown, response: ServerResponse) =>
    refusals-- > 0 && sendProblem(response, 429, 'node.busy', { 'retry-after': '1' });
  first.misbehave = busy;
  second.misbehave = busy;
  const startedMs = performance.now();
  assert.ok((await client.submit(reading())).ok);
  assert.ok(performance.now() - startedMs >= 900);
});

test('a rejection is final: its code comes back and no other node is asked', async () => {
  const fresh = createClient({ nodes: urls, anchor: network.anchor, timeoutMs: 5_000 });
  first.misbehave = (_, response) => sendProblem(response, 422, 'tx.unknown-key');
  const delivered = await fresh.deliver(reading());
  assert.deepEqual(!delivered.ok && delivered.error, {
    code: 'tx.unknown-key',
    message: 'The detail of tx.unknown-key. Do this.',
  });
  assert.equal(second.requests.length, 0);
});

test('a pending transaction is handed in again until it is certified', async () => {
  let pending = 2;
  const wait = (request: IncomingMessage, response: ServerResponse) =>
    request.method === 'POST' && pending-- > 0 && sendJson(response, 202, { id: '00'.repeat(32), status: 'pending' });
  first.misbehave = wait;
  second.misbehave = wait;
  assert.ok((await client.deliver(reading(), { timeoutMs: 5_000 })).ok);
  assert.equal(pending, -1);
});

test('what is never certified ends in time, and says that repeating is safe', async () => {
  for (const node of nodes) {
    node.misbehave = (request, response) =>
      request.method === 'POST' && sendJson(response, 202, { id: '00'.repeat(32), status: 'pending' });
  }
  const delivered = await client.deliver(reading(), { timeoutMs: 700 });
  assert.equal(!delivered.ok && delivered.error.code, 'client.timeout');
  assert.match(!delivered.ok ? delivered.error.message : '', /safe/);
});

test('when no node can be reached the answer names the last one', async () => {
  const closed = await startFakeNode(network);
  await closed.close();
  const dead = createClient({ nodes: [closed.url], timeoutMs: 300 });
  const status = await dead.status();
  assert.equal(!status.ok && status.error.code, 'client.unreachable');
  assert.ok(
    !status.ok && status.error.message.includes(`${closed.url} (ECONNREFUSED)`),
    !status.ok ? status.error.message : '',
  );
});

test('an answer that no node gives is an error, not a crash', async () => {
  for (const body of ['<html>', '', '[1,2', 'null']) {
    first.misbehave = (_, response) => sendJson(response, 200, body);
    second.misbehave = first.misbehave;
    const readings = await client.readings('alder/desk');
    assert.equal(!readings.ok && readings.error.code, 'client.bad-answer', body);
  }
});

test('JSON of another shape than asked for is an error, whichever method asked', async () => {
  const transaction = reading();
  const id = '00'.repeat(32);
  for (const answer of ['null', '7', '[null]', '{"status":"rejected","code":{}}', '{"certified":true,"bytes":7}']) {
    first.misbehave = (_, response) => sendJson(response, 200, answer);
    const one = createClient({ nodes: [first.url], anchor: network.anchor, timeoutMs: 5_000 });
    const answers = await Promise.all([
      one.submitMany([transaction]),
      one.deliver(transaction, { timeoutMs: 300 }),
      one.receipt(id),
      one.validators(),
      one.readings('acme/meter'),
    ]);
    for (const each of answers)
      assert.match(each.ok ? 'accepted' : each.error.code, /^(client|tx)\.[a-z-]+$|^accepted$/);
    assert.equal(
      !answers[2].ok && answers[2].error.code,
      answer.includes('rejected') ? 'tx.rejected' : 'client.bad-answer',
    );
  }
});

test('a code that is none, and a message without end, go no further', async () => {
  const alone = createClient({ nodes: [first.url], anchor: network.anchor, timeoutMs: 5_000 });
  for (const code of ['no code', 'tx.\n', 'x'.repeat(65), `tx.${'a'.repeat(80)}`]) {
    first.misbehave = (_, response) =>
      sendJson(response, 200, { status: 'rejected', code, message: 'm'.repeat(10_000) });
    const rejected = await alone.deliver(reading());
    assert.equal(!rejected.ok && rejected.error.code, 'tx.rejected');
    assert.ok(!rejected.ok && rejected.error.message.length < 1_100);
    first.misbehave = (_, response) =>
      sendJson(response, 422, { code: 'tx.expired', detail: 'd'.repeat(10_000), whatToDo: '' });
    const refused = await alone.deliver(reading());
    assert.equal(!refused.ok && refused.error.code, 'tx.expired');
    assert.ok(!refused.ok && refused.error.message.length < 1_100);
  }
});

test('an answer without end is cut off', async () => {
  let given = 0;
  const endless = () =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        given += 1 << 20;
        controller.enqueue(new Uint8Array(1 << 20));
      },
    });
  const alone = createClient({
    nodes: ['http://hostile'],
    timeoutMs: 1,
    fetch: () => Promise.resolve(new Response(endless(), { headers: { 'content-type': 'application/json' } })),
  });
  const answer = await alone.status();
  assert.equal(!answer.ok && answer.error.code, 'client.bad-answer');
  assert.ok(given <= answerBytesMax + (4 << 20), `${given} bytes were taken in`);
});

test('a lying node is found out: receipt of another transaction, too few signatures, changed bytes', async () => {
  const [mine, other] = [reading(), reading()];
  const ids = [network.accept(mine), network.accept(other)];
  const lies: [string, (path: string) => Uint8Array | null, string][] = [
    [
      'other receipt',
      (path) => (path.endsWith('/receipt') ? network.receiptOf(ids[1]!) : null),
      'receipt.not-included',
    ],
    [
      'two signatures',
      (path) => (path.endsWith('/receipt') ? network.receiptOf(ids[0]!, 2) : null),
      'receipt.too-few-signatures',
    ],
    ['no receipt', (path) => (path.endsWith('/receipt') ? new Uint8Array([0x80]) : null), 'receipt.malformed'],
  ];
  for (const [name, lie, code] of lies) {
    first.misbehave = (request, response) => {
      const bytes = lie(request.url!);
      if (bytes !== null) response.writeHead(200, { 'content-type': 'application/cose' }).end(bytes);
      return bytes !== null;
    };
    const alone = createClient({ nodes: [first.url], anchor: network.anchor, timeoutMs: 2_000 });
    const receipt = await alone.receipt(ids[0]!);
    assert.equal(!receipt.ok && receipt.error.code, code, name);
  }
});

test('many transactions go in one request and come back in order', async () => {
  const transactions = Array.from({ length: 30 }, reading);
  const outcomes = await client.submitMany(transactions, 1_000);
  assert.ok(outcomes.ok);
  assert.deepEqual(
    outcomes.value.map(({ status }) => status),
    transactions.map(() => 'accepted'),
  );
  assert.deepEqual(
    outcomes.value.map(({ id }) => id),
    transactions.map((transaction) => network.accept(transaction)),
  );
});

test('groups keep within what one request may carry', () => {
  const small = Array.from({ length: 2_500 }, () => new Uint8Array(100));
  assert.deepEqual(
    groupsToSubmit(small).map((group) => group.length),
    [1_000, 1_000, 500],
  );
  const large = Array.from({ length: 20 }, () => new Uint8Array(65_535));
  assert.deepEqual(
    groupsToSubmit(large).map((group) => group.length),
    [16, 4],
  );
  assert.deepEqual(groupsToSubmit([]), []);
});

test('readings keep their decimals on the way back', async () => {
  const text =
    '{"readings":[{"device":"a/b","name":"t","unit":null,"time":"","seconds":"1.5","value":74.935881999999980,"provenance":"device-signed","transaction":"","height":3}],"next":null}';
  first.misbehave = (_, response) => sendJson(response, 200, text);
  second.misbehave = first.misbehave;
  const page = await client.readings('a/b', { limit: 10, from: '2013-07-04' });
  assert.ok(page.ok);
  assert.deepEqual(page.value.readings[0]?.value, { type: 'number', text: '74.935881999999980' });
  assert.equal(page.value.readings[0]?.height, 3);
});

/** Answers with a page of readings as a node that has all from a height on. */
function holdFrom(heldFrom: number): (_: unknown, response: ServerResponse) => true {
  const page = { readings: [{ height: heldFrom }], next: null, heldFrom };
  return (_, response) => sendJson(response, 200, page, { 'cairn-held-from': String(heldFrom) });
}

test('a page of a node that does not hold the whole history is asked of the others, too', async () => {
  const fresh = () => createClient({ nodes: urls, timeoutMs: 2_000 });
  first.misbehave = holdFrom(41);
  for (const [name, other, heldFrom] of [
    ['one that holds all is believed', holdFrom(0), 0],
    ['one that says nothing of it too', (_: unknown, to: ServerResponse) => sendJson(to, 200, { readings: [] }), 0],
    ['else the one that holds more', holdFrom(12), 12],
    ['whichever was asked first', holdFrom(77), 41],
    ['a refusal is no better', (_: unknown, to: ServerResponse) => sendProblem(to, 404, 'http.not-found'), 41],
    ['nor is a node that is busy', (_: unknown, to: ServerResponse) => sendProblem(to, 503, 'node.syncing'), 41],
  ] as const) {
    second.misbehave = other;
    second.requests.length = 0;
    const startedMs = performance.now();
    const page = await fresh().readings('a/b');
    assert.deepEqual(page.ok && page.value.heldFrom, heldFrom, name);
    assert.equal(second.requests.length, 1, `${name}: it is asked once`);
    assert.ok(performance.now() - startedMs < 1_000, `${name}: nobody is waited for`);
  }
});

test('who has all is asked first from then on; a client of one node takes what that has', async () => {
  first.misbehave = holdFrom(41);
  second.misbehave = holdFrom(0);
  const fresh = createClient({ nodes: urls, timeoutMs: 2_000 });
  for (let i = 0; i < 3; i++) assert.ok((await fresh.readings('a/b')).ok);
  assert.deepEqual([first.requests.length, second.requests.length], [1, 3]);
  const alone = await createClient({ nodes: [first.url], timeoutMs: 2_000 }).readings('a/b');
  assert.equal(alone.ok && alone.value.heldFrom, 41);
});

test('what one node does not hold any more is asked of the others', async () => {
  const id = network.accept(reading());
  const notHeld = (_: unknown, response: ServerResponse) => sendProblem(response, 404, 'history.not-held');
  first.misbehave = notHeld;
  const fresh = createClient({ nodes: urls, anchor: network.anchor, timeoutMs: 2_000 });
  assert.ok((await fresh.transaction(id)).ok);
  const again = createClient({ nodes: urls, anchor: network.anchor, timeoutMs: 2_000 });
  assert.ok((await again.deliver(network.accepted.get(id)!)).ok, 'handed in again, too');
  second.misbehave = notHeld;
  const nowhere = await fresh.transaction(id);
  assert.equal(!nowhere.ok && nowhere.error.code, 'history.not-held');
  second.misbehave = (_, response) => sendProblem(response, 404, 'http.not-found');
  const unknown = await createClient({ nodes: urls, timeoutMs: 2_000 }).transaction(id);
  assert.equal(!unknown.ok && unknown.error.code, 'http.not-found', 'a node that holds all knows that there is none');
});

test('a height that is none is an error in a page, and nothing in a header', async () => {
  const alone = createClient({ nodes: urls, timeoutMs: 2_000 });
  for (const heldFrom of [-1, 1.5, '7', null, 1e300]) {
    const page = { readings: [], next: null, heldFrom };
    first.misbehave = (_, response) => sendJson(response, 200, page, { 'cairn-held-from': String(heldFrom) });
    if (heldFrom === '7') second.misbehave = first.misbehave;
    const answer = await alone.readings('a/b');
    assert.equal(!answer.ok && answer.error.code, 'client.bad-answer', String(heldFrom));
  }
});

test('an aborted delivery ends at once', async () => {
  for (const node of nodes) node.misbehave = () => true;
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 100);
  const startedMs = performance.now();
  const delivered = await client.deliver(reading(), { signal: abort.signal });
  assert.equal(!delivered.ok && delivered.error.code, 'client.aborted');
  assert.ok(performance.now() - startedMs < 2_000);
});
