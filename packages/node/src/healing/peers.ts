/**
 * Asking peers for what a damaged or new node lacks. Whatever comes is checked by who asked for it; a peer that answers wrongly,
 * or not at all, is asked less and less, and another one is asked instead.
 *
 * Nobody waits for a silent peer alone: where one is late, the next one is asked as well, and the first true answer counts. Many may ask
 * at once: what is asked goes to the peer that has least to answer, of those that have answered best.
 *
 * It knows no sockets: `ask` sends one request and waits for its answer. It must settle in the end; here nobody waits longer
 * than the time-out.
 */
import type { Message } from '@cairn-ledger/core';
import { createPeerSlots } from './peer-slots.ts';

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
  /** A peer that has not answered for so long is late: it counts as silent, and another one is asked as well. */
  readonly lateMs?: number;
  /** Of the network: how much a peer answers in such a time. Absent: any number. */
  readonly deltaMs?: number;
  /** Of what a peer answers at once and in one Delta; the rest is for the replica of this node. Absent: all of it. */
  readonly share?: number;
  /** A peer said what no honest one says. */
  readonly onWrong?: (peer: string, what: string) => void;
};

export type Peers = {
  /** Linked peers, those first that have answered best, and of those the least busy. Who was wrong `wrongMax` times is left out. */
  inOrder(): string[];
  askOne<T>(peer: string, request: Message, check: (answer: Message) => Checked<T>): Promise<Checked<T>>;
  /** Asks one peer after the other until one answers truly, the next one also where one is late; null when none does. */
  askAny<T>(request: Message, check: (answer: Message) => Checked<T>): Promise<T | null>;
  /** Asks all at once; what was true, by peer. */
  askAll<T>(request: Message, check: (answer: Message) => Checked<T>): Promise<Map<string, T>>;
  /** Asks all at once, and waits no longer than until what was true is enough. */
  askUntil<T>(
    request: Message,
    check: (answer: Message) => Checked<T>,
    isEnough: (answers: ReadonlyMap<string, T>) => boolean,
  ): Promise<Map<string, T>>;
  /** Counts a lie that showed itself only together with other answers. */
  noteWrong(peer: string, what: string): void;
  conduct(): ReadonlyMap<string, Readonly<PeerConduct>>;
  bytesFetched(): number;
  readonly signal: AbortSignal;
};

const timeoutMsDefault = 5_000;
/** An answer takes milliseconds, and many of those where a peer has much to do. */
const lateShare = 5;
/** After so many wrong answers a peer is not asked any more. */
const wrongMax = 3;
/** A wrong answer counts as much as so many that did not come. */
const wrongWeight = 4;

const never = new AbortController().signal;
/** Nobody reads it; without one an error is made each time, with its stack. */
const noReason = null;

