/** Handing one transaction in for a command: at once, or until its receipt is there. */
import type { Client, Delivered } from '@cairn-ledger/sdk';
import { orFail } from './exit-code.ts';
import { say, sayJson } from './output.ts';
import { type SavedReceipt, savedText, saveReceipt } from './receipt-files.ts';

export type DeliveryOptions = {
  readonly wait?: boolean;
  readonly save?: string;
  readonly json?: boolean;
  readonly timeout?: number;
};

export async function handIn(client: Client, transaction: Uint8Array, options: DeliveryOptions): Promise<void> {
  const timeoutMs = (options.timeout ?? 60) * 1000;
  if (options.wait !== true && options.save === undefined) {
    const answer = orFail(await client.submit(transaction, { timeoutMs }));
    if (options.json === true) sayJson({ id: answer.id, status: answer.status });
    else {
      say(`${answer.id}  ${answer.status === 'pending' ? 'taken in, not ordered yet' : answer.status}`);
      say(`  cairn show ${answer.id}`);
    }
    return;
  }
  const delivered = orFail(await client.deliver(transaction, { timeoutMs }));
  const saved = options.save === undefined ? null : saveReceipt(options.save, delivered);
  printDelivered(delivered, saved, options);
}

function printDelivered(delivered: Delivered, saved: SavedReceipt | null, options: DeliveryOptions): void {
  const { id, verified } = delivered;
  if (options.json === true) {
    sayJson({
      id,
      status: 'accepted',
      height: verified.height,
      leafIndex: verified.leafIndex,
      signers: verified.signers,
      saved,
    });
    return;
  }
  say(`${id}  accepted at height ${verified.height}`);
  say(`receipt verified: leaf ${verified.leafIndex}, signed by ${verified.signers.join(', ')}`);
  if (saved === null) return;
  say(`saved ${savedText(saved)}; check them offline:`);
  say(`  cairn verify ${saved.receipt}`);
}
