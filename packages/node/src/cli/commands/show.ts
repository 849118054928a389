import { base64urlToBytes } from '@cairn-ledger/core';
import { createClient, describeTransaction } from '@cairn-ledger/sdk';
import { Command } from 'commander';
import { CommandFailed, orFail } from '../exit-code.ts';
import { genesisOf, type NetworkOptions, nodesOf, tokenOf, trustOf, withNetworkOptions } from '../network.ts';
import { say, sayJson, style } from '../output.ts';
import { savedText, saveReceipt } from '../receipt-files.ts';

type ShowOptions = NetworkOptions & { readonly save?: string; readonly bytes?: boolean; readonly json?: boolean };

export function showCommand(): Command {
  return withNetworkOptions(new Command('show').description('show a transaction as a node has it'))
    .argument('<id>', 'transaction id, 64 hexadecimal digits')
    .option('--bytes', 'print the transaction’s bytes as ordered, in hexadecimal')
    .option('--save <file>', 'save the verified receipt, and beside it the transaction and the proofs it needs')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  $ cairn show 5f1c...e2
  $ cairn show 5f1c...e2 --node node-3 --bytes     the same bytes on another member's node
  $ cairn show 5f1c...e2 --save first.receipt`,
    )
    .action(async (id: string, options: ShowOptions) => {
      if (!/^[0-9a-fA-F]{64}$/.test(id))
        throw new CommandFailed({ code: 'usage.bad-id', message: 'a transaction id is 64 hexadecimal digits' });
      // One node is asked, so that what is shown is what that node says.
      const node = nodesOf(options)[0]!;
      const trust = options.save === undefined ? {} : trustOf(options, genesisOf(options));
      const client = createClient({ nodes: [node.http], ...tokenOf(options), ...trust, timeoutMs: 10_000 });
      const answer = orFail(await client.transaction(id.toLowerCase()));
      const bytes = answer.bytes === undefined ? null : base64urlToBytes(answer.bytes);
      const saved =
        options.save === undefined ? null : saveReceipt(options.save, orFail(await client.receipt(answer.id)));
      const content = bytes === null ? null : orFail(describeTransaction(bytes));
      if (options.json === true) {
        sayJson({ node: node.id, ...answer, ...(bytes && { bytes }), content, saved });
        return;
      }
      if (options.bytes === true) {
        if (bytes === null)
          throw new CommandFailed({
            code: 'http.not-found',
            message: `${node.id} has not ordered the transaction yet`,
          });
        say(Buffer.from(bytes).toString('hex'));
        return;
      }
      say(`${answer.id}  on ${node.id}`);
      say(
        `status      ${answer.status === 'accepted' ? style('green', 'accepted') : answer.status}${answer.certified ? ', certified' : ''}`,
      );
      if (answer.code !== undefined) say(`why         ${answer.code}: ${answer.message ?? ''}`);
      if (answer.height !== undefined)
        say(
          `place       block ${answer.height}, position ${answer.position}${answer.leafIndex === undefined ? '' : `, leaf ${answer.leafIndex}`}`,
        );
      if (answer.provenance !== undefined) say(`provenance  ${answer.provenance}`);
      if (content !== null) {
        say(`key         ${content.kid}, counter ${content.counter}`);
        for (const line of content.lines) say(`            ${line}`);
      }
      if (saved !== null) say(`saved       ${savedText(saved)}; check them: cairn verify ${saved.receipt}`);
    });
}
