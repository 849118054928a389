/** What a node is founded on: its keys and the genesis document, read together and held against each other. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  anchorFileBytesMax,
  type CairnError,
  decodeAnchorFile,
  decodeGenesis,
  equalBytes,
  fail,
  type Genesis,
  type Hash,
  ok,
  type Result,
  sha256,
  type TrustAnchor,
} from '@cairn-ledger/core';
import { type NodeKeys, readNodeKeys } from '../keys/node-keys.ts';
import { type RoundRecords, readRounds } from '../recertify/round-records.ts';
import { type Restarts, readRestarts } from '../restart/restart-files.ts';
import type { NodeConfig } from './node-config.ts';

export type Founding = {
  readonly keys: NodeKeys;
  readonly genesis: Genesis;
  readonly genesisBytes: Uint8Array;
  readonly ledgerHash: Hash;
  /** A later set of validators that is trusted as well; null: the genesis alone. */
  readonly anchor: TrustAnchor | null;
  /** Epochs that the members have ended outside of the ledger. */
  readonly restarts: Restarts;
  /** Commands of the operator to certify results anew. */
  readonly rounds: RoundRecords;
};

/**
 * A node need not be a validator of the genesis: one that joins later follows the chain until the set names it. One that was told
 * whom to ask (`bootstrap`) has joined, perhaps with other keys than the genesis has for its id.
 *
 * Errors: `keyfile.*`, `config.no-genesis`, `config.bad-genesis`, `config.wrong-keys`, `config.bad-anchor`; those of `readRestarts` and `readRounds`.
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
  const anchor = config.anchorPath === undefined ? ok(null) : readAnchor(config.anchorPath, ledgerHash);
  if (!anchor.ok) return anchor;
  const restarts = readRestarts(config.keysDir, ledgerHash);
  if (!restarts.ok) return restarts;
  const rounds = readRounds(config.keysDir, ledgerHash);
  if (!rounds.ok) return rounds;
  return ok({
    keys: keys.value,
    genesis: genesis.value,
    genesisBytes: genesisBytes.value,
    ledgerHash,
    anchor: anchor.value,
    restarts: restarts.value,
    rounds: rounds.value,
  });
}

/** A trust anchor from its file. Error: `config.bad-anchor`, also for one of another ledger. */
export function readAnchor(path: string, ledgerHash: Uint8Array): Result<TrustAnchor, CairnError> {
  const refuse = (why: string) => fail({ code: 'config.bad-anchor', message: `${path}: ${why}` });
  let bytes: Uint8Array;
  try {
    bytes = statSync(path).size > anchorFileBytesMax ? new Uint8Array(0) : new Uint8Array(readFileSync(path));
  } catch (cause) {
    return refuse(`it cannot be read (${(cause as NodeJS.ErrnoException).code})`);
  }
  const anchor = decodeAnchorFile(bytes);
  if (!anchor.ok) return refuse(anchor.error.message);
  return equalBytes(anchor.value.ledgerHash, ledgerHash) ? anchor : refuse('it is of another ledger than the genesis');
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
