/**
 * Following the validators of a network online, from the trust anchor on: asks nodes for epoch proofs (`GET /v1/epochs`),
 * believes none of them, and keeps what it has verified (protocol.md section 7).
 *
 * An anchor whose newest certified time is older than the trust period is used only after f + 1 witnesses, each asked on its
 * own, have shown the same newest validators at work. Two ends of one epoch that both verify are an alarm, whoever shows them.
 */
import {
  anchorOfEpoch,
  anchorToChain,
  base64urlToBytes,
  type CairnError,
  type CheckpointHeader,
  checkTrustPeriod,
  decodeEpochProof,
  decodeProtectedHeader,
  defaultTrustPeriodSeconds,
  type EpochChain,
  type EpochProof,
  fail,
  followEpochs,
  fromHex,
  isWithinTrustPeriod,
  newestAnchor,
  nobleVerifier,
  ok,
  type ReceiptRow,
  type Result,
  type TrustAnchor,
  toHash,
  type Verifier,
  verifyCheckpoint,
} from '@cairn-ledger/core';
import { createHttpClient, type HttpClient, type HttpOptions } from './http.ts';
import { badAnswer, isObject, parseJson } from './json-answer.ts';

export type TrustOptions = {
  /** What is trusted to begin with: the genesis as anchor, a newer one, or a chain that was verified before. */
  readonly anchor: TrustAnchor | EpochChain;
  /** How long the anchor may be used without asking witnesses, in ms; `Infinity` never asks. 30 days unless told. */
  readonly trustPeriodMs?: number;
  /** Base URLs of the nodes that confirm an anchor grown old: `nodes` unless told. f + 1 must be run by different people. */
  readonly witnesses?: readonly string[];
};

export type EpochFollower = {
  chain(): EpochChain;
  /** Asks witnesses if the anchor has grown old. Errors: `anchor.too-old`, `anchor.two-futures`. */
  ensureFresh(): Promise<Result<void, CairnError>>;
  /**
   * The chain, led on to `epoch` where nodes have the proofs. It may end before: what needs more says so itself.
   *
   * Errors: `anchor.*` and `client.*`, when no node leads there and one of them failed or lied.
   */
  leadTo(epoch: number): Promise<Result<EpochChain, CairnError>>;
  /** Compares the proofs of all witnesses; true when the chain has changed. Error: `anchor.two-futures`. */
  compareWitnesses(): Promise<Result<boolean, CairnError>>;
  /** A checkpoint of this epoch and time was verified with the chain: while the anchor is fresh, it stays so from then on. */
  onVerified(epoch: number, issuedSeconds: number): void;
};

/** How long one node may take for one answer. */
const ASK_TIMEOUT_MS = 5_000;
const signaturesMax = 256;

/** @param nowMs the clock on the wall */
export function createEpochFollower(
  options: HttpOptions & TrustOptions,
  verifier: Verifier = nobleVerifier,
  nowMs: () => number = Date.now,
): EpochFollower {
  let chain = 'anchors' in options.anchor ? options.anchor : anchorToChain(options.anchor);
  const first = chain.anchors[0]!;
  const trustPeriodSeconds =
    options.trustPeriodMs === undefined ? defaultTrustPeriodSeconds : options.trustPeriodMs / 1000;
  const timeoutMs = Math.min(options.timeoutMs ?? ASK_TIMEOUT_MS, ASK_TIMEOUT_MS);
  const clientsOf = (urls: readonly string[]) =>
    [...new Set(urls.map((url) => url.replace(/\/+$/, '')))].map((node) =>
      createHttpClient({ ...options, nodes: [node], timeoutMs }),
    );
  const nodes = clientsOf(options.nodes);
  const witnesses = clientsOf(options.witnesses ?? options.nodes);
  let certifiedSeconds = first.certifiedSeconds;
  let confirming: Promise<Result<void, CairnError>> | null = null;
  const isFresh = () => isWithinTrustPeriod({ certifiedSeconds, nowSeconds: nowMs() / 1000, trustPeriodSeconds });

  return {
    chain: () => chain,
    async ensureFresh() {
      if (isFresh()) return ok(undefined);
      confirming ??= confirm().finally(() => {
        confirming = null;
      });
      return confirming;
    },
    async leadTo(epoch) {
      let failure: CairnError | null = null;
      for (const node of nodes) {
        if (epoch <= newestAnchor(chain).epoch) break;
        const led = await follow(node, newestAnchor(chain).epoch, epoch);
        if (!led.ok && isAlarm(led.error)) return led;
        if (!led.ok) failure = led.error;
      }
      return failure === null || epoch <= newestAnchor(chain).epoch ? ok(chain) : fail(failure);
    },
    compareWitnesses,
    onVerified(epoch, issuedSeconds) {
      if (!isFresh() || epoch !== newestAnchor(chain).epoch) return;
      certifiedSeconds = Math.max(certifiedSeconds, Math.min(issuedSeconds, nowMs() / 1000));
    },
  };

  async function confirm(): Promise<Result<void, CairnError>> {
    const compared = await compareWitnesses();
    if (!compared.ok) return compared;
    const shown = await Promise.all(witnesses.map(showsNewest));
    const nowSeconds = nowMs() / 1000;
    const confirmations = shown.filter(Boolean).length;
    const checked = checkTrustPeriod(first, { certifiedSeconds, nowSeconds, trustPeriodSeconds, confirmations });
    if (checked.ok) certifiedSeconds = nowSeconds;
    return checked;
  }

  async function compareWitnesses(): Promise<Result<boolean, CairnError>> {
    const before = chain;
    const followed = await Promise.all(witnesses.map((node) => follow(node, first.epoch, Number.POSITIVE_INFINITY)));
    const alarm = followed.find((result) => !result.ok && isAlarm(result.error));
    return alarm === undefined || alarm.ok ? ok(chain !== before) : alarm;
  }

  /** Takes in how, as one node has it, the epochs from `from` on ended. Every page leads on, or is the last one: false proofs end it. */
  async function follow(node: HttpClient, from: number, to: number): Promise<Result<void, CairnError>> {
    for (let next = from; next <= Math.min(to, newestAnchor(chain).epoch + 1); ) {
      const page = await askProofs(node, next);
      if (!page.ok) return page;
      const followed = followEpochs(chain, page.value.proofs, verifier);
      if (!followed.ok) return followed;
      chain = followed.value;
      if (page.value.next === null || page.value.next <= next) break;
      next = page.value.next;
    }
    return ok(undefined);
  }

  /** Whether a node shows a checkpoint that the newest validators have certified, not longer ago than the trust period. */
  async function showsNewest(node: HttpClient): Promise<boolean> {
    const path = '/v1/checkpoints/latest';
    const answer = await node.request({ path });
    const json = answer.ok ? parseJson(answer.value, path) : answer;
    const shown = json.ok ? readCheckpoint(json.value) : null;
    if (shown === null) return false;
    const anchor = anchorOfEpoch(chain, shown.headers[0]!.statement.epoch);
    if (anchor === null || anchor !== newestAnchor(chain)) return false;
    const verified = verifyCheckpoint(anchor, shown, shown.historyRoot, verifier);
    if (!verified.ok) return false;
    const { issuedSeconds } = verified.value;
    return isWithinTrustPeriod({ certifiedSeconds: issuedSeconds, nowSeconds: nowMs() / 1000, trustPeriodSeconds });
  }
}

