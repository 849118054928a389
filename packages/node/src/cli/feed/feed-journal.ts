/**
 * The progress of a feed, in a file next to the key: what has been signed, and what of it is settled. A group of
 * transactions is written here, durably, before it is sent; so after an interruption exactly the same bytes are sent
 * again, which the ledger knows by their ids, and the input goes on after them. Nothing is lost, nothing doubled.
 *
 *     {"type":"feed", ...}      first line: whose feed, of what, and how far everything before this file's groups got
 *     {"type":"group", ...}     signed transactions, and how far into the input they reach
 *     {"type":"settled", ...}   the ledger has decided about all of a group
 *
 * A torn last line belongs to a group that was never sent; it is cut off. When much is settled the file is written anew.
 */
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { type CairnError, fail, ok, type Result } from '@cairn-ledger/core';
import { writeDurably } from '../../durable-file.ts';

/** Lines of groups after which the file is written anew. */
const REWRITE_AFTER_TRANSACTIONS = 50_000;

export type FeedIdentity = {
  /** Absolute path of the input. */
  readonly input: string;
  /** Audience text of the ledger. */
  readonly ledger: string;
  /** Key that signs, hexadecimal. */
  readonly kid: string;
};

/** How far a feed has come. */
export type FeedProgress = {
  /** How far into the input everything signed reaches. */
  readonly position: number;
  /** Digest of the input up to there. */
  readonly digest: string;
  readonly readings: number;
  readonly transactions: number;
  /** Transactions given up after the ledger rejected them. */
  readonly rejected: number;
};

export type FeedGroup = {
  readonly number: number;
  readonly position: number;
  readonly digest: string;
  readonly readings: number;
  readonly transactions: readonly Uint8Array[];
};

type FirstLine = FeedIdentity & FeedProgress & { readonly type: 'feed'; readonly version: 1 };
type GroupLine = Omit<FeedGroup, 'transactions'> & { readonly type: 'group'; readonly transactions: readonly string[] };
type SettledLine = { readonly type: 'settled'; readonly number: number; readonly rejected: number };
type Line = FirstLine | GroupLine | SettledLine;

export class FeedJournal {
  readonly #path: string;
  readonly #identity: FeedIdentity;
  #file: number;
  #progress: FeedProgress;
  #unsettled: Map<number, FeedGroup>;
  #nextNumber: number;
  #transactionsInFile: number;

  /** Use `openFeedJournal`. */
  constructor(path: string, identity: FeedIdentity, file: number, state: ReplayedState) {
    this.#path = path;
    this.#identity = identity;
    this.#file = file;
    this.#progress = state.progress;
    this.#unsettled = state.unsettled;
    this.#nextNumber = state.nextNumber;
    this.#transactionsInFile = state.transactionsInFile;
  }

  get progress(): FeedProgress {
    return this.#progress;
  }

