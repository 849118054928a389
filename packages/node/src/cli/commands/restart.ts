import { readFileSync, writeFileSync } from 'node:fs';
import {
  equalBytes,
  restartDigest,
  restartSignedBytes,
  type SignedRestart,
  toHex,
  withRestartSignature,
} from '@cairn-ledger/core';
import { Command } from 'commander';
import { draftRestart } from '../../restart/draft.ts';
import { parsePreparation, preparationToJson } from '../../restart/preparation.ts';
import { readRestartFile, restartPath, writeRestartFile } from '../../restart/restart-files.ts';
import { readStopped, restartStateIn, standingOf } from '../../restart/standing.ts';
import { CommandFailed, orFail } from '../exit-code.ts';
import { note, say, sayJson, style } from '../output.ts';
import { restartToAnchor, saveAnchor } from '../receipt-files.ts';
import { keyInUse } from '../signing.ts';

type Json = { readonly json?: boolean };
type DraftOptions = Json & { readonly out: string; readonly without?: string[]; readonly lose?: boolean };

const examples = `
Examples:
  $ cairn restart prepare /var/lib/cairn --out node-1.json      at every node, stopped
  $ cairn restart draft node-*.json --out restart.cbor          once
  $ cairn restart sign restart.cbor --key alder.person.key      more than two thirds of the members, one after the other
  $ cairn restart apply /var/lib/cairn restart.cbor             at every node, stopped; then start it

For a network that cannot go on by itself, because more than f validators have lost their records or all data is gone. The members
decide, outside of the ledger, that its epoch ends above the highest block known, and that the same validators go on
with the records they have now. docs/operations.md, "Restart", says when this is right, and what may be lost.`;

export function restartCommand(): Command {
  const restart = new Command('restart').description('let the members restart a network that cannot go on by itself');
  restart.addHelpText('after', examples);
  restart
    .command('prepare')
    .description('print how a stopped node stands; a safety record that was lost gets its life number here')
    .argument('<folder>', 'folder of the node')
    .option('--out <file>', 'write it there')
    .addHelpText('after', '\nExample:\n  $ cairn restart prepare /var/lib/cairn --out node-1.json')
    .action(prepare);
  restart
    .command('draft')
    .description(
      'make a restart document of what `prepare` printed at the nodes; it counts once the members have signed it',
    )
    .argument('<preparation...>', 'what `prepare` wrote, of as many nodes as there are')
    .requiredOption('--out <file>', 'the document')
    .option('--without <validator...>', 'validators that do not go on, as if they were voted out')
    .option('--lose', 'go on although a node knows of blocks that none of these has')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nExample:\n  $ cairn restart draft node-1.json node-2.json node-3.json node-4.json --out restart.cbor',
    )
    .action(draft);
  restart
    .command('sign')
    .description('add the signature of a member to a restart document')
    .argument('<document>', 'restart document; the signature is added to it')
    .option('--key <file>', 'key of a person of the member (default: $CAIRN_KEY)')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  $ cairn restart sign restart.cbor --key alder.person.key')
    .action(sign);
  restart
    .command('show')
    .description('print what a restart document says')
    .argument('<document>', 'restart document')
    .option('--save-anchor <file>', 'write its validators as an anchor, for `cairn verify --anchor`')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  $ cairn restart show restart.cbor')
    .action(show);
  restart
    .command('apply')
    .description('give a restart document to a stopped node; it acts on it at its next start')
    .argument('<folder>', 'folder of the node')
    .argument('<document>', 'restart document, signed by more than two thirds of the members')
    .option('--lose', 'give up what this node has voted to finalize above, and does not know to be final')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Example:
  $ cairn restart apply /var/lib/cairn restart.cbor

