/**
 * Server-sent events: blocks, the verdicts of their transactions, news of the ledger, of this node, and status. The id of an
 * event is its place in the chain: `height` for a block, `height.position` for a transaction in it, `height.e0` and on for what
 * the ledger tells of that block, `height.all` after all of it. So it means the same on every node, and a subscriber goes on
 * where it was after a restart, or at another node. It never sees an event twice, nor misses one.
 *
 * News of this node itself (its mode, attacks that it noticed) have no place in the chain. Who asks for them gets ids with
 * an addition, `@<start of the node>.<number>`: at this node they are taken up from there, at another the addition says nothing.
 *
 * Each subscriber is a pump that reads blocks in order: from a ring of those read lately, or from the port. Nothing is queued for it: a slow subscriber is merely late, and one that reads nothing runs into the
 * server's idle time-out. Status has no id; only the latest is sent.
 */
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { App, HttpContext } from './app.ts';
import type { BlockView, EdgePort, NodeStatus } from './edge-port.ts';
import { type LocalNews, localKinds, newsKinds } from './news.ts';
import { problemOf, sendProblem } from './problem.ts';
import { eventsQuery } from './schemas.ts';
import { blockJson, hexOf, isoOf, statusJson } from './views.ts';

const RING_BLOCKS_MAX = 256;
const RING_TRANSACTIONS_MAX = 50_000;
const LOCAL_NEWS_MAX = 256;
const KEEP_ALIVE_MS = 15_000;

/** Positions of the ledger's news stand above those of all transactions that a block can have. */
const NEWS_POSITION = 1_000_000_000;

/** The last event seen: a block (position -1), one of its transactions, one of its news, or all of it (infinity). */
export type EventPlace = {
  readonly height: number;
  readonly position: number;
  /** The last news of a node itself that was seen; null where none were asked for. */
  readonly local: { readonly start: string; readonly number: number } | null;
};

export type EventHub = {
  readonly count: number;
  /** Starts sending to a response that has its head; resolves when the subscriber has gone. */
  subscribe(response: ServerResponse, types: ReadonlySet<string>, after: EventPlace | null): Promise<void>;
  close(): void;
};

type Subscriber = { wake: () => void; readonly response: ServerResponse };

