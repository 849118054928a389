/** One link between two processes of the benchmark: the transport of nodes, TLS on loopback, and the messages of nodes. */
import { channelOf, decodeMessage, encodeMessage, type Message } from '../packages/core/src/index.ts';
import type { HealingPort, PeerAnswer } from '../packages/node/src/healing/peers.ts';
import { createTlsTransport, type TlsTransport } from '../packages/node/src/transport/tls-transport.ts';
import type { PeerAddress } from '../packages/node/src/transport/transport.ts';

export type LinkOptions = {
  readonly id: string;
  readonly linkSecretKey: Uint8Array;
  readonly ledgerHash: Uint8Array;
  readonly peer: PeerAddress;
};

/** Answers every request of the peer. */
export async function serveOverLink(
  options: LinkOptions,
  serve: (request: Message) => Message | null,
): Promise<TlsTransport> {
  const transport = openLink(options, {
    onMessage(message) {
      const answer = serve(message);
      if (answer !== null) transport.send(options.peer.id, channelOf(answer), encodeMessage(answer));
    },
    onUp: () => {},
  });
  await transport.start();
  return transport;
}

const answerTypes: Partial<Record<Message['type'], readonly Message['type'][]>> = {
  'request-epochs': ['epochs'],
  'request-snapshot': ['snapshot'],
  'request-state': ['state'],
  'request-tiles': ['tiles'],
  'request-outcome': ['outcome'],
  'request-chain': ['chain'],
  'request-block': ['block'],
  'request-batch': ['batch'],
  'request-checkpoint': ['checkpoint-signatures'],
};

type Waiting = { readonly types: readonly Message['type'][]; readonly settle: (answer: PeerAnswer) => void };

/** Resolves when the peer is linked. It answers in order, so an answer is the first one of its type that is waited for. */
export async function askOverLink(options: LinkOptions): Promise<{ port: HealingPort; stop(): Promise<void> }> {
  const waiting: Waiting[] = [];
  const up = Promise.withResolvers<void>();
  const transport = openLink(options, {
    onMessage(message, bytes) {
      const at = waiting.findIndex(({ types }) => types.includes(message.type));
      if (at >= 0) waiting.splice(at, 1)[0]!.settle({ message, bytes });
    },
    onUp: () => up.resolve(),
  });
  await transport.start();
  await up.promise;
  const port: HealingPort = {
    peers: () => [options.peer.id],
    ask(peer, request, signal) {
      return new Promise((resolve) => {
        const own: Waiting = { types: answerTypes[request.type] ?? [], settle: resolve };
        waiting.push(own);
        signal.addEventListener('abort', () => {
          const at = waiting.indexOf(own);
          if (at >= 0) waiting.splice(at, 1);
          resolve(null);
        });
        transport.send(peer, channelOf(request), encodeMessage(request));
      });
    },
  };
  return { port, stop: () => transport.stop() };
}

function openLink(
  { peer, ...own }: LinkOptions,
  events: { readonly onMessage: (message: Message, bytes: number) => void; readonly onUp: () => void },
): TlsTransport {
  return createTlsTransport({
    ...own,
    listen: { host: '127.0.0.1', port: 0 },
    peers: [peer],
    events: {
      onFrame(_, __, frame) {
        const message = decodeMessage(frame);
        if (!message.ok) throw new Error(message.error.message);
        events.onMessage(message.value, frame.length);
      },
      onConnected: events.onUp,
      onDisconnected() {},
    },
  });
}
