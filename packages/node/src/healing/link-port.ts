/**
 * Asking peers over a transport that nobody else uses: requests go out as frames, and what comes back is given to whoever asked
 * for it. Frames that nobody asked for are dropped. While it is used no replica runs.
 */
import { type Channel, channelOf, decodeMessage, encodeMessage, equalBytes, type Message } from '@cairn-ledger/core';
import type { HealingPort, PeerAnswer } from './peers.ts';

type Asked = {
  readonly request: Message;
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
    const asked = open.get(peer)?.find(({ request }) => answers(request, message));
    asked?.settle({ message, bytes });
    return asked !== undefined;
  }

  return {
    takesAnswer: (peer, message) => take(peer, message, 0),
    peers: () => [...linked],
    ask(peer, request, signal) {
      return new Promise((resolve) => {
        const asked: Asked = {
          request,
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
      return answer.type === 'certificate' && answer.certificate.vote.type === 'finalize';
    case 'request-checkpoint':
      return answer.type === 'checkpoint-signatures';
    default:
      return false;
  }
}
