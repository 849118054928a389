/**
 * What can be asked of a node about what it keeps: by clients, through the edge, and by peers. Asked of an undamaged folder the
 * answers are the truth; of a damaged one each must be the same, or an error with a code.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  blockFromParts,
  type CheckpointSignature,
  checkpointSignatureCheck,
  decodeBatch,
  decodeTransaction,
  encodeMessage,
  type Genesis,
  type Message,
  type TrustAnchor,
  toEpoch,
  toHash,
  toHeight,
  toHex,
  verifyReceipt,
} from '@cairn-ledger/core';
import { createRememberingVerifier } from '../packages/node/src/crypto/remembering-verifier.ts';
import { sodiumVerifier } from '../packages/node/src/crypto/sodium-verifier.ts';
import { errorOf } from '../packages/node/src/failure.ts';
import type { Asked } from './corrupt-life.ts';
import type { Pick } from './pick.ts';

/** An answer as text: equal texts say the same. */
export type Truth = ReadonlyMap<string, string>;

export type Question = {
  readonly name: string;
  /** Height above which it has no answer; null where the answer is of the height that the node is at. */
  readonly height: number | null;
  readonly ask: (asked: Asked) => unknown;
};

/** Nothing is there: `http.not-found` to a client. */
const nothing = 'null';
const refusal = 'refused: ';
const pageLimit = 200;
const tilesMax = 64;

/** Everything that the chain in an undamaged folder gives to ask for. */
export function questionsOf(dir: string, anchor: TrustAnchor, { validators }: Genesis): Question[] {
  const chain = readChain(join(dir, 'data', 'chain.db'));
  const verifier = createRememberingVerifier(sodiumVerifier);
  const isSigned = (signature: CheckpointSignature): boolean => {
    const { publicKey, message, signature: bytes } = checkpointSignatureCheck(signature, validators[signature.signer]!);
    return verifier.verify('ed25519', publicKey, message, bytes);
  };
  const questions: Question[] = [];
  const add = (height: number | null, name: string, ask: Question['ask']): void => {
    questions.push({ name, height, ask });
  };
  const peer = (height: number | null, name: string, request: Message): void =>
    add(height, `peer ${name}`, ({ serve }) => {
      const answer = serve(request);
      return answer === null || isEmpty(answer) ? null : encodeMessage(answer);
    });

  add(null, 'validators', ({ edge }) => edge.validators());
  add(null, 'members', ({ edge }) => edge.members());
  add(null, 'membership', async ({ edge }) => (await edge.membership()).validators.map(({ id, state }) => [id, state]));
  add(null, 'epochs', ({ edge }) => edge.epochs(1, 16));
  add(null, 'accounts', ({ edge }) => edge.accounts!({ limit: 500, cursor: null }));
  add(null, 'devices', ({ edge }) => edge.devices!({ limit: 500, cursor: null }));
  add(null, 'next news', async ({ edge }) => {
    const next = await edge.nextNews(-1);
    // Of blocks that came from peers a node has no news, and says so: a gap.
    return next !== null && (await edge.news(next)) === null ? refused('history.not-held') : next;
  });
  for (const device of chain.devices) {
    add(null, `readings of ${device}`, ({ edge }) => readingsOf(edge, device));
    add(null, `account ${device}`, ({ edge }) => edge.account(device));
  }
  for (const kid of chain.kids.values()) add(null, `counter of ${toHex(kid)}`, ({ edge }) => edge.highestCounter(kid));
  for (const { height, digest, batches, transactions } of chain.blocks) {
    add(height, `block ${height}`, async ({ edge }) => {
      const block = await edge.block(height, true);
      // A block is final by a certificate of its own, or by a later one.
      const transactions = block?.transactions?.map((each) => ({ ...each, code: reasonless(each.code) })) ?? null;
      return block === null ? null : { ...block, view: null, transactions };
    });
    add(height, `checkpoint ${height}`, async ({ edge }) => {
      const checkpoint = await edge.checkpoint(height);
      // Which signatures there are, and when they came, is each node's own; that those there hold is known to whoever asks.
      return checkpoint === null ? null : { ...checkpoint, certified: null, signatures: null };
    });
    add(height, `news of ${height}`, async ({ edge }) => (await edge.news(height)) ?? refused('history.not-held'));
    if (height === 0) continue;
    peer(height, `block ${height}`, { type: 'request-block', digest: toHash(digest) });
    peer(null, `chain from ${height}`, { type: 'request-chain', from: toHeight(height) });
    add(null, `peer checkpoint ${height}`, ({ serve }) => {
      const answer = serve({ type: 'request-checkpoint', height: toHeight(height) });
      if (answer === null) return 'nothing but what holds';
      // Which ones it has, and for which height, is its own; they hold, or nobody can use them.
      const doHold = answer.type === 'checkpoint-signatures' && answer.signatures.every(isSigned);
      return doHold ? 'nothing but what holds' : answer;
    });
    for (const batch of batches)
      peer(height, `batch ${toHex(batch)}`, { type: 'request-batch', digest: toHash(batch) });
    for (const { id, bytes } of transactions) {
      add(height, `transaction ${toHex(id)}`, async ({ edge }) => {
        const status = await edge.transaction(id);
        return status === null ? null : { ...status, certified: null, code: reasonless(status.code), message: null };
      });
      add(height, `receipt ${toHex(id)}`, async ({ edge }) => {
        const receipt = await edge.receipt(id);
        if (!receipt.ok) return receipt.error.code === 'http.no-receipt' ? 'rejected' : refused(receipt.error.code);
        // Several checkpoints prove the same.
        const verified = verifyReceipt(anchor, receipt.value, bytes, verifier);
        return verified.ok ? `holds for leaf ${verified.value.leafIndex}` : `does not hold: ${verified.error.code}`;
      });
    }
  }
  peer(null, 'epochs', { type: 'request-epochs', from: toEpoch(1) });
  peer(null, 'snapshot', { type: 'request-snapshot', from: toHeight(0) });
  for (let index = 0; index < Math.min(tilesMax, chain.tiles); index++)
    peer(null, `tile ${index}`, { type: 'request-tiles', size: chain.leaves, places: [{ level: 0, index }] });
  for (const path of Array.from({ length: 16 }, (_, nibble) => nibble.toString(16)))
    peer(null, `state ${path}`, { type: 'request-state', height: toHeight(chain.height), paths: [path] });
  return questions;
}

