/**
 * Asking peers over a transport that nobody else uses: requests go out as frames, and what comes back is given to whoever asked
 * for it. Frames that nobody asked for are dropped. While it is used no replica runs.
 */
import {
  type Channel,
  type CheckpointSignature,
  channelOf,
  decodeMessage,
  encodeMessage,
  equalBytes,
  type Message,
} from '@cairn-ledger/core';
import type { HealingPort, PeerAnswer } from './peers.ts';

type Asked = {
  readonly request: Message;
  /** Signatures of another height came, which may be all that the peer has. */
  isNearlyAnswered: boolean;
  readonly settle: (answer: PeerAnswer | null) => void;
};

export type LinkPort = HealingPort & {
  onConnected(peer: string): void;
  onDisconnected(peer: string): void;
  onFrame(peer: string, frame: Uint8Array): void;
  /** Whether it is the answer to an open question; it is told without the size of its frame. */
  takesAnswer(peer: string, message: Message): boolean;
};

/** Requests of one peer that may be open at once; beyond, the oldest is given up. */
const openMax = 64;
/** After signatures of another height those of the height that was asked for may follow: what is kept is read a moment later. */
const behindMs = 200;

/** @param reply what a peer that asks is told; null or absent: nothing */
export function createLinkPort(
  send: (peer: string, channel: Channel, frame: Uint8Array) => boolean,
  reply: ((request: Message, peer: string) => Message | null) | null = null,
): LinkPort {
  const linked = new Set<string>();
  const open = new Map<string, Asked[]>();

  function drop(peer: string, asked: Asked): void {
    const others = (open.get(peer) ?? []).filter((each) => each !== asked);
    if (others.length === 0) open.delete(peer);
    else open.set(peer, others);
  }

  /** An answer that comes after its time is nobody's: it must not be taken for that to another question. */
  function take(peer: string, message: Message, bytes: number): boolean {
    const waiting = open.get(peer) ?? [];
    const asked = waiting.find(({ request }) => answers(request, message));
    asked?.settle({ message, bytes });
    if (asked === undefined && message.type === 'checkpoint-signatures')
      nearlyAnswer(waiting, message.signatures, { message, bytes });
    return asked !== undefined;
  }

  /**
   * A peer that is asked for signatures tells its newest ones first, and then those that it keeps: of the height that was asked for, or of
   * the one that says most instead. So the second that are of another height are all that it has, or those that nothing follows. A
   * replica beside this may want them as well.
   */
  function nearlyAnswer(
    waiting: readonly Asked[],
    signatures: readonly CheckpointSignature[],
    answer: PeerAnswer,
  ): void {
    // Each tells its own ones to everybody as it makes them: these are nobody's answer.
    if (new Set(signatures.map(({ signer }) => signer)).size < 2) return;
    const asking = waiting.filter(({ request }) => request.type === 'request-checkpoint');
    const asked = asking.find(({ isNearlyAnswered }) => !isNearlyAnswered) ?? asking[0];
    if (asked === undefined) return;
    if (asked.isNearlyAnswered) return asked.settle(answer);
    asked.isNearlyAnswered = true;
    setTimeout(() => asked.settle(answer), behindMs).unref();
  }

  return {
    takesAnswer: (peer, message) => take(peer, message, 0),
    peers: () => [...linked],
    ask(peer, request, signal) {
      return new Promise((resolve) => {
        const asked: Asked = {
          request,
          isNearlyAnswered: false,
          settle(answer) {
            signal.removeEventListener('abort', onAborted);
            drop(peer, asked);
            resolve(answer);
          },
        };
        const onAborted = (): void => asked.settle(null);
        if (signal.aborted || !linked.has(peer)) return resolve(null);
        const others = open.get(peer) ?? [];
        if (others.length >= openMax) others[0]!.settle(null);
        open.set(peer, [...(open.get(peer) ?? []), asked]);
        signal.addEventListener('abort', onAborted, { once: true });
        if (!send(peer, channelOf(request), encodeMessage(request))) asked.settle(null);
      });
    },
    onConnected: (peer) => void linked.add(peer),
    onDisconnected(peer) {
      linked.delete(peer);
      for (const asked of open.get(peer) ?? []) asked.settle(null);
    },
    onFrame(peer, frame) {
      const waiting = open.get(peer) ?? [];
      if (waiting.length === 0 && reply === null) return;
      const decoded = decodeMessage(frame);
      if (!decoded.ok) return;
      const told = reply?.(decoded.value, peer) ?? null;
      if (told !== null) return void send(peer, channelOf(told), encodeMessage(told));
      take(peer, decoded.value, frame.length);
    },
  };
}

/** Whether a message is meant as the answer to a request; what it says is for the asker to judge. */
function answers(request: Message, answer: Message): boolean {
  switch (request.type) {
    case 'request-epochs':
      return answer.type === 'epochs';
    case 'request-snapshot':
      return answer.type === 'snapshot';
    case 'request-state':
      return answer.type === 'state' && answer.height === request.height;
    case 'request-tiles':
      return answer.type === 'tiles' && answer.size === request.size;
    case 'request-outcome':
      return answer.type === 'outcome' && answer.height === request.height;
    case 'request-block':
      return answer.type === 'block' && equalBytes(answer.block.digest, request.digest);
    case 'request-batch':
      return answer.type === 'batch' && equalBytes(answer.batch.digest, request.digest);
    case 'request-chain':
      return answer.type === 'chain' && answer.blocks[0]?.header.height === request.from;
    case 'request-boundary':
      // A replica beside this is told finalizations all the time, of the epoch that it is in.
      return (
        answer.type === 'certificate' &&
        answer.certificate.vote.type === 'finalize' &&
        answer.certificate.vote.proposal.epoch === request.epoch
      );
    case 'request-checkpoint':
      return answer.type === 'checkpoint-signatures' && areOf(request.height, answer.signatures);
    default:
      return false;
  }
}

/** Signatures of a height; none are the answer of who has none of any. */
function areOf(height: number, signatures: readonly CheckpointSignature[]): boolean {
  return signatures.length === 0 || signatures.some(({ statement }) => statement.height === height);
}