export function createEventHub(port: EdgePort): EventHub {
  const ring = new Map<number, BlockView>();
  const subscribers = new Set<Subscriber>();
  let ringTransactions = 0;
  let tip = port.status().executedHeight;
  let status: NodeStatus | null = null;
  let statusNumber = 0;
  const start = randomBytes(4).toString('hex');
  const localRing: { readonly number: number; readonly news: LocalNews }[] = [];
  let localNumber = 0;

  const unsubscribe = port.onEvent((event) => {
    switch (event.type) {
      case 'block':
        tip = Math.max(tip, event.height);
        break;
      case 'status':
        status = event.status;
        statusNumber++;
        break;
      case 'local':
        localNumber++;
        localRing.push({ number: localNumber, news: event.news });
        if (localRing.length > LOCAL_NEWS_MAX) localRing.shift();
        break;
    }
    for (const subscriber of subscribers) subscriber.wake();
  });

  /** A block with its transactions: read once for all subscribers, and only while there are any. */
  async function blockAt(height: number): Promise<BlockView | null> {
    const known = ring.get(height);
    if (known !== undefined) return known;
    const block = await port.block(height, true);
    if (block !== null) keep(block);
    return block;
  }

  function keep(block: BlockView): void {
    if (ring.has(block.height)) return;
    ring.set(block.height, block);
    ringTransactions += block.transactionCount;
    while (ring.size > RING_BLOCKS_MAX || (ringTransactions > RING_TRANSACTIONS_MAX && ring.size > 1)) {
      const [oldest] = ring.values();
      ring.delete(oldest!.height);
      ringTransactions -= oldest!.transactionCount;
    }
  }

  async function pump(subscriber: Subscriber, types: ReadonlySet<string>, after: EventPlace): Promise<void> {
    const { response } = subscriber;
    const wantsLocal = localKinds.some((kind) => types.has(kind));
    let { height, position } = after;
    let sentStatus = 0;
    // Who was at another start of this node, or at another node, has seen nothing since this start.
    let sentLocal = after.local === null ? localNumber : after.local.start === start ? after.local.number : 0;
    const suffix = (): string => (wantsLocal ? `@${start}.${sentLocal}` : '');
    while (!response.destroyed && !response.writableEnded) {
      const woken = new Promise<void>((resolve) => {
        subscriber.wake = resolve;
      });
      const local = wantsLocal ? localRing.find(({ number }) => number > sentLocal) : undefined;
      if (types.has('status') && status !== null && sentStatus !== statusNumber) {
        sentStatus = statusNumber;
        await write(response, `event: status\ndata: ${JSON.stringify(statusJson(status))}\n\n`);
      } else if (position !== Number.POSITIVE_INFINITY && height <= tip) {
        // The rest of a block that was left in the middle.
        await sendBlock(response, types, { height, position }, suffix());
        position = Number.POSITIVE_INFINITY;
      } else if (local !== undefined) {
        sentLocal = local.number;
        if (types.has(local.news.kind)) await write(response, localText(local.news, `${height}.all${suffix()}`));
      } else if (height < tip) {
        height = await nextHeight(types, height);
        await sendBlock(response, types, { height, position: -2 }, suffix());
      } else {
        await woken;
      }
    }
  }

  /** The next height to look at: every one for who wants blocks, else only those that have news. */
  async function nextHeight(types: ReadonlySet<string>, height: number): Promise<number> {
    if (types.has('block') || types.has('transaction')) return height + 1;
    const next = newsKinds.some((kind) => types.has(kind)) ? await port.nextNews(height) : null;
    return Math.min(next ?? tip, tip);
  }

  /** Sends what of a block comes after `position`; -2 is before the block itself. */
  async function sendBlock(
    response: ServerResponse,
    types: ReadonlySet<string>,
    { height, position }: { readonly height: number; readonly position: number },
    suffix: string,
  ): Promise<void> {
    const news = newsKinds.some((kind) => types.has(kind)) ? await port.news(height) : [];
    const wantsBlock = types.has('block') || types.has('transaction');
    const block = wantsBlock ? await (types.has('transaction') ? blockAt(height) : shortBlockAt(height)) : null;
    const isLacking = (wantsBlock && block === null) || news === null;
    if (isLacking) await write(response, `event: gap\ndata: {"height":${height}}\n\n`);
    if (block !== null && types.has('block') && position < -1) {
      const json = JSON.stringify(blockJson({ ...block, transactions: null }));
      await write(response, `id: ${height}${suffix}\nevent: block\ndata: ${json}\n\n`);
    }
    if (block !== null && types.has('transaction')) {
      const count = block.transactions?.length ?? 0;
      for (let first = Math.max(0, position + 1); first < count; first += 100) {
        await write(response, transactionEvents(block, first, Math.min(first + 100, count), suffix));
      }
    }
    for (const [number, { kind, data }] of (news ?? []).entries()) {
      if (NEWS_POSITION + number <= position || !types.has(kind)) continue;
      const json = JSON.stringify({ height, ...data });
      await write(response, `id: ${height}.e${number}${suffix}\nevent: ${kind}\ndata: ${json}\n\n`);
    }
  }

  function shortBlockAt(height: number): Promise<BlockView | null> {
    const known = ring.get(height);
    return known === undefined ? port.block(height, false) : Promise.resolve(known);
  }

  const keepAlive = setInterval(() => {
    for (const { response } of subscribers) if (response.writableLength === 0) response.write(':\n\n');
  }, KEEP_ALIVE_MS);
  keepAlive.unref();

  return {
    get count() {
      return subscribers.size;
    },
    async subscribe(response, types, after) {
      const subscriber: Subscriber = { wake: () => undefined, response };
      subscribers.add(subscriber);
      response.once('close', () => subscriber.wake());
      try {
        await pump(subscriber, types, after ?? { height: tip, position: Number.POSITIVE_INFINITY, local: null });
      } finally {
        subscribers.delete(subscriber);
      }
    },
    close() {
      unsubscribe();
      clearInterval(keepAlive);
      for (const { response, wake } of subscribers) {
        response.end();
        wake();
      }
    },
  };
}

