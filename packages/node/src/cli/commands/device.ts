import { type KeyRole, keyId, parseDevice, type Signer, toHex } from '@cairn-ledger/core';
import { type Client, type PublicKey, signTransaction, textToPublicKey } from '@cairn-ledger/sdk';
import { Command, Option } from 'commander';
import { readKeyFile } from '../../keys/key-file.ts';
import { CommandFailed, orFail } from '../exit-code.ts';
import { connect, genesisOf, type NetworkOptions, withNetworkOptions } from '../network.ts';
import { say, sayJson } from '../output.ts';
import { keyInUse, takeCounter } from '../signing.ts';

type AddOptions = NetworkOptions & {
  readonly public?: string;
  readonly publicFrom?: string;
  readonly key?: string;
  readonly role: KeyRole;
  readonly json?: boolean;
};

export function deviceCommand(): Command {
  const device = new Command('device').description('register devices and look them up');
  withNetworkOptions(device.command('add'))
    .description('register a key of a device; signed by a person of its member')
    .argument('<member/device>', 'device; it comes on the ledger with its first key')
    .option('--public <key>', 'public key, as `cairn key new` printed it')
    .option('--public-from <file>', 'key file to take the public part from')
    .option('--key <file>', 'person key of the member (default: $CAIRN_KEY, else that of a development network)')
    .addOption(new Option('--role <name>', 'what the key is for').choices(['device', 'gateway']).default('device'))
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  $ cairn device add alder/truck-7 --public ed25519:11qYAYKx... --key alder.person.key
  $ cairn device add alder/truck-7 --public-from truck.key      in a development network`,
    )
    .action(addDevice);
  withNetworkOptions(device.command('show'))
    .description('a device and its keys')
    .argument('<member/device>', 'device')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  $ cairn device show alder/desk')
    .action(showDevice);
  return device;
}

async function addDevice(name: string, options: AddOptions): Promise<void> {
  const parsed = parseDevice(name);
  if (parsed === null) {
    throw new CommandFailed({
      code: 'usage.bad-device',
      message: `"${name}" is no device; write member/device, each of 1 to 32 of a-z, 0-9 and -`,
    });
  }
  const { algorithm, publicKey } = readPublicKey(options);
  const genesis = genesisOf(options);
  const key = keyInUse(options.key, 'person');
  const client = connect(options, genesis);
  await requirePersonOf(client, key.signer, parsed.member);
  const transaction = signTransaction(
    {
      ledgerHash: genesis.ledgerHash,
      counter: await takeCounter(key),
      registrations: [{ role: options.role, algorithm, publicKey, device: parsed.device }],
    },
    key.signer,
  );
  const delivered = orFail(await client.deliver(orFail(transaction)));
  const kid = toHex(keyId(algorithm, publicKey));
  if (options.json === true) {
    sayJson({ device: name, kid, transaction: delivered.id, height: delivered.verified.height });
    return;
  }
  say(`${name} is registered with key ${kid} (transaction ${delivered.id}, height ${delivered.verified.height})`);
  say(
    options.role === 'gateway'
      ? '  cairn gateway --key <key file of the gateway>'
      : '  cairn send temperature=21.5:Cel --key <key file of the device> --wait',
  );
}

/** The ledger registers for the signer's own member, so a key of another one must be noticed here. */
async function requirePersonOf(client: Client, signer: Signer, member: string): Promise<void> {
  const kid = toHex(signer.kid);
  const owner = orFail(await client.members()).find((known) =>
    known.keys.some((key) => key.kid === kid && key.role === 'person'),
  );
  if (owner?.id === member) return;
  const whose = owner === undefined ? 'is not a person key of any member' : `belongs to ${owner.id}`;
  throw new CommandFailed({
    code: 'usage.other-member',
    message: `the signing key ${kid} ${whose}; name a person key of ${member} with --key`,
  });
}

async function showDevice(name: string, options: NetworkOptions & { json?: boolean }): Promise<void> {
  const device = orFail(await connect(options).device(name));
  if (options.json === true) {
    sayJson(device);
    return;
  }
  say(device.id);
  for (const key of device.keys) {
    const until = key.revokedHeight === undefined ? '' : `, revoked at height ${key.revokedHeight}`;
    say(`  ${key.kid}  ${key.role}  ${key.algorithm}  since height ${key.registeredHeight}${until}`);
  }
}

function readPublicKey(options: AddOptions): PublicKey {
  if (options.public !== undefined) return orFail(textToPublicKey(options.public));
  if (options.publicFrom !== undefined) return orFail(readKeyFile(options.publicFrom));
  throw new CommandFailed({
    code: 'usage.no-public-key',
    message: 'give the public key of the device: --public <key> or --public-from <key file>',
  });
}
