import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { createApp } from './app.ts';
import { bytes32, createFakeEdge, type FakeEdge, idOf, statusOfTransaction } from './fake-edge.ts';
import { waitMsOf } from './transactions.ts';

const COSE = { 'content-type': 'application/cose' };
const SEQUENCE = { 'content-type': 'application/cbor-seq' };
const transaction = Buffer.from('d28443a10101a041014102', 'hex');
const id = idOf(transaction).toString('hex');

async function appOf(change: Partial<FakeEdge> = {}) {
  const edge = createFakeEdge(change);
  const { app } = await createApp(edge);
  const post = (payload: Buffer, headers: Record<string, string> = COSE) =>
    app.inject({ method: 'POST', url: '/v1/transactions', headers, payload });
  const get = (url: string, headers: Record<string, string> = {}) => app.inject({ url, headers });
  return { edge, post, get };
}

test('one transaction is handed to the port as it came, and answered with its id', async () => {
  const { edge, post } = await appOf();
  const answer = await post(transaction, { 'content-type': 'application/cose; cose-type="cose-sign1"' });
  assert.equal(answer.statusCode, 202);
  assert.deepEqual(answer.json(), { id, status: 'pending', certified: false });
  assert.equal(answer.headers.location, `/v1/transactions/${id}`);
  assert.deepEqual(
    edge.submitted.map((bytes) => Buffer.from(bytes)),
    [transaction],
  );
});

test('a transaction sent again is answered with what has become of it', async () => {
  const { edge, post } = await appOf({ outcome: (bytes) => ({ type: 'known', id: idOf(bytes) }) });
  assert.equal((await post(transaction)).statusCode, 202, 'still under way');
  edge.statuses.set(id, statusOfTransaction(idOf(transaction)));
  const certified = await post(transaction);
  assert.equal(certified.statusCode, 200);
  assert.equal(certified.json().height, 7);
  const rejected = { status: 'rejected', code: 'tx.replayed', message: 'used before', certified: false } as const;
  edge.statuses.set(id, statusOfTransaction(idOf(transaction), rejected));
  const refused = await post(transaction);
  assert.equal(refused.statusCode, 409);
  assert.equal(refused.json().code, 'tx.replayed');
  assert.equal(refused.json().transaction, id);
});

test('Prefer: wait is answered with the receipt once certified, as bytes or in JSON', async () => {
  const { edge, post } = await appOf();
  edge.statuses.set(id, statusOfTransaction(idOf(transaction)));
  const receipt = await post(transaction, { ...COSE, prefer: 'wait' });
  assert.equal(receipt.statusCode, 200);
  assert.equal(receipt.headers['content-type'], 'application/cose');
  assert.equal(receipt.headers['preference-applied'], 'wait');
  assert.deepEqual([...receipt.rawPayload], [7, 7, 7]);
  const json = await post(transaction, { ...COSE, prefer: 'respond-async, wait=5', accept: 'application/json' });
  assert.equal(json.json().receipt, 'BwcH');
  assert.equal(json.json().certified, true);
});

test('a wait that runs out is answered as pending; one for a rejected transaction names the verdict', async () => {
  const { edge, post } = await appOf();
  assert.equal((await post(transaction, { ...COSE, prefer: 'wait=1' })).statusCode, 202);
  const status = statusOfTransaction(idOf(transaction), {
    status: 'rejected',
    code: 'asset.insufficient',
    message: 'has 3, needs 5',
  });
  edge.statuses.set(id, status);
  const answer = await post(transaction, { ...COSE, prefer: 'wait=1' });
  assert.equal(answer.statusCode, 409);
  assert.match(String(answer.headers['content-type']), /^application\/problem\+json/);
  assert.equal(answer.json().detail, 'has 3, needs 5');
});

test('more waiting than the limit is answered without waiting', async () => {
  const edge = createFakeEdge();
  const { app } = await createApp(edge, { limits: { waitersMax: 1 } });
  const payload = Buffer.concat([transaction, transaction]);
  const headers = { ...SEQUENCE, prefer: 'wait' };
  const answer = await app.inject({ method: 'POST', url: '/v1/transactions', headers, payload });
  assert.equal(answer.statusCode, 200);
  assert.equal(answer.headers['preference-applied'], undefined);
  assert.equal(edge.asked.waited, 0);
});

test('a busy node is 429 with Retry-After in whole seconds', async () => {
  const error = { code: 'node.busy', message: 'the mempool is full' };
  const { post } = await appOf({ outcome: () => ({ type: 'busy', error, retryAfterMs: 1_200 }) });
  for (const headers of [COSE, SEQUENCE]) {
    const answer = await post(transaction, headers);
    assert.equal(answer.statusCode, 429);
    assert.equal(answer.headers['retry-after'], '2');
    assert.equal(answer.json().code, 'node.busy');
    assert.equal(answer.json().retryAfterSeconds, 2);
  }
});

test('a rejected transaction is a problem with the code of the ledger', async () => {
  const error = { code: 'tx.malformed', message: 'not a COSE_Sign1' };
  const { post } = await appOf({ outcome: () => ({ type: 'rejected', error }) });
  const answer = await post(transaction);
  assert.equal(answer.statusCode, 400);
  assert.equal(answer.json().code, 'tx.malformed');
  assert.equal(answer.json().transaction, undefined);
  assert.equal(answer.json().title, 'The bytes are not a Cairn transaction.');
  assert.match(answer.json().whatToDo, /^Send one COSE_Sign1/);
});

