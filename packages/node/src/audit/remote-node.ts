/**
 * What a node that runs elsewhere says it has, read over HTTP piece by piece. Everything that comes is of a form that is known, and
 * no longer than it may be; whether it is true is for the audit to say.
 */
import { type CairnError, type EpochProof, fail, ok, type Result } from '@cairn-ledger/core';
import { createHttpClient, type HttpAnswer, parseEpochsPage } from '@cairn-ledger/sdk';
import { decodeHeldHeight, type HeldHeight } from '../storage/held-height.ts';

export type RemoteStatus = {
  /** Hexadecimal. */
  readonly ledgerHash: string;
  readonly heldFrom: number;
  readonly executedHeight: number;
  readonly certifiedHeight: number;
};

/** Proofs of how epochs ended, ascending; `next` is where the next page begins. */
export type EpochsPage = { readonly proofs: readonly EpochProof[]; readonly next: number | null };

/** Errors of all calls: those of the client, `audit.malformed` for what no node says. */
export type RemoteNode = {
  readonly url: string;
  status(): Promise<Result<RemoteStatus, CairnError>>;
  epochs(from: number): Promise<Result<EpochsPage, CairnError>>;
  /** Null where the node says that it does not hold it. */
  height(height: number, withEdge: boolean): Promise<Result<HeldHeight | null, CairnError>>;
  readonly downloadedBytes: () => number;
};

export type RemoteNodeOptions = {
  readonly url: string;
  readonly token?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** For tests. */
  readonly fetch?: typeof fetch;
};

/** How long a node may take for one answer, with all tries, in ms. */
const answerTimeoutMs = 30_000;
/** A block each millisecond for thirty years: what is higher has no row in the copy. */
const heightMax = 2 ** 40;

export function createRemoteNode({ url, token, signal, fetch }: RemoteNodeOptions): RemoteNode {
  const http = createHttpClient({
    nodes: [url],
    timeoutMs: answerTimeoutMs,
    ...(token !== undefined && { token }),
    ...(fetch !== undefined && { fetch }),
  });
  let bytes = 0;

  async function get(path: string): Promise<Result<HttpAnswer, CairnError>> {
    const answer = await http.request({ path, signal });
    if (answer.ok) bytes += answer.value.bytes.length;
    return answer;
  }

  return {
    url,
    downloadedBytes: () => bytes,
    async status() {
      const path = '/v1/status';
      const answer = await get(path);
      if (!answer.ok) return answer;
      const status = readStatus(jsonOf(answer.value));
      return status === null ? malformed(url, path) : ok(status);
    },
    async epochs(from) {
      const path = `/v1/epochs?from=${from}`;
      const answer = await get(path);
      if (!answer.ok) return answer;
      const page = parseEpochsPage(jsonOf(answer.value), url);
      return page.ok ? page : malformed(url, path);
    },
    async height(height, withEdge) {
      const path = `/v1/blocks/${height}/bytes${withEdge ? '?edge=true' : ''}`;
      const answer = await get(path);
      if (answer.ok) return decodeHeldHeight(answer.value.bytes);
      const { code } = answer.error;
      return code === 'http.not-found' || code === 'history.not-held' ? ok(null) : answer;
    },
  };
}

function jsonOf({ bytes }: HttpAnswer): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

/** Null for what no node says. */
function readStatus(value: unknown): RemoteStatus | null {
  const status = (value ?? {}) as Record<string, unknown>;
  const { hash } = (status.ledger ?? {}) as Record<string, unknown>;
  const { heldFrom, executedHeight, certifiedHeight } = status;
  const isHeight = (height: unknown): height is number =>
    typeof height === 'number' && Number.isSafeInteger(height) && height >= 0 && height <= heightMax;
  if (typeof hash !== 'string' || !/^[0-9a-f]{64}$/.test(hash)) return null;
  if (!isHeight(heldFrom) || !isHeight(executedHeight) || !isHeight(certifiedHeight)) return null;
  return { ledgerHash: hash, heldFrom, executedHeight, certifiedHeight };
}

function malformed(url: string, path: string): Result<never, CairnError> {
  return fail({ code: 'audit.malformed', message: `${url} answered ${path} with what no node says` });
}
