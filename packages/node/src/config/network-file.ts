/**
 * The network file: what a client must know of a network, so that commands need not be told each time. `cairn dev` and
 * `cairn init` write one (`network.json`); commands take it by `--network`, by `CAIRN_NETWORK`, or find the one of a
 * development network in `.cairn-dev`.
 *
 * It holds no secrets. The genesis file it names is the trust anchor.
 */
import { writeFileSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import type { CairnError, Result } from '@cairn-ledger/core';
import { type Field, fieldsOf, listOf, readJsonFile, refuse, required, textOf } from './json-file.ts';

export type NetworkFile = {
  readonly name: string;
  /** Audience text of the ledger: base64url of the first 8 bytes of its hash. */
  readonly ledger: string;
  /** Absolute path. */
  readonly genesisPath: string;
  readonly nodes: readonly NetworkNode[];
  readonly mqtt?: string;
};

export type NetworkNode = { readonly id: string; readonly http: string };

export function readNetworkFile(path: string): Result<NetworkFile, CairnError> {
  const folder = dirname(resolve(path));
  return readJsonFile(path, (root) => {
    const fields = fieldsOf(root, ['name', 'ledger', 'genesisPath', 'nodes', 'mqtt']);
    const genesisPath = textOf(required(fields.genesisPath, root, 'genesisPath'));
    return {
      name: textOf(required(fields.name, root, 'name')),
      ledger: textOf(required(fields.ledger, root, 'ledger')),
      genesisPath: isAbsolute(genesisPath) ? genesisPath : join(folder, genesisPath),
      nodes: listOf(required(fields.nodes, root, 'nodes'), readNetworkNode),
      ...(fields.mqtt && { mqtt: textOf(fields.mqtt) }),
    };
  });
}

export function writeNetworkFile(path: string, network: NetworkFile): void {
  const file = { ...network, genesisPath: relative(dirname(resolve(path)), network.genesisPath) };
  writeFileSync(path, `${JSON.stringify(file, null, 2)}\n`);
}

function readNetworkNode(field: Field): NetworkNode {
  const fields = fieldsOf(field, ['id', 'http']);
  const http = required(fields.http, field, 'http');
  if (!URL.canParse(textOf(http)) || !/^https?:/.test(textOf(http))) refuse(http, 'must be an http or https URL');
  return { id: textOf(required(fields.id, field, 'id')), http: textOf(http) };
}