test('a sequence is answered with one outcome each, in order', async () => {
  const parts = [1, 2, 3, 4].map((n) => Buffer.from([0x41, n]));
  const error = { code: 'tx.unknown-key', message: 'no "key"' };
  const { edge, post } = await appOf({
    outcome: (bytes) => {
      if (bytes[1] === 2) return { type: 'rejected', id: bytes32(2), error };
      if (bytes[1] === 3) return { type: 'busy', error: { code: 'node.busy', message: 'full' }, retryAfterMs: 3_000 };
      return { type: 'accepted', id: bytes32(bytes[1]!) };
    },
  });
  const hex = (n: number) => Buffer.from(bytes32(n)).toString('hex');
  const answer = await post(Buffer.concat(parts), SEQUENCE);
  assert.equal(answer.statusCode, 202);
  assert.equal(answer.headers['retry-after'], '3');
  const expected = [
    { id: hex(1), status: 'pending' },
    { id: hex(2), status: 'rejected', code: 'tx.unknown-key', message: 'no "key"' },
    { status: 'busy', code: 'node.busy', message: 'full' },
    { id: hex(4), status: 'pending' },
  ];
  assert.deepEqual(answer.json(), expected);

  edge.statuses.set(
    hex(4),
    statusOfTransaction(bytes32(4), { status: 'rejected', code: 'tx.replayed', message: 'again', certified: false }),
  );
  edge.statuses.set(hex(1), statusOfTransaction(bytes32(1)));
  const waited = await post(Buffer.concat(parts), { ...SEQUENCE, prefer: 'wait' });
  assert.equal(waited.statusCode, 200);
  assert.deepEqual(waited.json()[0], { id: hex(1), status: 'accepted', certified: true, height: 7 });
  assert.equal(waited.json()[3].code, 'tx.replayed');
});

test('a sequence with one bad item is refused whole, and nothing of it is submitted', async () => {
  const { edge, post } = await appOf();
  const cut = await post(Buffer.from('410142', 'hex'), SEQUENCE);
  assert.equal(cut.statusCode, 400);
  assert.match(cut.json().detail, /item 1, at byte 2/);
  const many = await post(Buffer.alloc(1_001, 0x01), SEQUENCE);
  assert.equal(many.json().code, 'http.too-many-transactions');
  const large = Buffer.concat([Buffer.from('5a00010000', 'hex'), Buffer.alloc(65_536)]);
  assert.equal((await post(large, SEQUENCE)).json().code, 'tx.too-large');
  assert.equal((await post(Buffer.alloc(0), SEQUENCE)).statusCode, 400);
  assert.equal(edge.submitted.length, 0);
  assert.equal((await post(Buffer.alloc(1_000, 0x01), SEQUENCE)).json().length, 1_000);
});

test('a body over the limit, of another type or absent is told so', async () => {
  const { edge, post } = await appOf();
  const large = await post(Buffer.alloc(65_536));
  assert.equal(large.statusCode, 413);
  assert.equal(large.json().code, 'http.body-too-large');
  assert.equal((await post(Buffer.alloc(1_048_577), SEQUENCE)).statusCode, 413);
  assert.equal((await post(transaction, { 'content-type': 'application/json' })).statusCode, 415);
  assert.equal((await post(transaction, {})).json().code, 'http.unsupported-media-type');
  assert.equal(edge.submitted.length, 0);
  assert.equal((await post(Buffer.alloc(65_535))).statusCode, 202);
});

test('a transaction is found by its id, as JSON or as the very bytes that were ordered', async () => {
  const { edge, get } = await appOf();
  edge.statuses.set(id, statusOfTransaction(idOf(transaction)));
  const json = await get(`/v1/transactions/${id.toUpperCase()}`);
  const expected = {
    id,
    status: 'accepted',
    certified: true,
    height: 7,
    position: 0,
    leafIndex: 8,
    provenance: 'device-signed',
    bytes: 'AQID',
  };
  assert.deepEqual(json.json(), expected);
  const bytes = await get(`/v1/transactions/${id}`, { accept: 'application/cose' });
  assert.deepEqual([...bytes.rawPayload], [1, 2, 3]);
  assert.equal((await get(`/v1/transactions/${'00'.repeat(32)}`)).statusCode, 404);
  assert.equal((await get('/v1/transactions/xyz')).statusCode, 400);
});

test('a receipt is given once certified; before that, and for a rejected one, the answer says why not', async () => {
  const { edge, get } = await appOf();
  const url = `/v1/transactions/${id}/receipt`;
  assert.equal((await get(url)).statusCode, 404);
  edge.statuses.set(id, statusOfTransaction(idOf(transaction), { certified: false }));
  const early = await get(url);
  assert.equal(early.statusCode, 409);
  assert.equal(early.json().code, 'http.not-certified');
  assert.equal(early.headers['retry-after'], '1');
  edge.statuses.set(
    id,
    statusOfTransaction(idOf(transaction), { status: 'rejected', code: 'tx.expired', certified: false }),
  );
  assert.equal((await get(url)).json().code, 'http.no-receipt');
  edge.statuses.set(id, statusOfTransaction(idOf(transaction)));
  const receipt = await get(url);
  assert.equal(receipt.headers['content-type'], 'application/cose');
  assert.deepEqual([...receipt.rawPayload], [7, 7, 7]);
});

test('a wait is at most as long as the node allows', () => {
  assert.equal(waitMsOf(undefined, 30_000), 0);
  assert.equal(waitMsOf('respond-async', 30_000), 0);
  assert.equal(waitMsOf('waiting', 30_000), 0);
  assert.equal(waitMsOf('wait', 30_000), 30_000);
  assert.equal(waitMsOf('wait=10', 30_000), 10_000);
  assert.equal(waitMsOf('respond-async; foo, wait = "7"', 30_000), 7_000);
  assert.equal(waitMsOf('wait=999999', 30_000), 30_000);
});
