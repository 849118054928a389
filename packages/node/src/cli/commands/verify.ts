import {
  anchorToChain,
  type EpochChain,
  followEpochs,
  newestAnchor,
  nobleVerifier,
  type TrustAnchor,
  toHex,
} from '@cairn-ledger/core';
import { describeTransaction, type VerifiedReceipt, verifyReceiptOf } from '@cairn-ledger/sdk';
import { Command } from 'commander';
import { CommandFailed, orFail } from '../exit-code.ts';
import { genesisOf, type NetworkOptions } from '../network.ts';
import { say, sayJson, style } from '../output.ts';
import { readAnchorFile, readReceiptFiles, saveAnchor } from '../receipt-files.ts';

type VerifyOptions = Pick<NetworkOptions, 'genesis' | 'network'> & {
  readonly anchor?: string;
  readonly epochs?: string;
  readonly saveAnchor?: string;
  readonly json?: boolean;
};

/** What is trusted to begin with, and its name for people. */
type Trust = { readonly anchor: TrustAnchor; readonly ledgerName: string | null; readonly from: string };

export function verifyCommand(): Command {
  return new Command('verify')
    .description('verify a receipt and its transaction against a genesis file, offline')
    .argument('<receipt>', 'receipt file, as saved by `cairn send --save` or `cairn show --save`')
    .argument('[transaction]', 'transaction file (default: the receipt file with .cose in place of .receipt)')
    .option('--genesis <file>', 'genesis of the network: what you trust (default: the one of the network file)')
    .option('--network <file>', 'network file that names the genesis')
    .option('--epochs <file>', 'proofs of the changes of validators (default: the receipt file with .epochs)')
    .option('--anchor <file>', 'trust this anchor in place of the genesis')
    .option('--save-anchor <file>', 'write the newest validators that the proofs lead to, as an anchor for --anchor')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  $ cairn verify first.receipt first.cose --genesis genesis.cbor
  $ cairn verify first.receipt --json
  $ cairn verify first.receipt --save-anchor here.anchor     keep what the proofs led to
  $ cairn verify later.receipt --anchor here.anchor          begin from there

No node is asked: the signatures of a quorum and a path of hashes are all that is needed. Where the validators have changed,
the proofs of the changes lead from the genesis to those that signed; \`cairn send --save\` and \`cairn show --save\` write them
beside the receipt. Exit code 4 means that the receipt does not verify.`,
    )
    .action((receiptPath: string, transactionPath: string | undefined, options: VerifyOptions) => {
      const trust = chooseTrust(options);
      const { receipt, transaction, proofs } = readReceiptFiles(receiptPath, transactionPath, options.epochs);
      const chain = orFail(followEpochs(anchorToChain(trust.anchor), proofs, nobleVerifier));
      const verified = orFail(verifyReceiptOf(chain, receipt, transaction));
      if (options.saveAnchor !== undefined) saveAnchor(options.saveAnchor, newestAnchor(chain));
      if (options.json === true) printJson(trust, chain, verified, transaction, options);
      else printText(trust, chain, verified, transaction, options);
    });
}

function chooseTrust(options: VerifyOptions): Trust {
  if (options.anchor === undefined) {
    const { anchor, genesis } = genesisOf(options);
    return { anchor, ledgerName: genesis.name, from: 'the genesis' };
  }
  const anchor = readAnchorFile(options.anchor);
  const from = `the anchor ${options.anchor}`;
  if (options.genesis === undefined) return { anchor, ledgerName: null, from };
  const genesis = genesisOf(options);
  if (toHex(genesis.ledgerHash) !== toHex(anchor.ledgerHash)) {
    throw new CommandFailed({
      code: 'anchor.wrong-ledger',
      message: `the anchor ${options.anchor} is of another ledger than the genesis ${options.genesis}`,
    });
  }
  return { anchor, ledgerName: genesis.genesis.name, from };
}

function printJson(
  { anchor }: Trust,
  chain: EpochChain,
  verified: VerifiedReceipt,
  transaction: Uint8Array,
  options: VerifyOptions,
): void {
  sayJson({
    verified: true,
    ledger: anchor.ledgerHash,
    ...verified,
    trust: options.anchor === undefined ? 'genesis' : 'anchor',
    ...(options.saveAnchor !== undefined && {
      savedAnchor: { file: options.saveAnchor, epoch: newestAnchor(chain).epoch },
    }),
    transaction: orFail(describeTransaction(transaction)),
  });
}

function printText(
  { anchor, ledgerName, from }: Trust,
  chain: EpochChain,
  verified: VerifiedReceipt,
  transaction: Uint8Array,
  options: VerifyOptions,
): void {
  const content = orFail(describeTransaction(transaction));
  const ledger = ledgerName === null ? 'the ledger of the anchor' : `the ledger "${ledgerName}"`;
  say(style('green', `verified: transaction ${verified.id} stands in ${ledger}`));
  say(`ledger      ${toHex(anchor.ledgerHash)} (hash of the genesis file)`);
  say(`trust       ${trustText(from, verified)}`);
  say(
    `place       leaf ${verified.leafIndex} of ${verified.historySize}, in the history certified at height ${verified.height}`,
  );
  say(`block time  ${verified.time}`);
  say(
    `signed by   ${verified.signers.join(', ')} (${verified.signers.length} of ${verified.validators} validators; a quorum is ${verified.quorum})`,
  );
  say(`key         ${content.kid}`);
  for (const line of content.lines) say(`            ${line}`);
  if (options.saveAnchor !== undefined) {
    say(`saved       the validators of epoch ${newestAnchor(chain).epoch}, as anchor, in ${options.saveAnchor}`);
  }
}

function trustText(
  from: string,
  { anchorEpoch, membershipChanges, epoch }: Pick<VerifiedReceipt, 'anchorEpoch' | 'membershipChanges' | 'epoch'>,
): string {
  if (membershipChanges === 0) return `${from}, epoch ${anchorEpoch}: its validators signed`;
  const changes = membershipChanges === 1 ? '1 change of validators' : `${membershipChanges} changes of validators`;
  return `${from}, epoch ${anchorEpoch}, and from there over ${changes}, each proven, to epoch ${epoch}`;
}
