/** What a node is founded on: its keys and the genesis document, read together and held against each other. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CairnError,
  decodeGenesis,
  equalBytes,
  fail,
  type Genesis,
  type Hash,
  ok,
  type Result,
  sha256,
} from '@cairn-ledger/core';
import { type NodeKeys, readNodeKeys } from '../keys/node-keys.ts';
import type { NodeConfig } from './node-config.ts';

export type Founding = {
  readonly keys: NodeKeys;
  readonly genesis: Genesis;
  readonly genesisBytes: Uint8Array;
  readonly ledgerHash: Hash;
};

/**
 * A node need not be a validator of the genesis: one that joins later follows the chain until the set names it. One that was told
 * whom to ask (`bootstrap`) has joined, perhaps with other keys than the genesis has for its id.
 *
 * Errors: `keyfile.*`, `config.no-genesis`, `config.bad-genesis`, `config.wrong-keys`.
 */
export function readFounding(config: NodeConfig): Result<Founding, CairnError> {
  const keys = readNodeKeys(config.keysDir);
  if (!keys.ok) return keys;
  const genesisBytes = readGenesisFile(config.genesisPath);
  if (!genesisBytes.ok) return genesisBytes;
  const genesis = decodeGenesis(genesisBytes.value);
  if (!genesis.ok)
    return fail({ code: 'config.bad-genesis', message: `${config.genesisPath}: ${genesis.error.message}` });
  const own = genesis.value.validators.find((validator) => validator.id === config.validatorId);
  const expected =
    own === undefined || config.bootstrap !== undefined
      ? []
      : ([
          ['link', own.linkKey],
          ['voting', own.votingKey],
          ['checkpoint', own.checkpointKey],
        ] as const);
  for (const [use, key] of expected) {
    if (equalBytes(keys.value[use].publicKey, key)) continue;
    return fail({
      code: 'config.wrong-keys',
      message: `${join(config.keysDir, `${use}.key`)} is not the key that the genesis document has for ${config.validatorId}: put back the right key`,
    });
  }
  const ledgerHash = sha256(genesisBytes.value);
  return ok({
    keys: keys.value,
    genesis: genesis.value,
    genesisBytes: genesisBytes.value,
    ledgerHash,
  });
}

function readGenesisFile(path: string): Result<Uint8Array, CairnError> {
  try {
    return ok(new Uint8Array(readFileSync(path)));
  } catch (cause) {
    return fail({
      code: 'config.no-genesis',
      message: `${path} cannot be read (${(cause as NodeJS.ErrnoException).code}): put the network's genesis document there`,
    });
  }
}
