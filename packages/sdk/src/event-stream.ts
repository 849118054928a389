/**
 * The news of a network as a stream (`GET /v1/events`, server-sent events as in the HTML standard): read piece by piece,
 * taken up again after the last event wherever a connection breaks, at the same node or another. An event with an id is
 * seen once and none is left out; what has no id tells how things are now, and only its latest is of interest.
 */
import { type CairnError, fail, ok, type Result } from '@cairn-ledger/core';
import { type HttpOptions, problemToError, sleep } from './http.ts';

export type NewsItem = {
  /** Place of the event; what to go on after. Null for what has none. */
  readonly id: string | null;
  /** `block`, `status`, `suspended`...; the OpenAPI document lists them. */
  readonly event: string;
  /** As the node sent it: JSON of any shape. */
  readonly data: unknown;
};

/** What happens to the connection itself. */
export type StreamNote =
  | { readonly type: 'connected'; readonly node: string }
  | { readonly type: 'lost'; readonly node: string; readonly error: CairnError };

export type FollowOptions = HttpOptions & {
  /** Kinds of events; absent: what the node tells by default. */
  readonly types?: readonly string[];
  /** Go on after this id; absent: with what happens from now on. */
  readonly after?: string;
  readonly signal?: AbortSignal;
  readonly onNote?: (note: StreamNote) => void;
};

/** Bytes of one event; a node sends far less. */
export const eventBytesMax = 1 << 20;
/** Nodes send a sign of life every 15 s. */
const SILENCE_MS = 45_000;
const PAUSE_MIN_MS = 500;
const PAUSE_MAX_MS = 10_000;

/**
 * Follows the news until the signal. Yields an error, and ends, only where asking again is of no use: a request that is
 * refused (`http.*`), or no node to ask (`client.no-nodes`).
 */
export async function* followEvents(options: FollowOptions): AsyncGenerator<Result<NewsItem, CairnError>> {
  const nodes = options.nodes.map((node) => node.replace(/\/+$/, ''));
  const { signal, onNote } = options;
  const isStopped = (): boolean => signal?.aborted === true;
  if (nodes.length === 0) {
    yield fail({ code: 'client.no-nodes', message: 'no node is given; name at least one base URL' });
    return;
  }
  let after = options.after ?? null;
  let pauseMs = PAUSE_MIN_MS;
  for (let attempt = 0; !isStopped(); attempt++) {
    const node = nodes[attempt % nodes.length]!;
    const silence = createSilenceAlarm(signal);
    const opened = await open(node, options, after, silence);
    if (opened.type === 'refused') {
      yield fail(opened.error);
      return;
    }
    let error: CairnError = { code: 'client.unreachable', message: `${node} ended the stream` };
    if (opened.type === 'failed') error = opened.error;
    else {
      onNote?.({ type: 'connected', node });
      pauseMs = PAUSE_MIN_MS;
      try {
        for await (const item of itemsOf(opened.body, silence)) {
          if (item.id !== null) after = item.id;
          yield ok(item);
        }
      } catch (cause) {
        error = { code: 'client.unreachable', message: `the stream of ${node} broke: ${(cause as Error).message}` };
      }
    }
    silence.end();
    if (isStopped()) return;
    onNote?.({ type: 'lost', node, error });
    await sleep(pauseMs * (0.5 + Math.random() / 2), signal);
    pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS);
  }
}

type Opened =
  | { readonly type: 'open'; readonly body: ReadableStream<Uint8Array> }
  | { readonly type: 'failed'; readonly error: CairnError }
  | { readonly type: 'refused'; readonly error: CairnError };

async function open(
  node: string,
  options: FollowOptions,
  after: string | null,
  silence: SilenceAlarm,
): Promise<Opened> {
  const query = options.types === undefined ? '' : `?types=${options.types.map(encodeURIComponent).join(',')}`;
  try {
    const response = await (options.fetch ?? fetch)(`${node}/v1/events${query}`, {
      headers: {
        accept: 'text/event-stream',
        ...(after !== null && { 'last-event-id': after }),
        ...(options.token !== undefined && { authorization: `Bearer ${options.token}` }),
      },
      signal: silence.signal,
    });
    if (response.ok && response.body !== null) return { type: 'open', body: response.body };
    const error = problemToError(node, response.status, new Uint8Array(await response.arrayBuffer()));
    return { type: response.status === 429 || response.status >= 500 ? 'failed' : 'refused', error };
  } catch (cause) {
    const message = `${node} cannot be reached (${(cause as Error).message})`;
    return { type: 'failed', error: { code: 'client.unreachable', message } };
  }
}

async function* itemsOf(body: ReadableStream<Uint8Array>, silence: SilenceAlarm): AsyncGenerator<NewsItem> {
  const parser = createEventParser();
  const reader = body.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      silence.postpone();
      yield* parser.push(next.value);
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

export type EventParser = {
  /** Takes the next bytes; returns the events that are complete with them. Throws when one is too large. */
  push(bytes: Uint8Array): NewsItem[];
};

/** Reads the lines of a stream, however they were cut. Events whose data is no JSON are left out. */
export function createEventParser(): EventParser {
  const decoder = new TextDecoder();
  let line = '';
  let hasCarriageReturn = false;
  let fields = { id: null as string | null, event: 'message', data: [] as string[] };
  let size = 0;

  function endLine(items: NewsItem[]): void {
    if (line === '') {
      const item = toItem(fields);
      if (item !== null) items.push(item);
      fields = { id: null, event: 'message', data: [] };
      size = 0;
      return;
    }
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'id' && !value.includes('\0')) fields.id = value;
    if (name === 'event') fields.event = value;
    if (name === 'data') fields.data.push(value);
    line = '';
  }

  return {
    push(bytes) {
      const items: NewsItem[] = [];
      for (const part of decoder.decode(bytes, { stream: true }).split(/(\r\n|\r|\n)/)) {
        if (part === '') continue;
        const isBreak = part === '\n' || part === '\r' || part === '\r\n';
        // A break may itself be cut in two.
        const isSecondHalf = hasCarriageReturn && part === '\n';
        hasCarriageReturn = part === '\r';
        if (isSecondHalf) continue;
        if (isBreak) endLine(items);
        else {
          size += part.length;
          if (size > eventBytesMax) throw new Error(`an event has more than ${eventBytesMax} characters`);
          line += part;
        }
      }
      return items;
    },
  };
}

function toItem(fields: { id: string | null; event: string; data: readonly string[] }): NewsItem | null {
  if (fields.data.length === 0) return null;
  try {
    return { id: fields.id, event: fields.event, data: JSON.parse(fields.data.join('\n')) };
  } catch {
    return null;
  }
}

type SilenceAlarm = { readonly signal: AbortSignal; postpone(): void; end(): void };

/** Aborts when nothing has come for a while: a connection may be dead and not know it. */
function createSilenceAlarm(outer: AbortSignal | undefined): SilenceAlarm {
  const controller = new AbortController();
  const abort = (): void => controller.abort(new Error(`nothing came for ${SILENCE_MS / 1000} s`));
  let timer = setTimeout(abort, SILENCE_MS);
  return {
    signal: outer === undefined ? controller.signal : AbortSignal.any([outer, controller.signal]),
    postpone() {
      clearTimeout(timer);
      timer = setTimeout(abort, SILENCE_MS);
    },
    end: () => clearTimeout(timer),
  };
}
