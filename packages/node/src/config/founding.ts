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
  sortValidators,
  type Validator,
} from '@cairn-ledger/core';
import { type NodeKeys, readNodeKeys } from '../keys/node-keys.ts';
import type { NodeConfig } from './node-config.ts';

export type Founding = {
  readonly keys: NodeKeys;
  readonly genesis: Genesis;
  readonly genesisBytes: Uint8Array;
  readonly ledgerHash: Hash;
  /** In the order of their ids, and which of them this node is. */
  readonly validators: readonly Validator[];
  readonly self: number;
};

/** Errors: `keyfile.*`, `config.no-genesis`, `config.bad-genesis`, `config.not-a-validator`, `config.wrong-keys`. */
export function readFounding(config: NodeConfig): Result<Founding, CairnError> {
  const keys = readNodeKeys(config.keysDir);
  if (!keys.ok) return keys;
  const genesisBytes = readGenesisFile(config.genesisPath);
  if (!genesisBytes.ok) return genesisBytes;
  const genesis = decodeGenesis(genesisBytes.value);
  if (!genesis.ok)
    return fail({ code: 'config.bad-genesis', message: `${config.genesisPath}: ${genesis.error.message}` });
  const validators = sortValidators(genesis.value.validators);
  const self = validators.findIndex((validator) => validator.id === config.validatorId);
  const own = validators[self];
  if (own === undefined) {
    return fail({
      code: 'config.not-a-validator',
      message: `the genesis document names no validator ${config.validatorId}: validatorId in node.json must be one of ${validators.map((v) => v.id).join(', ')}`,
    });
  }
  for (const [use, key] of [
    ['link', own.linkKey],
    ['voting', own.votingKey],
    ['checkpoint', own.checkpointKey],
  ] as const) {
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
    validators,
    self,
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
