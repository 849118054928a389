import { readFileSync, writeFileSync } from 'node:fs';
import { type Reading, signTransaction, type TransferInput, textToReading, transactionIdOf } from '@cairn-ledger/sdk';
import { Command } from 'commander';
import { amountToUnits } from '../amount-text.ts';
import { type DeliveryOptions, handIn } from '../delivery.ts';
import { CommandFailed, orFail } from '../exit-code.ts';
import { timeTextToSeconds } from '../feed/time-text.ts';
import { connect, type GenesisFile, genesisOf, type NetworkOptions, withNetworkOptions } from '../network.ts';
import { say, sayJson } from '../output.ts';
import { parsePositive } from '../parse.ts';
import { keyInUse, takeCounter } from '../signing.ts';

type SendOptions = NetworkOptions &
  DeliveryOptions & {
    readonly key?: string;
    readonly time?: string;
    readonly pay?: string[];
    readonly from?: string;
    readonly for?: string;
    readonly expires?: number;
    readonly out?: string;
    readonly file?: string;
  };

export function sendCommand(): Command {
  return withNetworkOptions(
    new Command('send').description('sign readings, payments or both as one transaction, and hand it in'),
  )
    .argument('[readings...]', 'name=value or name=value:unit')
    .option('--key <file>', 'key to sign with (default: $CAIRN_KEY, else the desk device of a development network)')
    .option('--time <time>', 'time of the readings (default: now)')
    .option('--pay <account=amount:asset...>', 'payment in the same transaction: all of it applies, or nothing')
    .option('--from <account>', 'account to pay from (default: the signing key’s own)')
    .option('--for <member/device>', 'a gateway’s key signs for this device of its member')
    .option('--expires <seconds>', 'the transaction is void when not ordered so soon', parsePositive)
    .option('--wait', 'wait for the receipt and verify it')
    .option('--timeout <seconds>', 'how long to try', parsePositive, 60)
    .option('--save <file>', 'save the verified receipt, and beside it the transaction and the proofs it needs (waits)')
    .option('--out <file>', 'only sign, and write the transaction to a file')
    .option('--file <file>', 'hand in a transaction that was signed before')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  $ cairn send temperature=21.50:Cel humidity=48:%RH --wait
  $ cairn send temperature=21.5:Cel --pay birch=2.50:eur --save first.receipt
  $ cairn send door=true --key truck.key --out door.cose    sign now
  $ cairn send --file door.cose --wait                      hand in later

It is safe to hand in the same transaction again: it is known by its id.`,
    )
    .action(async (readings: string[], options: SendOptions) => {
      const genesis = genesisOf(options);
      const transaction =
        options.file === undefined
          ? await signOne(readings, genesis, options)
          : readTransaction(options.file, readings);
      if (options.out === undefined) return handIn(connect(options, genesis), transaction, options);
      writeFileSync(options.out, transaction);
      const id = orFail(transactionIdOf(transaction));
      if (options.json === true) sayJson({ id, file: options.out });
      else say(`${id}  signed, in ${options.out}. Hand it in: cairn send --file ${options.out} --wait`);
    });
}

async function signOne(texts: readonly string[], genesis: GenesisFile, options: SendOptions): Promise<Uint8Array> {
  const nowSeconds = (Date.now() / 1000).toFixed(3);
  const time = options.time === undefined ? nowSeconds : orFail(timeTextToSeconds(options.time));
  const readings: Reading[] = texts.map((text) => orFail(textToReading(text, time)));
  const transfers = (options.pay ?? []).map((text) => readPayment(text, genesis, options.from));
  if (readings.length === 0 && transfers.length === 0) {
    throw new CommandFailed({
      code: 'usage.nothing-to-send',
      message: 'give readings (temperature=21.5:Cel), payments (--pay), or --file',
    });
  }
  const key = keyInUse(options.key, 'device');
  const counter = await takeCounter(key);
  const expiresSeconds = options.expires === undefined ? undefined : Math.floor(Date.now() / 1000) + options.expires;
  return orFail(
    signTransaction(
      {
        ledgerHash: genesis.ledgerHash,
        counter,
        readings,
        transfers,
        ...(options.for !== undefined && { device: options.for }),
        ...(expiresSeconds !== undefined && { expiresSeconds }),
      },
      key.signer,
    ),
  );
}

/** `account=amount:asset`, the amount in whole units with decimals, as the asset has them. */
function readPayment(text: string, { genesis }: GenesisFile, from: string | undefined): TransferInput {
  const match = /^([a-z0-9-]+(?:\/[a-z0-9-]+)?)=([0-9.]+):([a-z0-9-]+)$/.exec(text);
  if (match === null) {
    throw new CommandFailed({
      code: 'usage.bad-payment',
      message: `--pay ${text}: write it as account=amount:asset, for example birch=2.50:eur`,
    });
  }
  const [, to, amount, asset] = match;
  const decimals = genesis.assets.find((known) => known.id === asset)?.decimals;
  if (decimals === undefined) {
    const ids = genesis.assets.map((known) => known.id).join(', ') || 'none';
    throw new CommandFailed({
      code: 'usage.unknown-asset',
      message: `--pay ${text}: there is no asset ${asset}; the network has ${ids}`,
    });
  }
  return {
    to: to!,
    asset: asset!,
    amount: orFail(amountToUnits(amount!, decimals)),
    ...(from !== undefined && { from }),
  };
}

function readTransaction(path: string, readings: readonly string[]): Uint8Array {
  if (readings.length > 0)
    throw new CommandFailed({
      code: 'usage.file-and-readings',
      message: '--file hands in what was signed before; leave readings out',
    });
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new CommandFailed({
      code: 'usage.unreadable',
      message: `${path} cannot be read: ${(error as Error).message}`,
    });
  }
}
