/**
 * Requests to a network: any of its nodes will do. One that cannot be reached, is busy or is catching up is passed over
 * for the next, with growing pauses after each round, until an answer or the deadline. One that does not hold the whole
 * history says so with its answer: each of the others is asked once, and where none has all, the one that holds most is
 * believed. All calls here may safely be made twice, transactions included: the ledger knows them by id.
 */
import { type CairnError, fail, ok, type Result } from '@cairn-ledger/core';
import { isErrorCode, shortened } from './json-answer.ts';

export type HttpOptions = {
  /** Base URLs of nodes, the preferred one first. */
  readonly nodes: readonly string[];
  /** Bearer token; nodes on loopback need none. */
  readonly token?: string;
  /** How long to try in all, in ms. */
  readonly timeoutMs?: number;
  /** For tests, and for applications with a fetch of their own. */
  readonly fetch?: typeof fetch;
};

export type HttpRequest = {
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** How long a node may take on purpose (`Prefer: wait`), in ms. */
  readonly waitMs?: number;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
};

export type HttpAnswer = {
  readonly node: string;
  readonly status: number;
  readonly contentType: string;
  readonly bytes: Uint8Array;
  /** Of lists over the history: the lowest height that the node has all of; 0 where it has all, or says nothing of it. */
  readonly heldFrom: number;
};

export type HttpClient = {
  readonly nodes: readonly string[];
  request(request: HttpRequest): Promise<Result<HttpAnswer, CairnError>>;
};

const TIMEOUT_MS = 30_000;
const ATTEMPT_TIMEOUT_MS = 10_000;
/** Far above any answer of a node; a hostile one could send, or unpack to, anything. */
export const answerBytesMax = 32 << 20;
const PAUSE_MIN_MS = 100;
const PAUSE_MAX_MS = 2_000;

/**
 * Errors of `request`: what the node said, by its own code; `client.unreachable` (no node answered), `client.timeout`
 * (the last one was busy or catching up), `client.aborted`, `client.bad-answer`.
 */
export function createHttpClient(options: HttpOptions): HttpClient {
  const nodes = options.nodes.map((node) => node.replace(/\/+$/, ''));
  const send = options.fetch ?? fetch;
  let preferred = 0;
  return { nodes, request };

  async function request(request: HttpRequest): Promise<Result<HttpAnswer, CairnError>> {
    if (nodes.length === 0)
      return fail({ code: 'client.no-nodes', message: 'no node is given; name at least one base URL' });
    const timeoutMs = request.timeoutMs ?? options.timeoutMs ?? TIMEOUT_MS;
    const deadline = performance.now() + timeoutMs;
    let pauseMs = PAUSE_MIN_MS;
    let partial: Answered | null = null;
    for (let attempt = 0; ; attempt++) {
      const node = nodes[(preferred + attempt) % nodes.length]!;
      const leftMs = deadline - performance.now();
      const answer = await ask(
        node,
        request,
        Math.max(1, Math.min(leftMs, ATTEMPT_TIMEOUT_MS + (request.waitMs ?? 0))),
      );
      if (answer.type === 'answered') {
        const isRefusal = !answer.result.ok && partial?.result.ok === true;
        if (answer.heldFrom === 0 && !isRefusal) {
          preferred = nodes.indexOf(node);
          return answer.result;
        }
        if (partial === null || (!isRefusal && answer.heldFrom < partial.heldFrom)) partial = answer;
      }
      if (request.signal?.aborted) return fail({ code: 'client.aborted', message: 'the request was aborted' });
      // An answer at hand is worth one round, and no pause.
      if (partial !== null && attempt + 1 >= nodes.length) return partial.result;
      // A whole round of nodes without luck is followed by a pause; within a round the next one is asked at once.
      const isRoundOver = answer.type === 'passed-over' && (attempt + 1) % nodes.length === 0;
      const pause = isRoundOver ? Math.max(pauseMs * (0.5 + Math.random() / 2), answer.retryAfterMs) : 0;
      if (performance.now() + pause >= deadline)
        return partial?.result ?? (answer.type === 'answered' ? answer.result : fail(answer.error));
      if (pause > 0) {
        await sleep(pause, request.signal);
        pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS);
      }
    }
  }

  async function ask(node: string, request: HttpRequest, timeoutMs: number): Promise<Attempt> {
    const timeout = AbortSignal.timeout(Math.ceil(timeoutMs));
    const signal = request.signal ? AbortSignal.any([request.signal, timeout]) : timeout;
    try {
      const response = await send(node + request.path, {
        method: request.method ?? 'GET',
        headers: {
          ...(options.token !== undefined && { authorization: `Bearer ${options.token}` }),
          ...request.headers,
        },
        ...(request.body && { body: request.body as BodyInit }),
        signal,
      });
      const bytes = await bytesOf(response);
      if (bytes === null) return { type: 'passed-over', error: tooLarge(node), retryAfterMs: 0 };
      const contentType = response.headers.get('content-type') ?? '';
      if (response.ok) {
        const heldFrom = heightOf(response.headers.get('cairn-held-from'));
        return {
          type: 'answered',
          result: ok({ node, status: response.status, contentType, bytes, heldFrom }),
          heldFrom,
        };
      }
      const error = problemToError(node, response.status, bytes);
      if (response.status !== 429 && response.status < 500) {
        const heldFrom = error.code === 'history.not-held' ? Number.MAX_SAFE_INTEGER : 0;
        return { type: 'answered', result: fail(error), heldFrom };
      }
      return { type: 'passed-over', error, retryAfterMs: 1000 * (Number(response.headers.get('retry-after')) || 0) };
    } catch (error) {
      return { type: 'passed-over', error: unreachable(node, error), retryAfterMs: 0 };
    }
  }
}