function transactionEvents(block: BlockView, first: number, end: number, suffix: string): string {
  let text = '';
  for (let position = first; position < end; position++) {
    const { id, code, leafIndex } = block.transactions![position]!;
    const leaf = leafIndex === null ? '' : `,"leafIndex":${leafIndex}`;
    const data = `{"id":"${hexOf(id)}","code":${JSON.stringify(code)},"height":${block.height},"position":${position}${leaf}}`;
    text += `id: ${block.height}.${position}${suffix}\nevent: transaction\ndata: ${data}\n\n`;
  }
  return text;
}

/** Writes, and waits until the subscriber has room for more, or is gone. */
async function write(response: ServerResponse, text: string): Promise<void> {
  if (response.destroyed || response.writableEnded || response.write(text)) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.removeListener('drain', done);
      response.removeListener('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}

function localText({ kind, timeMs, data }: LocalNews, id: string): string {
  return `id: ${id}\nevent: ${kind}\ndata: ${JSON.stringify({ time: isoOf(timeMs), ...data })}\n\n`;
}

/** The id of an event, as the head of this file has it; null for anything else. */
export function parsePlace(text: string): EventPlace | null {
  const found = /^(\d{1,15})(?:\.(?:(\d{1,9})|e(\d{1,6})|(all)))?(?:@([0-9a-f]{8})\.(\d{1,12}))?$/.exec(text);
  if (found === null) return null;
  const [, height, transaction, news, all, start, number] = found;
  let position = -1;
  if (transaction !== undefined) position = Number(transaction);
  if (news !== undefined) position = NEWS_POSITION + Number(news);
  if (all !== undefined) position = Number.POSITIVE_INFINITY;
  return { height: Number(height), position, local: start === undefined ? null : { start, number: Number(number) } };
}

export function addEventRoutes(app: App, { limits, hub, log }: HttpContext): void {
  const perClient = new Map<string, number>();

  app.get(
    '/v1/events',
    {
      schema: {
        tags: ['events'],
        operationId: 'subscribe',
        summary: 'Server-sent events: blocks, verdicts, news of the ledger and of this node, status',
        description:
          'Starts with the next block, or after `Last-Event-ID` (or `after`). Ids mean the same on every node. The event `gap` names a height that ' +
          'this node no longer has. `node-mode` and `attack` are of this node alone.',
        querystring: eventsQuery,
        response: { 200: { description: 'A stream', content: { 'text/event-stream': { schema: {} } } } },
      },
      config: { roles: ['read'] },
    },
    (request, reply) => {
      const { client } = request;
      const open = perClient.get(client) ?? 0;
      if (hub.count >= limits.subscribersMax || open >= limits.subscribersPerClientMax) {
        const problem = problemOf('http.too-many-subscribers', `${open} streams of yours are open`, {
          retryAfterMs: 10_000,
        });
        return sendProblem(reply, problem);
      }
      const last = request.headers['last-event-id'] ?? request.query.after;
      const after = last === undefined ? null : parsePlace(String(last));
      if (last !== undefined && after === null) {
        return sendProblem(
          reply,
          problemOf('http.bad-request', `"${String(last).slice(0, 40)}" is not the id of an event`),
        );
      }
      const types = new Set((request.query.types ?? 'block,status').split(','));
      perClient.set(client, open + 1);
      reply.hijack();
      reply.raw.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'x-accel-buffering': 'no',
      });
      reply.raw.write('retry: 2000\n\n');
      hub
        .subscribe(reply.raw, types, after)
        .catch((error: unknown) => log.error('http.events-failed', { error }))
        .finally(() => {
          const left = (perClient.get(client) ?? 1) - 1;
          if (left === 0) perClient.delete(client);
          else perClient.set(client, left);
          reply.raw.end();
        });
      return reply;
    },
  );
}