The node must be stopped. Everything is held against its own chain: it refuses where it has finalized a block above the one
that the document names, or another one there. Where its chain has yet to get there, or is gone, it follows its peers up to that
block after its start, signs nothing meanwhile, and checks the document then. Applying it twice changes nothing.`,
    )
    .action(apply);
  return restart;
}

async function prepare(folder: string, options: { readonly out?: string }): Promise<void> {
  const standing = orFail(await standingOf(folder));
  const prepared = preparationToJson(standing);
  if (options.out === undefined) return sayJson(prepared);
  try {
    writeFileSync(options.out, `${JSON.stringify(prepared, null, 2)}\n`);
  } catch (cause) {
    const message = `${options.out} cannot be written: ${(cause as Error).message}`;
    throw new CommandFailed({ code: 'restart.unwritable', message });
  }
  const { nodeId, point, isLost } = standing;
  say(`${nodeId} ends with block ${point.height} of epoch ${point.epoch}: ${options.out}`);
  if (isLost)
    say('Its safety record is lost: it goes on with a new life number once the members have signed for that.');
}

function draft(paths: readonly string[], options: DraftOptions): void {
  const standings = paths.map((path) => {
    const parsed = parsePreparation(readText(path));
    return orFail(
      parsed.ok ? parsed : { ok: false, error: { ...parsed.error, message: `${path}: ${parsed.error.message}` } },
    );
  });
  const drafted = orFail(draftRestart(standings, { without: options.without ?? [], isLosing: options.lose === true }));
  orFail(writeRestartFile(options.out, drafted.signed));
  const { renewed, unprepared } = drafted;
  if (options.json === true) return sayJson({ file: options.out, ...factsOf(drafted.signed), renewed, unprepared });
  // Who is alone with the highest block can be wrong about it, and nobody else could go on then: it must be seen.
  for (const { nodeId, point, isLost } of standings)
    say(`stands      ${nodeId}: block ${point.height} of epoch ${point.epoch}${isLost ? ', record lost' : ''}`);
  printDocument(drafted.signed);
  say(`renewed     ${renewed.length === 0 ? 'none' : renewed.join(', ')}`);
  for (const id of unprepared) note(`${id} has said nothing: it goes on only if its safety record is whole.`);
  say('');
  say(`Compare the digest by another way than ${options.out} goes. Then more than two thirds of the members sign it:`);
  say(`  cairn restart sign ${options.out} --key <person.key>`);
}

function sign(path: string, options: Json & { readonly key?: string }): void {
  const signed = orFail(readRestartFile(path, null));
  const { signer } = keyInUse(options.key, 'person');
  const added = withRestartSignature(signed, { kid: signer.kid, signature: signer.sign(restartSignedBytes(signed)) });
  orFail(writeRestartFile(path, added));
  if (options.json === true) return sayJson({ file: path, ...factsOf(added) });
  printDocument(added);
}

function show(path: string, options: Json & { readonly saveAnchor?: string }): void {
  const signed = orFail(readRestartFile(path, null));
  if (options.saveAnchor !== undefined) saveAnchor(options.saveAnchor, restartToAnchor(signed));
  if (options.json === true) return sayJson({ file: path, ...factsOf(signed), validators: signed.restart.validators });
  printDocument(signed);
  if (options.saveAnchor !== undefined) say(`saved       its validators, as anchor, in ${options.saveAnchor}`);
}

async function apply(folder: string, path: string, options: Json & { readonly lose?: boolean }): Promise<void> {
  const { config, founding } = orFail(readStopped(folder));
  const signed = orFail(readRestartFile(path, founding.ledgerHash));
  const { epoch, height } = signed.restart.block.header;
  const target = restartPath(config.keysDir, epoch);
  const before = founding.restarts.get(epoch);
  if (before !== undefined && !equalBytes(restartDigest(before), restartDigest(signed)))
    throw new CommandFailed({
      code: 'restart.other-document',
      message: `${target} ends epoch ${epoch} otherwise: the members have signed two documents for one epoch; find out which one is theirs`,
    });
  // A node whose chain has yet to get there can't tell who has signed; that nobody has it can.
  if (signed.signatures.length === 0)
    throw new CommandFailed({ code: 'restart.too-few-members', message: `nobody has signed ${path} yet` });
  const state = orFail(await restartStateIn(folder, signed, options.lose === true));
  // Of what was given before it got there more members may have signed since.
  if (before === undefined || state !== 'applied') orFail(writeRestartFile(target, signed));
  if (options.json === true) return sayJson({ node: config.validatorId, file: target, state, ...factsOf(signed) });
  printDocument(signed);
  const texts = {
    applied: `${config.validatorId} has gone on with epoch ${epoch + 1} already.`,
    ready: `${config.validatorId} begins epoch ${epoch + 1} above block ${height} when it starts.`,
    below: `${config.validatorId} follows its peers to block ${height - 1} when it starts, and begins epoch ${epoch + 1} above it.`,
  };
  say(style('green', texts[state]));
  if (state === 'below')
    note(
      'Its signatures are checked there. Where its chain is gone nothing is there to check them by: compare the digest.',
    );
  const later = state === 'applied' ? [] : [...founding.restarts.keys()].filter((other) => other > epoch);
  for (const other of later)
    note(
      `${restartPath(config.keysDir, other)} ends a later epoch: if it is of a chain that is given up, take it away.`,
    );
}

function factsOf(signed: SignedRestart): Readonly<Record<string, unknown>> {
  const { restart, signatures } = signed;
  const { epoch, height, parent } = restart.block.header;
  return {
    digest: toHex(restartDigest(signed)),
    ledger: restart.ledgerHash,
    endsEpoch: epoch,
    height: height - 1,
    block: parent,
    goOn: restart.validators.map(({ id }) => id),
    signedBy: signatures.map(({ kid }) => kid),
  };
}

function printDocument(signed: SignedRestart): void {
  const { restart, signatures } = signed;
  const { epoch, height, parent } = restart.block.header;
  say(`digest      ${style('bold', toHex(restartDigest(signed)))}`);
  say(`ledger      ${toHex(restart.ledgerHash)}`);
  say(`ends        epoch ${epoch} above block ${height - 1}, ${toHex(parent)}`);
  say(`go on       ${restart.validators.map(({ id }) => id).join(', ')}`);
  say(`signed by   ${signatures.length === 0 ? 'nobody yet' : signatures.map(({ kid }) => toHex(kid)).join(', ')}`);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new CommandFailed({
      code: 'usage.unreadable',
      message: `${path} cannot be read: ${(cause as Error).message}`,
    });
  }
}
