/**
 * Reads at a node that is attacked, all the time, and compares with what is known to be true: the balance that somebody
 * tampers with, readings that were sent, receipts. No answer, and a refusal, are not wrong; a wrong answer is.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@cairn-ledger/sdk';
import type { DrillLoad, Sent } from './drill-load.ts';
import type { DrillNetwork, DrillNode } from './drill-network.ts';

const everyMs = 80;
const timeoutMs = 1_000;
/** No payment of the drill touches it. */
export const watchedAccount = 'birch';
export const watchedAsset = 'eur';
/** What the client says of an answer that does not hold, not of one that did not come. */
const wrongCodes = /^(proof|receipt|checkpoint|verify)\.|^client\.bad-answer$/;
/** Of an epoch that the node cannot prove yet: the client knows nobody who could have signed it, and refuses. */
const unprovenCode = 'receipt.unknown-epoch';

export type WrongAnswer = { readonly node: string; readonly atMs: number; readonly what: string };

export type TruthReader = {
  readonly wrong: readonly WrongAnswer[];
  /** Answers that were compared. */
  answers(): number;
  stop(): Promise<void>;
};

export function startTruthReader(network: DrillNetwork, node: DrillNode, load: DrillLoad): TruthReader {
  const wrong: WrongAnswer[] = [];
  const client = createClient({ nodes: [node.http], timeoutMs, anchor: network.genesis.anchor });
  const { balances } = network.genesis.genesis;
  const truth = balances.find(({ account, asset }) => account === watchedAccount && asset === watchedAsset)!.amount;
  let answers = 0;
  let isOver = false;

  async function readAccount(): Promise<void> {
    const answer = await client.account(watchedAccount);
    if (!answer.ok) return;
    answers++;
    const shown = answer.value.balances.find(({ asset }) => asset === watchedAsset)?.amount ?? '0';
    if (shown !== String(truth)) note(`${watchedAccount} holds ${shown} of ${watchedAsset}, in truth ${truth}`);
  }

  async function readReading({ id, device, timeMs, value }: Sent): Promise<void> {
    const page = await client.readings(device, { from: String(timeMs), to: String(timeMs + 1), limit: 1 });
    if (!page.ok) return;
    // A node that is behind, or says that it holds later blocks only, does not have it yet. Nor is an absence that it has no such
    // reason for counted: what the index of a view leaves out no read can tell, only the background audit. What it has
    // under this time must be this.
    const [first] = page.value.readings;
    if (first === undefined) return;
    answers++;
    const shown = typeof first.value === 'object' ? first.value?.text : String(first.value);
    if (first.transaction !== id || shown !== value) note(`a reading of ${device} is ${shown}, in truth ${value}`);
  }

  async function readReceipt({ id }: Sent): Promise<void> {
    const receipt = await client.receipt(id);
    if (receipt.ok) answers++;
    else if (wrongCodes.test(receipt.error.code) && receipt.error.code !== unprovenCode) {
      answers++;
      note(`the receipt of ${id.slice(0, 16)} does not hold: ${receipt.error.code}`);
    }
  }

  function note(what: string): void {
    wrong.push({ node: node.id, atMs: Date.now(), what });
  }

  const running = (async () => {
    for (let turn = 0; !isOver; turn++) {
      const sent = load.accepted[Math.floor(Math.random() * load.accepted.length)];
      const read =
        turn % 3 === 0 || sent === undefined ? readAccount() : turn % 3 === 1 ? readReading(sent) : readReceipt(sent);
      // What throws is no answer.
      await read.catch(() => undefined);
      await sleep(everyMs);
    }
  })();

  return {
    wrong,
    answers: () => answers,
    async stop() {
      isOver = true;
      await running;
    },
  };
}
