/**
 * The configuration of one node: `node.json` in the node's folder.
 *
 *     <dir>/node.json      this file
 *     <dir>/genesis.cbor   the genesis document
 *     <dir>/anchor.cbor   a trust anchor, where one is given
 *     <dir>/keys/          link.key voting.key checkpoint.key gateway.key, 0600
 *     <dir>/data/          everything that can be fetched from peers again
 *
 * Paths in the file are relative to the folder. What is not in the file has the default written here.
 */
import { writeFileSync } from 'node:fs';
import { isIPv4, isIPv6 } from 'node:net';
import { isAbsolute, join, resolve } from 'node:path';
import { type CairnError, fail, fromHex, isName, type Result, toHex } from '@cairn-ledger/core';
import {
  choiceOf,
  type Field,
  fieldsOf,
  integerOf,
  listOf,
  readJsonFile,
  recordOf,
  refuse,
  required,
  textOf,
} from './json-file.ts';

export const nodeConfigName = 'node.json';

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof logLevels)[number];

export type HostPort = { readonly host: string; readonly port: number };

export type NodeConfig = {
  /** Absolute path, like every path here. */
  readonly dataDir: string;
  readonly keysDir: string;
  readonly genesisPath: string;
  readonly validatorId: string;
  /** Where peers reach this node. */
  readonly listen: HostPort;
  readonly http: HostPort & {
    /** PEM files. Needed, with tokens, on any address but loopback. */
    readonly tls?: { readonly certPath: string; readonly keyPath: string };
    /** One bearer token with its role per client. */
    readonly tokensPath?: string;
  };
  /** The broker whose devices this node's gateway serves; none: no gateway. */
  readonly mqtt?: {
    /** `mqtt://host:1883` or `mqtts://host:8883`. */
    readonly brokerUrl: string;
    readonly username?: string;
    /** A file with the password as its first line, readable by its owner alone. */
    readonly passwordPath?: string;
  };
  readonly logLevel: LogLevel;
  /** Verification workers; absent: one per spare core. */
  readonly workers?: number;
  /** Addresses to use for a peer in place of those on the ledger, by validator id. */
  readonly peers?: Readonly<Record<string, readonly string[]>>;
  /**
   * How a node that is far behind comes to the tip: from a certified state, or by executing every block from the genesis
   * on. Absent: from a state.
   */
  readonly sync?: SyncMode;
  /**
   * A trust anchor (`cairn verify --save-anchor`): epochs are believed only where they lead through it, so that keys of validators
   * of old need not be trusted. Absent: the genesis alone.
   */
  readonly anchorPath?: string;
  /** Whom a node that joins asks first: its genesis may be older than the present validators. Absent: those of the genesis. */
  readonly bootstrap?: readonly BootstrapPeer[];
};

export const syncModes = ['state', 'full'] as const;
export type SyncMode = (typeof syncModes)[number];

/** A validator that can be linked to before anything of the chain is known. */
export type BootstrapPeer = {
  readonly id: string;
  /** Ed25519, 32 bytes: what it must prove to have on a link. */
  readonly linkKey: Uint8Array;
  /** "host:port", in order of preference. */
  readonly addresses: readonly string[];
};

export const bootstrapPeersMax = 256;

/** Reads the configuration of the node in `dir`. Errors: `config.*`, each naming the file and the field. */
export function readNodeConfig(dir: string): Result<NodeConfig, CairnError> {
  const folder = resolve(dir);
  const path = join(folder, nodeConfigName);
  const config = readJsonFile(path, (root) => readNodeFields(root, folder));
  if (config.ok || config.error.code !== 'config.missing') return config;
  return fail({
    code: 'config.missing',
    message: `${path} does not exist. Give the folder of a node; \`cairn init\` and \`cairn dev\` make them.`,
  });
}

