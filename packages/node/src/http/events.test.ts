import { strict as assert } from 'node:assert';
import { type TestContext, test } from 'node:test';
import { blockAt, createFakeEdge, type FakeEdge, readyStatus } from './fake-edge.ts';
import type { HttpLimits } from './limits.ts';
import type { News } from './news.ts';
import { startHttpServer } from './server.ts';

type Event = { id: string | undefined; event: string; data: Record<string, unknown> };

async function serve(context: TestContext, edge: FakeEdge, limits: Partial<HttpLimits> = {}) {
  const server = await startHttpServer({ host: '127.0.0.1', port: 0 }, edge, { limits });
  assert.ok(server.ok);
  context.after(() => server.value.stop());
  return server.value;
}

/** Subscribes, and gives the events one by one. */
async function subscribe(url: string, query = '', headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/v1/events${query}`, { headers });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  async function take(): Promise<Event> {
    for (;;) {
      const end = text.indexOf('\n\n');
      if (end >= 0) {
        const fields = new Map(
          text
            .slice(0, end)
            .split('\n')
            .map((line) => line.split(/: ?(.*)/, 2) as [string, string]),
        );
        text = text.slice(end + 2);
        const data = fields.get('data');
        if (data === undefined) continue;
        return { id: fields.get('id'), event: fields.get('event') ?? '', data: JSON.parse(data) };
      }
      const { value, done } = await reader.read();
      if (done) throw new Error('the stream ended');
      text += value;
    }
  }
  const takeIds = async (count: number): Promise<(string | undefined)[]> => {
    const ids: (string | undefined)[] = [];
    for (let i = 0; i < count; i++) ids.push((await take()).id);
    return ids;
  };
  return { take, takeIds, close: () => reader.cancel() };
}

const grow = (edge: FakeEdge, height: number, transactionCount = 1) => {
  const block = blockAt(height, transactionCount);
  edge.blocks.set(height, block);
  edge.emit({ type: 'block', height: block.height });
};

test('a new subscriber is told of the next block and of changes of status', async (context) => {
  const edge = createFakeEdge();
  const { url } = await serve(context, edge);
  const stream = await subscribe(url);
  grow(edge, 8);
  edge.emit({ type: 'status', status: { ...readyStatus, view: 99 } });
  const events = [await stream.take(), await stream.take()].sort((a, b) => a.event.localeCompare(b.event));
  assert.equal(events[0]!.id, '8');
  assert.equal(events[0]!.data.height, 8);
  assert.equal(events[0]!.data.transactions, undefined);
  assert.equal(events[1]!.event, 'status');
  assert.equal(events[1]!.id, undefined);
  assert.equal(events[1]!.data.view, 99);
  await stream.close();
});

test('a subscriber goes on after the last event it saw, through the chain into what is new', async (context) => {
  const edge = createFakeEdge();
  for (let height = 1; height <= 7; height++) edge.blocks.set(height, blockAt(height, 3));
  const { url } = await serve(context, edge);
  const stream = await subscribe(url, '?types=block,transaction', { 'last-event-id': '5.0' });
  grow(edge, 8, 2);
  assert.deepEqual(await stream.takeIds(13), [
    '5.1',
    '5.2',
    '6',
    '6.0',
    '6.1',
    '6.2',
    '7',
    '7.0',
    '7.1',
    '7.2',
    '8',
    '8.0',
    '8.1',
  ]);
  await stream.close();
  const verdicts = await subscribe(url, '?types=transaction&after=8');
  assert.deepEqual((await verdicts.take()).data, {
    id: '50'.repeat(32),
    code: 'ok',
    height: 8,
    position: 0,
    leafIndex: 8,
  });
  assert.equal((await verdicts.take()).data.code, 'tx.replayed');
  await verdicts.close();
});

test('a subscriber ahead of this node waits until the node is there, and sees nothing twice', async (context) => {
  const edge = createFakeEdge();
  const { url } = await serve(context, edge);
  const stream = await subscribe(url, '?types=block', { 'last-event-id': '9' });
  for (const height of [8, 9, 10, 11]) grow(edge, height);
  assert.deepEqual(await stream.takeIds(2), ['10', '11']);
  await stream.close();
});

test('scenario 25: over a partition, from node to node and back, a subscriber loses, repeats and rewinds nothing', async (context) => {
  const [cutOff, other] = [createFakeEdge(), createFakeEdge()];
  const urls = [(await serve(context, cutOff)).url, (await serve(context, other)).url] as const;
  const seen: string[] = [];
  const follow = async (url: string, count: number) => {
    const headers: Record<string, string> = seen.length === 0 ? {} : { 'last-event-id': seen.at(-1)! };
    const stream = await subscribe(url, '?types=block,transaction', headers);
    return async () => {
      for (const id of await stream.takeIds(count)) seen.push(id!);
      await stream.close();
    };
  };
  const first = await follow(urls[0], 6);
  for (const height of [8, 9]) grow(cutOff, height, 3);
  // Its node has block 9 and is cut off; the subscriber has seen one transaction of it when the connection breaks.
  await first();
  assert.deepEqual(seen, ['8', '8.0', '8.1', '8.2', '9', '9.0']);
  // The other node is behind: it must not begin again with what it executes only now.
  const second = await follow(urls[1], 5);
  for (const height of [8, 9, 10]) grow(other, height, 3);
  await second();
  // The first node is back with the others, and has more than was seen.
  for (const height of [10, 11]) grow(cutOff, height, 3);
  await (await follow(urls[0], 5))();
  const expected = [8, 9, 10, 11].flatMap((height) => [`${height}`, ...[0, 1, 2].map((i) => `${height}.${i}`)]);
  assert.deepEqual(seen, expected);
});

const news: readonly News[] = [
  { kind: 'proposal-closed', data: { proposal: 'ab', outcome: 'passed' } },
  { kind: 'suspended', data: { validator: 'node-4', cause: 'attested' } },
  { kind: 'epoch-began', data: { epoch: 2 } },
];

test('news of the ledger come after their block, only those asked for, and are taken up in the middle', async (context) => {
  const edge = createFakeEdge();
  edge.newsOf.set(8, news);
  const { url } = await serve(context, edge);
  const all = await subscribe(url, '?types=transaction,proposal-closed,suspended,epoch-began');
  grow(edge, 8, 2);
  grow(edge, 9);
  assert.deepEqual(await all.takeIds(6), ['8.0', '8.1', '8.e0', '8.e1', '8.e2', '9.0']);
  await all.close();
  const some = await subscribe(url, '?types=suspended,epoch-began', { 'last-event-id': '8.e0' });
  const suspended = await some.take();
  assert.deepEqual(
    [suspended.id, suspended.event, suspended.data],
    ['8.e1', 'suspended', { height: 8, validator: 'node-4', cause: 'attested' }],
  );
  assert.equal((await some.take()).id, '8.e2');
  await some.close();
  const later = await subscribe(url, '?types=suspended,block', { 'last-event-id': '8.all' });
  assert.equal((await later.take()).id, '9');
  await later.close();
});

test('who wants news alone is not taken through all the blocks without any', async (context) => {
  const edge = createFakeEdge();
  edge.newsOf.set(5_000_000, news);
  const asked: number[] = [];
  const { news: read } = edge;
  edge.news = (height) => {
    asked.push(height);
    return read(height);
  };
  const { url } = await serve(context, edge);
  const stream = await subscribe(url, '?types=suspended,attack', { 'last-event-id': '3' });
  grow(edge, 5_000_000);
  assert.match((await stream.take()).id!, /^5000000\.e1@/);
  assert.ok(asked.length < 5, `${asked.length} heights were read`);
  await stream.close();
});

const attack = (edge: FakeEdge, peer: string): void =>
  edge.emit({ type: 'local', news: { kind: 'attack', timeMs: 0, data: { peer } } });

test('news of the node itself are taken up at this node, and add nothing to the place at another', async (context) => {
  const [edge, other] = [createFakeEdge(), createFakeEdge()];
  const { url } = await serve(context, edge);
  attack(edge, 'before');
  const stream = await subscribe(url, '?types=block,attack');
  attack(edge, 'a');
  const first = await stream.take();
  assert.deepEqual([first.event, first.data], ['attack', { time: '1970-01-01T00:00:00.000Z', peer: 'a' }]);
  assert.match(first.id!, /^7\.all@[0-9a-f]{8}\.2$/);
  grow(edge, 8);
  const second = await stream.take();
  assert.match(second.id!, /^8@[0-9a-f]{8}\.2$/);
  await stream.close();
  // While nobody listens.
  attack(edge, 'b');
  edge.emit({ type: 'local', news: { kind: 'node-mode', timeMs: 0, data: {} } });
  grow(edge, 9);
  const again = await subscribe(url, '?types=block,attack', { 'last-event-id': second.id! });
  assert.deepEqual([(await again.take()).data.peer, (await again.take()).data.height], ['b', 9]);
  await again.close();

  const elsewhere = await serve(context, other);
  attack(other, 'c');
  for (const height of [8, 9]) grow(other, height);
  const moved = await subscribe(elsewhere.url, '?types=block,attack', { 'last-event-id': second.id! });
  assert.deepEqual([(await moved.take()).data.peer, (await moved.take()).data.height], ['c', 9]);
  await moved.close();
});

test('a height that is gone is told as a gap', async (context) => {
  const edge = createFakeEdge();
  edge.blocks.delete(6);
  const { url } = await serve(context, edge);
  const stream = await subscribe(url, '?types=block&after=5');
  const gap = await stream.take();
  assert.deepEqual([gap.event, gap.data], ['gap', { height: 6 }]);
  assert.equal((await stream.take()).id, '7');
  await stream.close();
});

test('a slow subscriber is late, and costs no memory; the others are not held up', async (context) => {
  const edge = createFakeEdge();
  const { url } = await serve(context, edge);
  const slow = await subscribe(url, '?types=block,transaction');
  const quick = await subscribe(url, '?types=block');
  const asked = new Set<number>();
  const { block } = edge;
  edge.block = (height, withTransactions) => {
    if (withTransactions) asked.add(height);
    return block(height, withTransactions);
  };
  for (let height = 8; height < 408; height++) grow(edge, height, 200);
  assert.equal((await quick.takeIds(400)).at(-1), '407');
  assert.ok(asked.size < 300, 'the slow one has not been sent everything');
  assert.equal((await slow.takeIds(400 * 201)).at(-1), '407.199');
  await Promise.all([slow.close(), quick.close()]);
});

test('streams are limited, for each client and in all, and free their place when closed', async (context) => {
  const edge = createFakeEdge();
  const server = await serve(context, edge, { subscribersMax: 3, subscribersPerClientMax: 2 });
  const first = await subscribe(server.url);
  const second = await subscribe(server.url);
  const refused = await fetch(`${server.url}/v1/events`);
  assert.equal(refused.status, 429);
  assert.equal(((await refused.json()) as { code: string }).code, 'http.too-many-subscribers');
  await first.close();
  while (server.samples().http_subscribers !== 1) await new Promise((resolve) => setTimeout(resolve, 5));
  const third = await subscribe(server.url);
  await Promise.all([second.close(), third.close()]);
});

test('an id that is not one of ours is refused', async (context) => {
  const { url } = await serve(context, createFakeEdge());
  for (const last of ['x', '1.2.3', '-1', '1e3', '1.e', '1.x', '1.all.2', '1@x.1', '1@0011aabb', '1@0011aabb.x']) {
    assert.equal((await fetch(`${url}/v1/events`, { headers: { 'last-event-id': last } })).status, 400);
  }
  assert.equal((await fetch(`${url}/v1/events?types=gossip`)).status, 400);
});

test('stopping the server ends the streams', async () => {
  const edge = createFakeEdge();
  const server = await startHttpServer({ host: '127.0.0.1', port: 0 }, edge);
  assert.ok(server.ok);
  const stream = await subscribe(server.value.url);
  await server.value.stop();
  await assert.rejects(stream.take());
});
