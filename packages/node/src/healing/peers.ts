/**
 * Asking peers for what a damaged or new node lacks. Whatever comes is checked by who asked for it; a peer that answers wrongly,
 * or not at all, is asked less and less, and another one is asked instead.
 *
 * It knows no sockets: `ask` sends one request and waits for its answer. It must settle in the end; here nobody waits longer
 * than the time-out.
 */
import type { Message } from '@cairn-ledger/core';

export type PeerAnswer = {
  readonly message: Message;
  /** Of its frame. */
  readonly bytes: number;
};

export type HealingPort = {
  /** Peers that are linked now, by validator or node id; in any order. */
  peers(): readonly string[];
  /** Null when no answer came, or the link broke. */
  ask(peer: string, request: Message, signal: AbortSignal): Promise<PeerAnswer | null>;
};

/** What a check makes of an answer: something true; `wrong`, which no honest peer says; or that this peer has it not. */
export type Checked<T> =
  | { readonly type: 'true'; readonly value: T }
  | { readonly type: 'wrong'; readonly what: string }
  | { readonly type: 'nothing' };

export const isTrue = <T>(value: T): Checked<T> => ({ type: 'true', value });
export const isWrong = (what: string): Checked<never> => ({ type: 'wrong', what });
export const isNothing: Checked<never> = { type: 'nothing' };

export type PeerConduct = { answers: number; wrong: number; silent: number };

export type PeersOptions = {
  readonly port: HealingPort;
  /** Ends everything: what is under way rejects with the signal's reason. */
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
  /** A peer said what no honest one says. */
  readonly onWrong?: (peer: string, what: string) => void;
};

export type Peers = {
  /** Linked peers, those first that have answered best. Peers that were wrong `wrongMax` times are left out. */
  inOrder(): string[];
  askOne<T>(peer: string, request: Message, check: (answer: Message) => Checked<T>): Promise<Checked<T>>;
  /** Asks one peer after the other until one answers truly; null when none does. */
  askAny<T>(request: Message, check: (answer: Message) => Checked<T>): Promise<T | null>;
  /** Asks all at once; what was true, by peer. */
  askAll<T>(request: Message, check: (answer: Message) => Checked<T>): Promise<Map<string, T>>;
  /** Counts a lie that showed itself only together with other answers. */
  noteWrong(peer: string, what: string): void;
  conduct(): ReadonlyMap<string, Readonly<PeerConduct>>;
  bytesFetched(): number;
  readonly signal: AbortSignal;
};

const timeoutMsDefault = 5_000;
/** After so many wrong answers a peer is not asked any more. */
const wrongMax = 3;
/** A wrong answer counts as much as so many that did not come. */
const wrongWeight = 4;

export function createPeers({ port, signal, timeoutMs = timeoutMsDefault, onWrong }: PeersOptions): Peers {
  const conducts = new Map<string, PeerConduct>();
  let bytes = 0;

  function conductOf(peer: string): PeerConduct {
    let conduct = conducts.get(peer);
    if (conduct === undefined) {
      conduct = { answers: 0, wrong: 0, silent: 0 };
      conducts.set(peer, conduct);
    }
    return conduct;
  }

  function noteWrong(peer: string, what: string): void {
    conductOf(peer).wrong++;
    onWrong?.(peer, what);
  }

  function inOrder(): string[] {
    const strikes = (peer: string): number => {
      const { wrong, silent } = conductOf(peer);
      return wrong * wrongWeight + silent;
    };
    return [...port.peers()]
      .filter((peer) => conductOf(peer).wrong < wrongMax)
      .map((peer, i) => ({ peer, i, strikes: strikes(peer) }))
      .sort((a, b) => a.strikes - b.strikes || a.i - b.i)
      .map(({ peer }) => peer);
  }

  async function askOne<T>(
    peer: string,
    request: Message,
    check: (answer: Message) => Checked<T>,
  ): Promise<Checked<T>> {
    signal.throwIfAborted();
    const answer = await answerOf(peer, request);
    signal.throwIfAborted();
    if (answer === null) {
      conductOf(peer).silent++;
      return isNothing;
    }
    bytes += answer.bytes;
    const checked = check(answer.message);
    if (checked.type === 'wrong') noteWrong(peer, checked.what);
    else {
      const conduct = conductOf(peer);
      conduct.answers++;
      // Who answers again is forgiven its silence, bit by bit.
      if (checked.type === 'true') conduct.silent = Math.max(0, conduct.silent - 1);
    }
    return checked;
  }

  async function answerOf(peer: string, request: Message): Promise<PeerAnswer | null> {
    const timer = new AbortController();
    const both = AbortSignal.any([signal, timer.signal]);
    const timeout = setTimeout(() => timer.abort(), timeoutMs);
    try {
      return await Promise.race([port.ask(peer, request, both), whenAborted(both)]);
    } catch (cause) {
      signal.throwIfAborted();
      if (both.aborted || cause instanceof Error) return null;
      throw cause;
    } finally {
      clearTimeout(timeout);
      timer.abort();
    }
  }

  return {
    signal,
    inOrder,
    askOne,
    noteWrong,
    async askAny(request, check) {
      const asked = new Set<string>();
      for (;;) {
        const peer = inOrder().find((each) => !asked.has(each));
        if (peer === undefined) return null;
        asked.add(peer);
        const checked = await askOne(peer, request, check);
        if (checked.type === 'true') return checked.value;
      }
    },
    async askAll(request, check) {
      const answers = await Promise.all(
        inOrder().map(async (peer) => ({ peer, checked: await askOne(peer, request, check) })),
      );
      return new Map(
        answers.flatMap(({ peer, checked }) => (checked.type === 'true' ? [[peer, checked.value] as const] : [])),
      );
    },
    conduct: () => conducts,
    bytesFetched: () => bytes,
  };
}

function whenAborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null);
    else signal.addEventListener('abort', () => resolve(null), { once: true });
  });
}
