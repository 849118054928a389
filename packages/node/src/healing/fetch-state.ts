/**
 * Fetches the state under a certified root, from the root down: what is held already, in the cache of parts or in a database
 * that may be damaged, is not fetched again, and everything is held against the hash that the part above has for it. So the
 * cost is that of the difference, whatever has been executed meanwhile.
 */
import {
  equalBytes,
  type Hash,
  isEmptyStatePart,
  isStatePart,
  type Message,
  type StatePart,
  type StateRow,
  type Store,
  sha256,
  stateBucketDepth,
  statePathsMax,
  toHeight,
  toHex,
} from '@cairn-ledger/core';
import type { PartCache } from './part-cache.ts';
import { type Checked, isNothing, isTrue, isWrong, type Peers } from './peers.ts';

export type StateWanted = { readonly height: number; readonly root: Hash };

/** Parts of a state that lies here, by path; null where it cannot be told. What it gives is checked. */
export type LocalState = { partAt(path: string): StatePart | null };

export type FetchedState = {
  /** Hashes of all buckets that are not empty, by path; they are in the cache. */
  readonly buckets: ReadonlyMap<string, Hash>;
  /** Hashes of what lies under paths of 4 nibbles, where anything does. */
  readonly leaves: ReadonlyMap<string, Hash>;
  readonly partsFetched: number;
};

export type StateFetch = {
  readonly peer: string;
  readonly peers: Peers;
  readonly cache: PartCache;
  readonly local: LocalState | null;
  readonly onProgress: (parts: number) => void;
};

type Wanted = { readonly path: string; readonly hash: Hash };

/** Requests that wait for their answer at once: the next page is on its way while one is checked. */
const inFlightMax = 2;
/** A peer may say so often in a row that it has not what it offered. */
const emptyAnswersMax = 3;

/**
 * Fetches from the one peer that holds this height.
 *
 * @returns null when it holds it no longer, or does not answer truly: go on with another snapshot, nothing is lost
 */
export async function fetchState(wanted: StateWanted, fetch: StateFetch): Promise<FetchedState | null> {
  const { peer, peers, cache, local, onProgress } = fetch;
  /** Deepest last, so that few are open at once. */
  const open: Wanted[] = [{ path: '', hash: wanted.root }];
  const missing: Wanted[] = [];
  const buckets = new Map<string, Hash>();
  const leaves = new Map<string, Hash>();
  const flights = new Set<Promise<void>>();
  let partsFetched = 0;
  let emptyAnswers = 0;
  let isLost = false;

  function take(part: StatePart, { path, hash }: Wanted): void {
    if (path.length === stateBucketDepth) leaves.set(path, hash);
    if (part.type === 'bucket') buckets.set(path, hash);
    else
      for (const [nibble, child] of part.children.entries())
        open.push({ path: path + nibble.toString(16), hash: child });
  }

  /** Goes down as far as what is held here reaches. */
  function descend(): void {
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (isEmptyStatePart(next.path.length, next.hash)) continue;
      const held = cache.get(next.hash, next.path) ?? localPart(next);
      if (held === null) missing.push(next);
      else take(held, next);
      if (missing.length >= statePathsMax * inFlightMax) return;
    }
  }

  function localPart({ path, hash }: Wanted): StatePart | null {
    const part = local?.partAt(path) ?? null;
    if (part === null || !isStatePart(part, hash)) return null;
    cache.put(hash, part);
    return part;
  }

  async function ask(page: readonly Wanted[]): Promise<void> {
    const request: Message = {
      type: 'request-state',
      height: toHeight(wanted.height),
      paths: page.map(({ path }) => path),
    };
    const answer = await peers.askOne(peer, request, (message) => checkParts(message, page));
    if (answer.type !== 'true') {
      isLost = true;
      return;
    }
    emptyAnswers = answer.value.length === 0 ? emptyAnswers + 1 : 0;
    if (emptyAnswers >= emptyAnswersMax) isLost = true;
    for (const [i, part] of answer.value.entries()) {
      cache.put(page[i]!.hash, part);
      take(part, page[i]!);
    }
    partsFetched += answer.value.length;
    missing.push(...page.slice(answer.value.length));
    onProgress(partsFetched);
  }

  for (;;) {
    descend();
    while (!isLost && missing.length > 0 && flights.size < inFlightMax) {
      const flight = ask(missing.splice(0, statePathsMax)).finally(() => flights.delete(flight));
      flights.add(flight);
    }
    if (flights.size === 0) return isLost ? null : { buckets, leaves, partsFetched };
    await Promise.race(flights);
  }
}

/** The first so many of what was asked for, each with the hash it must have. */
function checkParts(message: Message, page: readonly Wanted[]): Checked<readonly StatePart[]> {
  if (message.type !== 'state' || message.parts === null) return isNothing;
  const { parts } = message;
  if (parts.length > page.length) return isWrong('more parts of the state than were asked for');
  for (const [i, part] of parts.entries()) {
    const { path, hash } = page[i]!;
    const isBucketTooHigh = part.type === 'bucket' && path.length < stateBucketDepth;
    if (part.path !== path || isBucketTooHigh || !isStatePart(part, hash))
      return isWrong(`the part of the state at "${path}" is not what its root covers`);
  }
  return isTrue(parts);
}

/** All rows of the buckets, one bucket in memory at a time. */
export function* rowsOf({ buckets }: FetchedState, cache: PartCache): Iterable<StateRow> {
  for (const hash of buckets.values()) yield* entriesOf(hash, cache);
}

/** The rows under some paths of 4 nibbles. */
export function* rowsUnder(
  { buckets }: FetchedState,
  leaves: ReadonlySet<string>,
  cache: PartCache,
): Iterable<StateRow> {
  for (const [path, hash] of buckets) if (leaves.has(path.slice(0, stateBucketDepth))) yield* entriesOf(hash, cache);
}

/** The fetched state, read by key. */
export function storeOf({ buckets }: FetchedState, cache: PartCache): Store {
  return {
    get(key) {
      const name = toHex(sha256(key));
      for (let depth = stateBucketDepth; depth <= name.length; depth++) {
        const hash = buckets.get(name.slice(0, depth));
        if (hash === undefined) continue;
        return entriesOf(hash, cache).find((row) => equalBytes(row.key, key))?.value ?? null;
      }
      return null;
    },
  };
}

function entriesOf(hash: Hash, cache: PartCache): readonly StateRow[] {
  const part = cache.get(hash, '');
  if (part?.type !== 'bucket') throw new PartLost();
  return part.entries;
}

/** The file with what was fetched has been damaged meanwhile: fetch again. */
export class PartLost extends Error {
  override name = 'PartLost';
}
