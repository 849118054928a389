import { readFileSync } from 'node:fs';
import { toHex } from '@cairn-ledger/core';
import { describeTransaction, verifyReceiptOf } from '@cairn-ledger/sdk';
import { Command } from 'commander';
import { CommandFailed, orFail } from '../exit-code.ts';
import { genesisOf, type NetworkOptions } from '../network.ts';
import { say, sayJson, style } from '../output.ts';

export function verifyCommand(): Command {
  return new Command('verify')
    .description('verify a receipt and its transaction against a genesis file, offline')
    .argument('<receipt>', 'receipt file, as saved by `cairn send --save` or `cairn show --save`')
    .argument('[transaction]', 'transaction file (default: the receipt file with .cose in place of .receipt)')
    .option('--genesis <file>', 'genesis of the network: what you trust (default: the one of the network file)')
    .option('--network <file>', 'network file that names the genesis')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  $ cairn verify first.receipt first.cose --genesis genesis.cbor
  $ cairn verify first.receipt --json

No node is asked: the signatures of a quorum and a path of hashes are all that is needed.
Exit code 4 means that the receipt does not verify.`,
    )
    .action(
      (receiptPath: string, transactionPath: string | undefined, options: NetworkOptions & { json?: boolean }) => {
        const genesis = genesisOf(options);
        const receipt = readBytes(receiptPath);
        const transaction = readBytes(transactionPath ?? receiptPath.replace(/(\.receipt)?$/, '.cose'));
        const verified = orFail(verifyReceiptOf(genesis.anchor, receipt, transaction));
        const content = orFail(describeTransaction(transaction));
        if (options.json === true) {
          sayJson({
            verified: true,
            ledger: genesis.ledgerHash,
            ...verified,
            quorum: genesis.anchor.quorum,
            transaction: content,
          });
          return;
        }
        say(style('green', `verified: transaction ${verified.id} stands in the ledger "${genesis.genesis.name}"`));
        say(`ledger      ${toHex(genesis.ledgerHash)} (hash of the genesis file)`);
        say(
          `place       leaf ${verified.leafIndex} of ${verified.historySize}, in the history certified at height ${verified.height}`,
        );
        say(`block time  ${verified.time}`);
        say(
          `signed by   ${verified.signers.join(', ')} (${verified.signers.length} of ${genesis.anchor.validators.length} validators; a quorum is ${genesis.anchor.quorum})`,
        );
        say(`key         ${content.kid}`);
        for (const line of content.lines) say(`            ${line}`);
      },
    );
}

function readBytes(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new CommandFailed({
      code: 'usage.unreadable',
      message: `${path} cannot be read: ${(error as Error).message}`,
    });
  }
}