  /** Signed groups the ledger has not decided about as far as we know, oldest first. */
  get unsettled(): readonly FeedGroup[] {
    return [...this.#unsettled.values()];
  }

  /** Keeps a group durably; only then may it be sent. Throws when the disk fails. */
  append(fields: Omit<FeedGroup, 'number'>): FeedGroup {
    const group = { ...fields, number: this.#nextNumber++ };
    this.#writeLine(groupLine(group));
    fdatasyncSync(this.#file);
    this.#unsettled.set(group.number, group);
    this.#transactionsInFile += group.transactions.length;
    this.#progress = {
      ...this.#progress,
      position: group.position,
      digest: group.digest,
      readings: this.#progress.readings + group.readings,
      transactions: this.#progress.transactions + group.transactions.length,
    };
    return group;
  }

  /** Notes that a group is decided. Not synced: forgetting it only means sending known transactions again. */
  settle(number: number, rejected: number): void {
    this.#unsettled.delete(number);
    this.#progress = { ...this.#progress, rejected: this.#progress.rejected + rejected };
    this.#writeLine({ type: 'settled', number, rejected });
    if (this.#transactionsInFile > REWRITE_AFTER_TRANSACTIONS && this.#unsettled.size < 64) this.#rewrite();
  }

  /** Leaves a short file that says how far the feed came. */
  close(): void {
    this.#rewrite();
    closeSync(this.#file);
  }

  /** Everything settled becomes one first line; unsettled groups follow it. */
  #rewrite(): void {
    const groups = this.unsettled;
    const first: FirstLine = { type: 'feed', version: 1, ...this.#identity, ...without(this.#progress, groups) };
    writeDurably(this.#path, [first, ...groups.map(groupLine)].map((line) => `${JSON.stringify(line)}\n`).join(''));
    closeSync(this.#file);
    this.#file = openSync(this.#path, 'a', 0o600);
    this.#transactionsInFile = groups.reduce((count, group) => count + group.transactions.length, 0);
  }

  #writeLine(line: Line): void {
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
  }
}

type ReplayedState = {
  readonly progress: FeedProgress;
  readonly unsettled: Map<number, FeedGroup>;
  readonly nextNumber: number;
  readonly transactionsInFile: number;
};

const nothing: FeedProgress = { position: 0, digest: '', readings: 0, transactions: 0, rejected: 0 };

/**
 * Opens the progress of a feed, or begins one.
 *
 * Errors: `feed.other-feed` (of another network, key or input), `feed.damaged-progress`, `feed.unwritable-progress`
 */
export function openFeedJournal(path: string, identity: FeedIdentity): Result<FeedJournal, CairnError> {
  try {
    if (!existsSync(path)) {
      const first: FirstLine = { type: 'feed', version: 1, ...identity, ...nothing };
      writeDurably(path, `${JSON.stringify(first)}\n`);
    }
    const bytes = readFileSync(path);
    const end = bytes.lastIndexOf(0x0a) + 1;
    const lines = bytes.toString('utf8', 0, end).split('\n').slice(0, -1);
    const state = replay(path, lines, identity);
    if (!state.ok) return state;
    const file = openSync(path, 'r+', 0o600);
    ftruncateSync(file, end);
    fsyncSync(file);
    closeSync(file);
    return ok(new FeedJournal(path, identity, openSync(path, 'a', 0o600), state.value));
  } catch (error) {
    return fail({
      code: 'feed.unwritable-progress',
      message: `the progress file ${path} cannot be used: ${(error as Error).message}`,
    });
  }
}

function replay(path: string, lines: readonly string[], identity: FeedIdentity): Result<ReplayedState, CairnError> {
  let progress = nothing;
  let nextNumber = 0;
  let transactionsInFile = 0;
  const unsettled = new Map<number, FeedGroup>();
  for (const [index, text] of lines.entries()) {
    const line = parseLine(text);
    if (line === null || (line.type === 'feed') !== (index === 0)) return damaged(path, index);
    if (line.type === 'feed') {
      const other = (['ledger', 'kid', 'input'] as const).find((field) => line[field] !== identity[field]);
      if (other !== undefined) return otherFeed(path, other, line[other]);
      progress = {
        position: line.position,
        digest: line.digest,
        readings: line.readings,
        transactions: line.transactions,
        rejected: line.rejected,
      };
    } else if (line.type === 'group') {
      const transactions = line.transactions.map((text) => new Uint8Array(Buffer.from(text, 'base64url')));
      unsettled.set(line.number, {
        number: line.number,
        position: line.position,
        digest: line.digest,
        readings: line.readings,
        transactions,
      });
      nextNumber = line.number + 1;
      transactionsInFile += transactions.length;
      progress = {
        ...progress,
        position: line.position,
        digest: line.digest,
        readings: progress.readings + line.readings,
        transactions: progress.transactions + transactions.length,
      };
    } else {
      unsettled.delete(line.number);
      progress = { ...progress, rejected: progress.rejected + line.rejected };
    }
  }
  return lines.length === 0 ? damaged(path, 0) : ok({ progress, unsettled, nextNumber, transactionsInFile });
}

/** Progress as it was before some groups: a first line tells only what stands before the groups of the file. */
function without(progress: FeedProgress, groups: readonly FeedGroup[]): FeedProgress {
  const readings = groups.reduce((count, group) => count + group.readings, 0);
  const transactions = groups.reduce((count, group) => count + group.transactions.length, 0);
  return { ...progress, readings: progress.readings - readings, transactions: progress.transactions - transactions };
}

function groupLine(group: FeedGroup): GroupLine {
  return {
    type: 'group',
    ...group,
    transactions: group.transactions.map((bytes) => Buffer.from(bytes).toString('base64url')),
  };
}

function parseLine(text: string): Line | null {
  try {
    const line = JSON.parse(text) as Line;
    return line.type === 'feed' || line.type === 'group' || line.type === 'settled' ? line : null;
  } catch {
    return null;
  }
}

function damaged(path: string, index: number): Result<never, CairnError> {
  return fail({
    code: 'feed.damaged-progress',
    message: `line ${index + 1} of ${path} is damaged. Restore the file; with --restart the whole input is sent again, as new transactions.`,
  });
}

function otherFeed(path: string, field: string, value: string): Result<never, CairnError> {
  return fail({
    code: 'feed.other-feed',
    message: `${path} is the progress of another feed (${field} ${value}). With --restart this one begins anew.`,
  });
}
