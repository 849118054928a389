import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createEventParser, eventBytesMax, followEvents, type NewsItem, type StreamNote } from './event-stream.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const stream =
  'retry: 2000\n\n:\n\nid: 8\nevent: block\ndata: {"height":8}\n\nevent: status\r\ndata: {"mode":\r\ndata: "active"}\r\n\r\n' +
  'id: 8.0\revent: transaction\rdata:{"code":"ok"}\r\rdata: not json\n\ndata: "é"\n\n';
const items: NewsItem[] = [
  { id: '8', event: 'block', data: { height: 8 } },
  { id: null, event: 'status', data: { mode: 'active' } },
  { id: '8.0', event: 'transaction', data: { code: 'ok' } },
  { id: null, event: 'message', data: 'é' },
];

test('events are read however the stream is cut', () => {
  assert.deepEqual(createEventParser().push(bytes(stream)), items);
  const whole = bytes(stream);
  for (const size of [1, 2, 3, 7, 20]) {
    const parser = createEventParser();
    const found: NewsItem[] = [];
    for (let at = 0; at < whole.length; at += size) found.push(...parser.push(whole.subarray(at, at + size)));
    assert.deepEqual(found, items, `in pieces of ${size}`);
  }
});

test('an event without an end, or too large, takes no memory without bounds', () => {
  const parser = createEventParser();
  assert.throws(() => {
    for (let i = 0; i < eventBytesMax / 1000 + 2; i++) parser.push(bytes('x'.repeat(1000)));
  }, /more than/);
  const lines = createEventParser();
  assert.throws(() => {
    for (let i = 0; i < eventBytesMax / 1000 + 2; i++) lines.push(bytes(`data: ${'x'.repeat(1000)}\n`));
  }, /more than/);
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

async function serve(context: TestContext, handler: Handler): Promise<string> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const block = (height: number): string => `id: ${height}\nevent: block\ndata: {"height":${height}}\n\n`;

test('a broken stream is taken up after the last event, at the next node too', { timeout: 30_000 }, async (context) => {
  const asked: string[] = [];
  const tell =
    (name: string, text: string): Handler =>
    (request, response) => {
      asked.push(`${name} ${request.headers['last-event-id'] ?? '-'} ${request.url}`);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(text, () => response.destroy());
    };
  const first = await serve(context, tell('first', block(1) + block(2)));
  const second = await serve(context, tell('second', block(3)));
  const stop = new AbortController();
  const notes: StreamNote['type'][] = [];
  const seen: unknown[] = [];
  const followed = followEvents({
    nodes: [first, second],
    types: ['block', 'suspended'],
    after: '0',
    signal: stop.signal,
    onNote: ({ type }) => notes.push(type),
  });
  for await (const item of followed) {
    assert.ok(item.ok);
    seen.push(item.value.id);
    if (seen.length === 3) stop.abort();
  }
  assert.deepEqual(seen, ['1', '2', '3']);
  assert.deepEqual(asked, ['first 0 /v1/events?types=block,suspended', 'second 2 /v1/events?types=block,suspended']);
  assert.deepEqual(notes.slice(0, 3), ['connected', 'lost', 'connected']);
});

test('a busy node is asked again, a refusal ends it with the code', { timeout: 30_000 }, async (context) => {
  let requests = 0;
  const url = await serve(context, (_request, response) => {
    requests++;
    const [status, code] = requests === 1 ? [429, 'http.too-many-subscribers'] : [403, 'http.forbidden'];
    response.writeHead(status as number).end(JSON.stringify({ code, detail: 'no' }));
  });
  const seen: unknown[] = [];
  for await (const item of followEvents({ nodes: [url] })) seen.push(item.ok ? item.value : item.error.code);
  assert.deepEqual([seen, requests], [['http.forbidden'], 2]);
});

test('without a node there is nothing to follow', async () => {
  const seen: unknown[] = [];
  for await (const item of followEvents({ nodes: [] })) seen.push(item.ok ? item.value : item.error.code);
  assert.deepEqual(seen, ['client.no-nodes']);
});
