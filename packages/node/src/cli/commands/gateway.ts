import process from 'node:process';
import { bytesToBase64url, toHex } from '@cairn-ledger/core';
import type { GatewayEvent } from '@cairn-ledger/gateway';
import { Command } from 'commander';
import { CommandFailed, exitCodes, orFail } from '../exit-code.ts';
import { connect, findNetworkFile, genesisOf, type NetworkOptions, withNetworkOptions } from '../network.ts';
import { jsonText, note, sayJson } from '../output.ts';
import { signerOf } from '../signing.ts';

type GatewayOptions = NetworkOptions & {
  readonly key: string;
  readonly broker?: string;
  readonly outbox?: string;
  readonly device?: string[];
  readonly signed: boolean;
  readonly receipts: boolean;
  readonly json?: boolean;
};

export function gatewayCommand(): Command {
  return withNetworkOptions(
    new Command('gateway').description(
      'a gateway of its own: MQTT in, verdicts and receipts out; events are JSON lines on standard error',
    ),
  )
    .requiredOption('--key <file>', 'gateway key, registered on the ledger')
    .option(
      '--broker <url>',
      'MQTT broker, 3.1.1 or 5; user and password by CAIRN_MQTT_USER and CAIRN_MQTT_PASSWORD (default: that of the network file)',
    )
    .option('--outbox <folder>', 'what was acknowledged and has no verdict yet (default: <key>.outbox)')
    .option('--device <name...>', 'sign only for these devices of the member (default: all)')
    .option('--no-signed', 'leave signed transactions to other gateways')
    .option('--no-receipts', 'publish verdicts without receipts')
    .option('--json', 'print one JSON object when started')
    .addHelpText(
      'after',
      `
Example:
  $ cairn key new site.key
  $ cairn device add alder/site --role gateway --public-from site.key --key alder.person.key
  $ cairn gateway --key site.key --broker mqtt://10.0.0.5:1883

Topics, <ledger> being the name that \`cairn gateway\` prints:
  cairn/<ledger>/tx                        signed transactions
  cairn/<ledger>/senml/<member>/<device>   SenML, JSON or CBOR; signed by the gateway's key
  cairn/<ledger>/result/<id>               verdicts, and receipts below them

Two gateways of one member at one broker would both sign for the same device, and its readings would stand on the
ledger twice: give each its own devices with --device. (A node with a broker in its node.json is a gateway, too.)`,
    )
    .action(runGateway);
}

async function runGateway(options: GatewayOptions): Promise<void> {
  const brokerUrl = options.broker ?? findNetworkFile(options)?.mqtt;
  if (brokerUrl === undefined)
    throw new CommandFailed({ code: 'usage.no-broker', message: 'name the MQTT broker: --broker mqtt://host:1883' });
  const genesis = genesisOf(options);
  const signer = signerOf(options.key);
  const client = connect(options, genesis);
  const kid = toHex(signer.kid);
  const owner = orFail(await client.members()).find((member) => member.keys.some((key) => key.kid === kid));
  const member = owner?.id ?? (await memberOfDeviceKey(client, kid));
  if (member === null) {
    throw new CommandFailed({
      code: 'usage.unregistered-gateway',
      message: `the key ${kid} is not registered. A person of the member does that: cairn device add <member>/<device> --role gateway --public-from ${options.key}`,
    });
  }
  const devices = options.device;
  // Loaded when needed: every other command starts without the MQTT client.
  const { createClientLedger, startGateway } = await import('@cairn-ledger/gateway');
  const { CAIRN_MQTT_USER: username, CAIRN_MQTT_PASSWORD: password } = process.env;
  const gateway = orFail(
    await startGateway({
      brokerUrl,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ledgerHash: genesis.ledgerHash,
      signer,
      member,
      ledger: createClientLedger(client),
      directory: options.outbox ?? `${options.key}.outbox`,
      ...(devices && { mayAttest: (device: string) => devices.includes(device) }),
      takesSigned: options.signed,
      wantsReceipts: options.receipts,
      onEvent: logEvent,
    }),
  );
  const ledger = bytesToBase64url(genesis.ledgerHash.subarray(0, 8));
  if (options.json === true) sayJson({ event: 'started', broker: brokerUrl, ledger, member, kid });
  else
    note(
      `gateway of ${member} between ${brokerUrl} and ${client.nodes.join(', ')}; topics begin with cairn/${ledger}/`,
    );
  const failure = await Promise.race([gateway.failed, stopped()]);
  await gateway.close();
  if (failure !== null) throw new CommandFailed(failure);
  process.exit(exitCodes.done);
}

/** Keys that are for one device stand with the device, not with the member. */
async function memberOfDeviceKey(client: ReturnType<typeof connect>, kid: string): Promise<string | null> {
  const devices = await client.get<{ devices: { id: string; member: string; keys: { kid: string }[] }[] }>(
    '/v1/devices?limit=10000',
  );
  if (!devices.ok) return null;
  return devices.value.devices.find((device) => device.keys.some((key) => key.kid === kid))?.member ?? null;
}

function logEvent(event: GatewayEvent): void {
  note(jsonText({ time: new Date().toISOString(), event: `gateway.${event.type}`, ...event, type: undefined }));
}

function stopped(): Promise<null> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve(null));
    process.once('SIGTERM', () => resolve(null));
  });
}
