/** Handing one transaction in for a command: at once, or until its receipt is there; and saving what proves it. */
import { writeFileSync } from 'node:fs';
import type { Client, Delivered } from '@cairn-ledger/sdk';
import { orFail } from './exit-code.ts';
import { say, sayJson } from './output.ts';

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

/** Writes `<path>` and, beside it, the transaction the receipt covers. */
export function saveReceipt(
  path: string,
  delivered: Pick<Delivered, 'receipt' | 'transaction'>,
): { readonly receipt: string; readonly transaction: string } {
  const transaction = path.replace(/(\.receipt)?$/, '.cose');
  writeFileSync(path, delivered.receipt);
  writeFileSync(transaction, delivered.transaction);
  return { receipt: path, transaction };
}

function printDelivered(
  delivered: Delivered,
  saved: ReturnType<typeof saveReceipt> | null,
  options: DeliveryOptions,
): void {
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
  say(`saved ${saved.receipt} and ${saved.transaction}; check them offline:`);
  say(`  cairn verify ${saved.receipt}`);
}
