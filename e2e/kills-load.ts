/**
 * Constant load on a network whose nodes come and go, and a record of what they have answered for.
 *
 * Each node has a device of its own and gets its transactions a few at a time. What got no answer, as when the node was
 * killed in the middle, is handed in again unchanged at another node (protocol.md section 2): it may stand in the history
 * or not, but never twice. What got an answer must stand there.
 */
import { signTransaction, transactionIdOf } from '@cairn-ledger/sdk';
import { signerOf } from '../packages/node/src/cli/signing.ts';
import { type E2eNetwork, orFail, sleep } from './network.ts';

const everyMs = 250;
const perTurn = 10;
const answerTimeoutMs = 1_000;
/** Kept to be handed in again; beyond, the oldest are given up: nobody has promised anything about them. */
const unansweredMax = 200;
const seriesStartMs = 1_700_000_000_000;

export type Sent = { readonly id: string; readonly device: string; readonly timeMs: number };

export type Load = {
  readonly devices: readonly string[];
  /** Answered with 202, or with the verdict "accepted". */
  readonly acknowledged: readonly Sent[];
  /** Handed in a second time, elsewhere. */
  repeatedCount(): number;
  /** By error code. */
  readonly refused: ReadonlyMap<string, number>;
  stop(): Promise<void>;
};

/** A device for each node, for the plan of the network. */
export const loadDevices = ['alder/kill-1', 'alder/kill-2', 'alder/kill-3', 'alder/kill-4'];

type Signed = Sent & { readonly bytes: Uint8Array };

export function startLoad(network: E2eNetwork): Load {
  const acknowledged: Sent[] = [];
  const refused = new Map<string, number>();
  const unanswered: Signed[][] = network.nodes.map(() => []);
  let repeated = 0;
  let isOver = false;

  async function loadNode(i: number): Promise<void> {
    const node = network.nodes[i]!;
    const next = createSigner(network, loadDevices[i % loadDevices.length]!);
    while (!isOver) {
      await sleep(everyMs);
      if (!node.isRunning()) continue;
      const again = unanswered[i]!.splice(0, perTurn);
      repeated += again.length;
      const sent = [...again, ...Array.from({ length: perTurn }, next)];
      const bytes = sent.map((transaction) => transaction.bytes);
      const outcomes = await node.client.submitMany(bytes, 0, { timeoutMs: answerTimeoutMs }).catch(() => null);
      if (outcomes?.ok !== true) {
        keepForNext(i, sent);
        continue;
      }
      outcomes.value.forEach(({ status, code }, at) => {
        const { id, device, timeMs } = sent[at]!;
        if (status === 'pending' || status === 'accepted') acknowledged.push({ id, device, timeMs });
        else refused.set(code ?? status, (refused.get(code ?? status) ?? 0) + 1);
      });
    }
  }

  function keepForNext(i: number, sent: readonly Signed[]): void {
    const queue = unanswered[(i + 1) % unanswered.length]!;
    queue.push(...sent);
    queue.splice(0, Math.max(0, queue.length - unansweredMax));
  }

  const ended = Promise.all(network.nodes.map((_, i) => loadNode(i)));
  return {
    devices: loadDevices,
    acknowledged,
    refused,
    repeatedCount: () => repeated,
    async stop() {
      isOver = true;
      await ended;
    },
  };
}

/** Transactions of one device, one reading each, a millisecond of the series apart: so they can be asked for by time. */
function createSigner(network: E2eNetwork, device: string): () => Signed {
  const signer = signerOf(network.keyPath(device));
  let counter = 0n;
  return () => {
    counter++;
    const timeMs = seriesStartMs + Number(counter);
    const time = `${Math.floor(timeMs / 1000)}.${String(timeMs % 1000).padStart(3, '0')}`;
    const readings = [{ name: 'n', time, value: { type: 'number' as const, text: String(counter) } }];
    const bytes = orFail(signTransaction({ ledgerHash: network.ledgerHash, counter, readings }, signer));
    return { id: orFail(transactionIdOf(bytes)), device, timeMs, bytes };
  };
}