/** Writes a configuration that has been read or made here; the folder must exist. Paths inside it become relative. */
export function writeNodeConfig(dir: string, config: NodeConfig): void {
  const folder = resolve(dir);
  const inside = (path: string): string => (path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path);
  const { tls, tokensPath } = config.http;
  const passwordPath = config.mqtt?.passwordPath;
  const file = {
    ...config,
    dataDir: inside(config.dataDir),
    keysDir: inside(config.keysDir),
    genesisPath: inside(config.genesisPath),
    ...(config.anchorPath !== undefined && { anchorPath: inside(config.anchorPath) }),
    http: {
      ...config.http,
      ...(tls && { tls: { certPath: inside(tls.certPath), keyPath: inside(tls.keyPath) } }),
      ...(tokensPath !== undefined && { tokensPath: inside(tokensPath) }),
    },
    ...(passwordPath !== undefined && { mqtt: { ...config.mqtt, passwordPath: inside(passwordPath) } }),
    ...(config.bootstrap && { bootstrap: config.bootstrap.map((peer) => ({ ...peer, linkKey: toHex(peer.linkKey) })) }),
  };
  writeFileSync(join(folder, nodeConfigName), `${JSON.stringify(file, null, 2)}\n`);
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

function readNodeFields(root: Field, folder: string): NodeConfig {
  const fields = fieldsOf(root, [
    'dataDir',
    'keysDir',
    'genesisPath',
    'validatorId',
    'listen',
    'http',
    'mqtt',
    'logLevel',
    'workers',
    'peers',
    'sync',
    'anchorPath',
    'bootstrap',
  ]);
  const pathOf = (field: Field | undefined, otherwise: string): string => {
    const path = field === undefined ? otherwise : textOf(field);
    return isAbsolute(path) ? path : join(folder, path);
  };
  const validatorId = required(fields.validatorId, root, 'validatorId');
  if (!/^[a-z0-9-]{1,32}$/.test(textOf(validatorId))) refuse(validatorId, 'must have 1 to 32 of a-z, 0-9 and -');
  return {
    dataDir: pathOf(fields.dataDir, 'data'),
    keysDir: pathOf(fields.keysDir, 'keys'),
    genesisPath: pathOf(fields.genesisPath, 'genesis.cbor'),
    validatorId: textOf(validatorId),
    listen: readHostPort(required(fields.listen, root, 'listen')),
    http: readHttp(required(fields.http, root, 'http'), (field) => pathOf(field, '')),
    ...(fields.mqtt && { mqtt: readMqtt(fields.mqtt, (field) => pathOf(field, '')) }),
    logLevel: fields.logLevel === undefined ? 'info' : choiceOf(fields.logLevel, logLevels),
    ...(fields.workers && { workers: integerOf(fields.workers, 0, 256) }),
    ...(fields.peers && { peers: recordOf(fields.peers, (peer) => listOf(peer, readAddress)) }),
    ...(fields.sync && { sync: choiceOf(fields.sync, syncModes) }),
    ...(fields.anchorPath && { anchorPath: pathOf(fields.anchorPath, '') }),
    ...(fields.bootstrap && { bootstrap: readBootstrap(fields.bootstrap) }),
  };
}

function readBootstrap(field: Field): BootstrapPeer[] {
  const peers = listOf(field, (peer) => {
    const fields = fieldsOf(peer, ['id', 'linkKey', 'addresses']);
    const id = required(fields.id, peer, 'id');
    if (!isName(textOf(id))) refuse(id, 'must have 1 to 32 of a-z, 0-9 and -');
    const key = required(fields.linkKey, peer, 'linkKey');
    const linkKey = fromHex(textOf(key));
    if (linkKey?.length !== 32) refuse(key, 'must be 64 hexadecimal digits');
    return { id: textOf(id), linkKey, addresses: listOf(required(fields.addresses, peer, 'addresses'), readAddress) };
  });
  if (peers.length > bootstrapPeersMax) refuse(field, `must have at most ${bootstrapPeersMax} peers`);
  return peers;
}

function readHostPort(field: Field): HostPort {
  const fields = fieldsOf(field, ['host', 'port']);
  return readHostPortFields(field, fields.host, fields.port);
}

function readHostPortFields(parent: Field, host: Field | undefined, port: Field | undefined): HostPort {
  return { host: textOf(required(host, parent, 'host')), port: integerOf(required(port, parent, 'port'), 0, 65_535) };
}

function readHttp(field: Field, pathOf: (field: Field) => string): NodeConfig['http'] {
  const fields = fieldsOf(field, ['host', 'port', 'tls', 'tokensPath']);
  const address = readHostPortFields(field, fields.host, fields.port);
  if (!isLoopback(address.host) && (fields.tls === undefined || fields.tokensPath === undefined)) {
    refuse(
      field,
      `listens on ${address.host}, which is not loopback: that needs tls (certPath, keyPath) and tokensPath`,
    );
  }
  const tls = fields.tls && fieldsOf(fields.tls, ['certPath', 'keyPath']);
  return {
    ...address,
    ...(tls && {
      tls: {
        certPath: pathOf(required(tls.certPath, fields.tls!, 'certPath')),
        keyPath: pathOf(required(tls.keyPath, fields.tls!, 'keyPath')),
      },
    }),
    ...(fields.tokensPath && { tokensPath: pathOf(fields.tokensPath) }),
  };
}

function readMqtt(field: Field, pathOf: (field: Field) => string): NonNullable<NodeConfig['mqtt']> {
  const fields = fieldsOf(field, ['brokerUrl', 'username', 'passwordPath']);
  const brokerUrl = required(fields.brokerUrl, field, 'brokerUrl');
  const url = URL.parse(textOf(brokerUrl));
  if (url === null || url.hostname === '' || (url.protocol !== 'mqtt:' && url.protocol !== 'mqtts:'))
    refuse(brokerUrl, 'must be mqtt://host:1883, or mqtts://host:8883 for TLS; MQTT over WebSocket is not spoken');
  if (url.username !== '' || url.password !== '')
    refuse(
      brokerUrl,
      'must not contain user and password: give username, and a file with the password as passwordPath',
    );
  return {
    brokerUrl: textOf(brokerUrl),
    ...(fields.username && { username: textOf(fields.username) }),
    ...(fields.passwordPath && { passwordPath: pathOf(fields.passwordPath) }),
  };
}

function readAddress(field: Field): string {
  const text = textOf(field);
  if (parseAddress(text) === null) refuse(field, 'must be host:port');
  return text;
}

/** Host and port of `host:port` or `[IPv6]:port`; null when it is neither. */
export function parseAddress(text: string): HostPort | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  if (match === null) return null;
  const port = Number(match[3]);
  if (port < 1 || port > 65_535) return null;
  if (match[1] !== undefined && !isIPv6(match[1])) return null;
  return { host: match[1] ?? match[2]!, port };
}

/** The configuration of a node in a folder of the usual layout. */
export function nodeConfigIn(dir: string, fields: Omit<NodeConfig, 'dataDir' | 'keysDir' | 'genesisPath'>): NodeConfig {
  const folder = resolve(dir);
  return {
    dataDir: join(folder, 'data'),
    keysDir: join(folder, 'keys'),
    genesisPath: join(folder, 'genesis.cbor'),
    ...fields,
  };
}