type Answered = {
  readonly type: 'answered';
  readonly result: Result<HttpAnswer, CairnError>;
  /** Above 0: another node may know more. */
  readonly heldFrom: number;
};
type Attempt = Answered | { readonly type: 'passed-over'; readonly error: CairnError; readonly retryAfterMs: number };

/** What a header says; 0 for anything that is no height. */
function heightOf(text: string | null): number {
  const height = text !== null && /^\d{1,16}$/.test(text) ? Number(text) : 0;
  return Number.isSafeInteger(height) ? height : 0;
}

/** The body, read piece by piece; null as soon as it is more than `answerBytesMax`. */
async function bytesOf(response: Response): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  const reader = response.body?.getReader();
  for (let next = await reader?.read(); next !== undefined && !next.done; next = await reader?.read()) {
    sizeBytes += next.value.length;
    if (sizeBytes > answerBytesMax) {
      void reader?.cancel().catch(() => {});
      return null;
    }
    chunks.push(next.value);
  }
  const bytes = new Uint8Array(sizeBytes);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

function tooLarge(node: string): CairnError {
  return {
    code: 'client.bad-answer',
    message: `${node} answered with more than ${answerBytesMax} bytes; ask another node`,
  };
}

/** A problem document (RFC 9457) as an error; an answer without one gets a code by its status. */
export function problemToError(node: string, status: number, bytes: Uint8Array): CairnError {
  try {
    const problem = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    if (isErrorCode(problem.code)) {
      const sentences = [problem.detail, problem.whatToDo].filter((text) => typeof text === 'string' && text !== '');
      return { code: problem.code, message: sentences.map((text) => endSentence(shortened(String(text)))).join(' ') };
    }
  } catch {
    // Not from a node of ours: a proxy in between, or another program on that port.
  }
  return {
    code: 'client.bad-answer',
    message: `${node} answered ${status} in a form that no Cairn node uses; check the address`,
  };
}

function endSentence(text: string): string {
  const sentence = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}

function unreachable(node: string, error: unknown): CairnError {
  const { name, message, cause } = error as Error & { cause?: { code?: string; message?: string } };
  const why = name === 'TimeoutError' ? 'it did not answer in time' : (cause?.code ?? cause?.message ?? message);
  return {
    code: 'client.unreachable',
    message: `no node can be reached, last tried ${node} (${why}). Is the network running? \`cairn status\` shows it.`,
  };
}

export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    }
  });
}