export function createPeers(options: PeersOptions): Peers {
  const { port, signal, timeoutMs = timeoutMsDefault, lateMs = timeoutMs / lateShare, onWrong } = options;
  const slots = createPeerSlots(options.deltaMs ?? null, options.share);
  const conducts = new Map<string, PeerConduct>();
  /** Those that let the time run out when they were asked last. */
  const mute = new Set<string>();
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
      .map((peer, i) => ({ peer, i, strikes: strikes(peer), load: slots.load(peer) }))
      .sort((a, b) => a.strikes - b.strikes || a.load - b.load || a.i - b.i)
      .map(({ peer }) => peer);
  }

  /**
   * @param over the answer is of no use any more
   * @param onLate called once where it takes long, also until the peer can be asked
   */
  async function ask<T>(
    peer: string,
    request: Message,
    check: (answer: Message) => Checked<T>,
    over: AbortSignal = never,
    onLate: () => void = () => undefined,
  ): Promise<Checked<T>> {
    signal.throwIfAborted();
    const timedOut = new AbortController();
    const ended = AbortSignal.any([signal, over, timedOut.signal]);
    let isAsked = false;
    let isLate = false;
    const late = setTimeout(() => {
      isLate = isAsked;
      if (isLate) conductOf(peer).silent++;
      onLate();
    }, lateMs);
    let timeout: NodeJS.Timeout | undefined;
    let answer: PeerAnswer | null;
    await slots.take(peer, request, ended);
    try {
      isAsked = true;
      timeout = setTimeout(() => {
        mute.add(peer);
        timedOut.abort(noReason);
      }, timeoutMs);
      answer = ended.aborted ? null : await answerOf(peer, request, ended);
    } finally {
      clearTimeout(late);
      clearTimeout(timeout);
      // Whoever asks is to stop waiting in any case.
      timedOut.abort(noReason);
      slots.release(peer);
    }
    signal.throwIfAborted();
    const conduct = conductOf(peer);
    if (answer === null) {
      if (!over.aborted && !isLate) conduct.silent++;
      return isNothing;
    }
    mute.delete(peer);
    bytes += answer.bytes;
    const checked = check(answer.message);
    if (checked.type === 'wrong') noteWrong(peer, checked.what);
    else {
      conduct.answers++;
      // Who answers again is forgiven its silence, bit by bit.
      if (checked.type === 'true') conduct.silent = Math.max(0, conduct.silent - 1);
    }
    return checked;
  }

  async function answerOf(peer: string, request: Message, ended: AbortSignal): Promise<PeerAnswer | null> {
    try {
      return await Promise.race([port.ask(peer, request, ended), whenAborted(ended)]);
    } catch (cause) {
      signal.throwIfAborted();
      if (ended.aborted || cause instanceof Error) return null;
      throw cause;
    }
  }

  /**
   * Asks on and on, as `start` says, until `isEnough` or nobody is asked any more. Those that let all their time run out before are waited
   * for only a little longer than for the others.
   */
  async function gather<T>(
    request: Message,
    check: (answer: Message) => Checked<T>,
    start: (begin: (peer: string, onLate?: () => void) => void) => void,
    onAnswer: (peer: string, checked: Checked<T>) => boolean,
  ): Promise<void> {
    const over = new AbortController();
    const open = new Set<string>();
    let ended = 0;
    let patience: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        function begin(peer: string, onLate?: () => void): void {
          clearTimeout(patience);
          open.add(peer);
          ask(peer, request, check, over.signal, onLate)
            .then((checked) => {
              open.delete(peer);
              ended++;
              if (over.signal.aborted) return;
              if (onAnswer(peer, checked)) resolve();
              else look();
            })
            .catch(reject);
        }
        function look(): void {
          if (open.size === 0) return resolve();
          clearTimeout(patience);
          if (ended > 0 && [...open].every((peer) => mute.has(peer))) patience = setTimeout(resolve, lateMs);
        }
        start(begin);
        look();
      });
    } finally {
      clearTimeout(patience);
      over.abort(noReason);
    }
  }

  async function askAny<T>(request: Message, check: (answer: Message) => Checked<T>): Promise<T | null> {
    const asked = new Set<string>();
    let found: { readonly value: T } | null = null;
    let askNext = (): void => undefined;
    await gather(
      request,
      check,
      (begin) => {
        askNext = () => {
          const peer = inOrder().find((each) => !asked.has(each));
          if (peer === undefined) return;
          asked.add(peer);
          begin(peer, askNext);
        };
        askNext();
      },
      (_, checked) => {
        if (checked.type === 'true') found = { value: checked.value };
        else askNext();
        return checked.type === 'true';
      },
    );
    return (found as { readonly value: T } | null)?.value ?? null;
  }

  async function askUntil<T>(
    request: Message,
    check: (answer: Message) => Checked<T>,
    isEnough: (answers: ReadonlyMap<string, T>) => boolean,
  ): Promise<Map<string, T>> {
    const all = inOrder();
    const answers = new Map<string, T>();
    await gather(
      request,
      check,
      (begin) => {
        for (const peer of all) begin(peer);
      },
      (peer, checked) => {
        if (checked.type === 'true') answers.set(peer, checked.value);
        return isEnough(answers);
      },
    );
    return new Map(all.flatMap((peer) => (answers.has(peer) ? [[peer, answers.get(peer)!] as const] : [])));
  }

  return {
    signal,
    inOrder,
    askOne: (peer, request, check) => ask(peer, request, check),
    noteWrong,
    askAny,
    askUntil,
    askAll: (request, check) => askUntil(request, check, () => false),
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
