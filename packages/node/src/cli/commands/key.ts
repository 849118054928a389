import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type KeyAlgorithm, toHex } from '@cairn-ledger/core';
import { createKey, publicKeyToText } from '@cairn-ledger/sdk';
import { Command, Option } from 'commander';
import { readKeyFile, writeKeyFile } from '../../keys/key-file.ts';
import { createNodeKeys } from '../../keys/node-keys.ts';
import { markUnused } from '../../keys/unused-record.ts';
import { orFail } from '../exit-code.ts';
import { nodePublicKeys } from '../founding/node-public-keys.ts';
import { say, sayJson } from '../output.ts';

export function keyCommand(): Command {
  const key = new Command('key').description('make and look at keys');
  key
    .command('new')
    .description('make a key file (0600); prints its public part, which a member registers with `cairn device add`')
    .argument('<file>', 'where to write it; with --node the folder of the node')
    .addOption(new Option('--algorithm <name>', 'signature algorithm').choices(['ed25519', 'p256']).default('ed25519'))
    .option('--node', 'make the four keys of a node, and public.json for whoever writes the genesis')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  $ cairn key new sensor.key
  $ cairn key new sensor.key --algorithm p256
  $ cairn key new /var/lib/cairn --node         keys/*.key and public.json`,
    )
    .action((file: string, options: { algorithm: KeyAlgorithm; node?: boolean; json?: boolean }) =>
      options.node === true ? newNodeKeys(file, options) : newKey(file, options),
    );
  key
    .command('show')
    .description('print the public part of a key file')
    .argument('<file>', 'key file')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  $ cairn key show sensor.key')
    .action((file: string, options: { json?: boolean }) => printKey(file, orFail(readKeyFile(file)), options));
  return key;
}

function newKey(file: string, options: { algorithm: KeyAlgorithm; json?: boolean }): void {
  const key = createKey(options.algorithm);
  orFail(writeKeyFile(file, key));
  printKey(file, key, options);
  if (options.json === true) return;
  say('');
  say('The file is the secret: keep a copy in a safe place. A person of the member registers the public part:');
  say(`  cairn device add <member>/<device> --public ${publicKeyToText(key)} --key <person.key>`);
}

function printKey(file: string, key: ReturnType<typeof createKey>, options: { json?: boolean }): void {
  if (options.json === true) {
    sayJson({ file, algorithm: key.algorithm, kid: toHex(key.kid), public: publicKeyToText(key) });
    return;
  }
  say(`key     ${file}`);
  say(`kid     ${toHex(key.kid)}`);
  say(`public  ${publicKeyToText(key)}`);
}

function newNodeKeys(dir: string, options: { json?: boolean }): void {
  if (!existsSync(dir)) mkdirSync(dir, { recursive: true });
  const keys = orFail(createNodeKeys(join(dir, 'keys')));
  markUnused(join(dir, 'data'));
  const publicKeys = nodePublicKeys(keys);
  const path = join(dir, 'public.json');
  writeFileSync(path, `${JSON.stringify(publicKeys, null, 2)}\n`);
  if (options.json === true) {
    sayJson({ dir, public: publicKeys });
    return;
  }
  say(`The node's keys are in ${join(dir, 'keys')}: back them up, everything else can be fetched again.`);
  say(`Give ${path} to whoever writes the genesis (\`cairn init\`). It holds no secrets.`);
}