/** That it has none now. */
function isEmpty(answer: Message): boolean {
  if (answer.type === 'snapshot') return answer.snapshot === null;
  if (answer.type === 'tiles') return answer.tiles === null;
  return answer.type === 'state' && answer.parts === null;
}

/** That something was rejected is signed, since it has no leaf; why, nobody signs (docs/protocol.md, "Verdicts"). */
function reasonless(code: string | null): string | null {
  return code === null || code === 'ok' ? code : 'rejected';
}

class Refused extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

function refused(code: string): never {
  throw new Refused(code);
}

/** The answers, by the name of what was asked. An error stands as `refused: code`. */
export async function answersOf(asked: Asked, questions: readonly Question[]): Promise<Map<string, string>> {
  const answers = new Map<string, string>();
  for (const { name, ask } of questions) {
    try {
      answers.set(name, textOf(await ask(asked)));
    } catch (cause) {
      answers.set(name, `${refusal}${errorOf(cause).code}`);
    }
  }
  return answers;
}

/** What is false among answers, and what they leave out: something that is not found, or only some of a list. */
export type Verdict = { readonly wrong: readonly string[]; readonly lacking: readonly string[] };

/**
 * @param moment the height that the node is at, and up to where all is final and certified; `truth` is of `truthHeight`
 */
export function judge(
  answers: ReadonlyMap<string, string>,
  questions: readonly Question[],
  truth: Truth,
  moment: { readonly height: number; readonly settledHeight: number; readonly truthHeight: number },
): Verdict {
  const [wrong, lacking]: [string[], string[]] = [[], []];
  for (const { name, height } of questions) {
    const [answer, expected] = [answers.get(name)!, truth.get(name)!];
    if (answer === expected) continue;
    // What a node has lost it does not have; it is behind, and knows it.
    if (moment.height < moment.truthHeight && height === null) continue;
    const isRefused = answer.startsWith(refusal) || answer === nothing;
    const ofHeight = /^peer (?:snapshot|state)/.test(name) ? moment.height : height;
    if (isRefused && ofHeight !== null && ofHeight > moment.settledHeight) continue;
    // Nobody gives back the news of blocks that were fetched, and whoever asks is told so.
    if (/news/.test(name) && answer === `${refusal}history.not-held`) continue;
    const told = `${name}: ${answer.slice(0, 200)} instead of ${expected.slice(0, 200)}`;
    // An error that nobody has given a code is a crash.
    const isCoded = isRefused && answer !== `${refusal}node.failed`;
    if (isCoded || isPartOf(answer, expected)) lacking.push(told);
    else wrong.push(told);
  }
  return { wrong, lacking };
}

