/**
 * What a node is founded on: settings, genesis, keys. The genesis is the trust anchor: its hash is the ledger hash, and its
 * validators are who every signature is checked against. What is damaged here is told, and the rest is looked at as far as
 * it can be.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import {
  createEpochSet,
  decodeGenesis,
  type EpochSet,
  equalBytes,
  type Genesis,
  type Hash,
  sha256,
  sortValidators,
  toEpoch,
  toHeight,
  validatorSetDigest,
} from '@cairn-ledger/core';
import { nodeConfigIn, readNodeConfig } from '../config/node-config.ts';
import { readKeyFile } from '../keys/key-file.ts';
import { nodeKeyUses } from '../keys/node-keys.ts';
import type { Findings } from './finding.ts';

/** Where the parts of a node lie. `validatorId` null: the settings cannot be read. */
export type NodeFolder = {
  readonly dataDir: string;
  readonly keysDir: string;
  readonly genesisPath: string;
  readonly validatorId: string | null;
};

export type Anchor = {
  readonly genesis: Genesis;
  readonly genesisBytes: Uint8Array;
  readonly ledgerHash: Hash;
  readonly set: EpochSet;
};

/** The places as the settings have them, else the usual ones. */
export function auditConfig(dir: string, findings: Findings): NodeFolder {
  const config = readNodeConfig(dir);
  if (config.ok) return config.value;
  findings.add('config', config.error.code, config.error.message, { file: 'node.json' });
  const address = { host: '127.0.0.1', port: 0 };
  const usual = nodeConfigIn(resolve(dir), { validatorId: '', listen: address, http: address, logLevel: 'info' });
  return { ...usual, validatorId: null };
}

/**
 * @param trusted the genesis from a source the caller trusts; without it the one in the folder is the anchor
 * @returns null when there is nothing to trust
 */
export function auditGenesis(folder: NodeFolder, trusted: Uint8Array | null, findings: Findings): Anchor | null {
  const where = { file: basename(folder.genesisPath) };
  const stored = findings.guard('genesis', where, () => new Uint8Array(readFileSync(folder.genesisPath)));
  if (trusted !== null && stored !== null && !equalBytes(stored, trusted))
    findings.add('genesis', 'audit.differs', 'the genesis in the folder is not the one that is trusted', where);
  const genesisBytes = trusted ?? stored;
  if (genesisBytes === null) return null;
  const genesis = decodeGenesis(genesisBytes);
  if (!genesis.ok) {
    findings.add('genesis', genesis.error.code, genesis.error.message, where);
    return null;
  }
  const ledgerHash = sha256(genesisBytes);
  const validators = sortValidators(genesis.value.validators);
  const tip = { digest: ledgerHash, height: toHeight(0), timeMs: genesis.value.timeMs };
  return {
    genesis: genesis.value,
    genesisBytes,
    ledgerHash,
    set: createEpochSet(toEpoch(1), validators, validatorSetDigest(validators), tip, genesis.value.rules),
  };
}

/** Each key by itself, so that all that is wrong is told. */
export function auditKeys(folder: NodeFolder, anchor: Anchor | null, findings: Findings): void {
  const own = anchor?.set.validators.find(({ id }) => id === folder.validatorId);
  if (anchor !== null && folder.validatorId !== null && own === undefined) {
    const what = `the genesis names no validator ${folder.validatorId}`;
    findings.add('config', 'config.not-a-validator', what, { file: 'node.json' });
  }
  const expected = { link: own?.linkKey, voting: own?.votingKey, checkpoint: own?.checkpointKey, gateway: undefined };
  for (const use of nodeKeyUses) {
    const where = { file: `${use}.key` };
    const key = findings.guard('keys', where, () => readKeyFile(join(folder.keysDir, where.file)));
    if (key === null) continue;
    if (!key.ok) findings.add('keys', key.error.code, key.error.message, where);
    else if (key.value.algorithm !== 'ed25519')
      findings.add('keys', 'keyfile.wrong-algorithm', `${where.file} must be an Ed25519 key`, where);
    else if (expected[use] !== undefined && !equalBytes(key.value.publicKey, expected[use])) {
      const what = `${where.file} is not the key that the genesis has for ${folder.validatorId}`;
      findings.add('keys', 'config.wrong-keys', what, where);
    }
  }
}

/** Whether there is a mark of this ledger, of another one, or none: it tells which of genesis and database was exchanged. */
export function marksIn(keysDir: string): string[] {
  if (!existsSync(keysDir)) return [];
  return readdirSync(keysDir).filter((name) => /^signed-[0-9a-f]{16}\.mark$/.test(name));
}