type ProofsPage = { readonly proofs: readonly EpochProof[]; readonly next: number | null };

async function askProofs(node: HttpClient, from: number): Promise<Result<ProofsPage, CairnError>> {
  const path = `/v1/epochs?from=${from}`;
  const answer = await node.request({ path });
  if (!answer.ok) return answer;
  const json = parseJson(answer.value, path);
  return json.ok ? parseEpochsPage(json.value, answer.value.node) : json;
}

/** One page of `GET /v1/epochs`. Rows without a proof are passed over: the present epoch, and what is not certified yet. */
export function parseEpochsPage(value: unknown, node: string): Result<ProofsPage, CairnError> {
  const path = '/v1/epochs';
  if (!isObject(value) || !Array.isArray(value.epochs) || !value.epochs.every(isObject)) {
    return badAnswer(node, path, 'no list of epochs');
  }
  const proofs: EpochProof[] = [];
  for (const { proof } of value.epochs) {
    if (proof === null || proof === undefined) continue;
    const bytes = typeof proof === 'string' ? base64urlToBytes(proof) : null;
    if (bytes === null) return badAnswer(node, path, 'a proof that is not base64url');
    const decoded = decodeEpochProof(bytes);
    if (!decoded.ok) return decoded;
    proofs.push(decoded.value);
  }
  const { next } = value;
  return ok({ proofs, next: typeof next === 'number' && Number.isSafeInteger(next) ? next : null });
}

type ShownCheckpoint = {
  readonly historyRoot: ReturnType<typeof toHash>;
  readonly rows: readonly ReceiptRow[];
  readonly headers: readonly CheckpointHeader[];
};

/** The signatures of `GET /v1/checkpoints/latest`; null for what no node says. */
function readCheckpoint(value: unknown): ShownCheckpoint | null {
  if (!isObject(value) || typeof value.historyRoot !== 'string' || !Array.isArray(value.signatures)) return null;
  const historyRoot = fromHex(value.historyRoot);
  if (historyRoot?.length !== 32 || value.signatures.length > signaturesMax) return null;
  const rows: ReceiptRow[] = [];
  const headers: CheckpointHeader[] = [];
  for (const row of value.signatures as unknown[]) {
    if (!isObject(row) || typeof row.protected !== 'string' || typeof row.signature !== 'string') return null;
    const protectedHeader = base64urlToBytes(row.protected);
    const signature = base64urlToBytes(row.signature);
    const header = protectedHeader === null ? null : decodeProtectedHeader(protectedHeader);
    if (protectedHeader === null || signature?.length !== 64 || !header?.ok) return null;
    rows.push({ protectedHeader, signature });
    headers.push(header.value);
  }
  return headers.length === 0 ? null : { historyRoot: toHash(historyRoot), rows, headers };
}

function isAlarm(error: CairnError): boolean {
  return error.code === 'anchor.two-futures';
}