function isPartOf(answer: string, expected: string): boolean {
  if (!answer.startsWith('[') || !expected.startsWith('[')) return false;
  const all = new Set((JSON.parse(expected) as unknown[]).map((each) => JSON.stringify(each)));
  const some = (JSON.parse(answer) as unknown[]).map((each) => JSON.stringify(each));
  return new Set(some).size === some.length && some.every((each) => all.has(each));
}

/** All questions about the present, and some of the others. */
export function someOf(questions: readonly Question[], countMax: number, pick: Pick): Question[] {
  const ofHeights = questions.filter(({ height }) => height !== null);
  const chosen = new Set(Array.from({ length: countMax }, () => ofHeights[pick(ofHeights.length)]!));
  return questions.filter((question) => question.height === null || chosen.has(question));
}

async function readingsOf(edge: Asked['edge'], device: string): Promise<unknown> {
  const all: unknown[] = [];
  for (let cursor: string | null = null; ; ) {
    const page = await edge.readings(device, { fromMs: null, toMs: null, limit: pageLimit, cursor });
    if (page === null) return null;
    if (!page.ok) return refused(page.error.code);
    all.push(...page.value.items);
    if (page.value.next === null) return all;
    cursor = page.value.next;
  }
}

type ReadBlock = {
  readonly height: number;
  readonly digest: Uint8Array;
  readonly batches: readonly Uint8Array[];
  readonly transactions: readonly { readonly id: Uint8Array; readonly bytes: Uint8Array }[];
};

/** Without the code that serves it. */
function readChain(path: string) {
  const hasLog = existsSync(`${path}-wal`);
  const database = new DatabaseSync(hasLog ? path : `file:${encodeURI(path)}?immutable=1`, { readOnly: true });
  try {
    const rows = database.prepare('SELECT height, digest, header, body FROM blocks ORDER BY height').all() as Record<
      string,
      unknown
    >[];
    const parts = database
      .prepare(
        'SELECT batch_id AS id, bytes FROM (SELECT id / 128 AS batch_id, id, bytes FROM batch_parts) ORDER BY id',
      )
      .all() as {
      id: number;
      bytes: Uint8Array;
    }[];
    const kids = new Map<string, Uint8Array>();
    const devices = new Set<string>();
    const blocks = rows.map((row): ReadBlock => {
      const height = row.height as number;
      const block = height === 0 ? null : blockFromParts(row.header as Uint8Array, row.body as Uint8Array);
      const listed = block?.ok ? block.value.batches : [];
      const transactions = listed.flatMap((_, place) => {
        const bytes = Buffer.concat(parts.filter(({ id }) => id === height * 64 + place).map((part) => part.bytes));
        const batch = decodeBatch(new Uint8Array(bytes));
        if (!batch.ok) throw new Error(`batch ${place} of block ${height}: ${batch.error.message}`);
        return batch.value.transactions.flatMap((transaction) => {
          const decoded = decodeTransaction(transaction);
          if (!decoded.ok) return [];
          kids.set(toHex(decoded.value.header.kid), decoded.value.header.kid);
          return [{ id: decoded.value.id, bytes: transaction }];
        });
      });
      return { height, digest: row.digest as Uint8Array, batches: listed.map(({ digest }) => digest), transactions };
    });
    const { leaves } = database.prepare('SELECT MAX(history_size) AS leaves FROM blocks').get() as { leaves: number };
    for (const { key } of database.prepare('SELECT key FROM state').all() as { key: Uint8Array }[]) {
      const device = /^device\/([a-z0-9-]+\/[a-z0-9-]+)$/.exec(Buffer.from(key).toString('latin1'))?.[1];
      if (device !== undefined) devices.add(device);
    }
    return { blocks, kids, devices, leaves, height: blocks.at(-1)!.height, tiles: Math.ceil(leaves / 256) };
  } finally {
    database.close();
  }
}

function textOf(value: unknown): string {
  return JSON.stringify(value ?? null, (_, each: unknown) => {
    if (each instanceof Uint8Array) return `x${Buffer.from(each).toString('hex')}`;
    return typeof each === 'bigint' ? String(each) : each;
  });
}
