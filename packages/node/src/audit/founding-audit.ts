/**
 * What a node is founded on: settings, genesis, keys. The genesis is the trust anchor: its hash is the ledger hash, and its
 * validators are who every signature is checked against. What is damaged here is told, and the rest is looked at as far as
 * it can be.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import {
  type CairnError,
  createEpochSet,
  decodeGenesis,
  type EpochSet,
  equalBytes,
  type Genesis,
  type Hash,
  ok,
  type Result,
  sha256,
  sortValidators,
  toEpoch,
  toHeight,
  type Validator,
  validatorSetDigest,
} from '@cairn-ledger/core';
import { nodeConfigIn, readNodeConfig } from '../config/node-config.ts';
import { readKeyFile } from '../keys/key-file.ts';
import { type NodeKeyUse, nodeKeyUses } from '../keys/node-keys.ts';
import { noRestarts, type Restarts, readRestarts } from '../restart/restart-files.ts';
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
  /** Epochs that the members have ended, by documents that are trusted as the genesis is. */
  readonly restarts: Restarts;
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
  const anchor = genesisToAnchor(genesisBytes);
  if (!anchor.ok) {
    findings.add('genesis', anchor.error.code, anchor.error.message, where);
    return null;
  }
  const restarts = readRestarts(folder.keysDir, anchor.value.ledgerHash);
  if (restarts.ok) return { ...anchor.value, restarts: restarts.value };
  findings.add('genesis', restarts.error.code, restarts.error.message);
  return anchor.value;
}

/** Error: `genesis.malformed`. */
export function genesisToAnchor(genesisBytes: Uint8Array): Result<Anchor, CairnError> {
  const genesis = decodeGenesis(genesisBytes);
  if (!genesis.ok) return genesis;
  const ledgerHash = sha256(genesisBytes);
  const validators = sortValidators(genesis.value.validators);
  const tip = { digest: ledgerHash, height: toHeight(0), timeMs: genesis.value.timeMs };
  return ok({
    genesis: genesis.value,
    genesisBytes,
    ledgerHash,
    set: createEpochSet(toEpoch(1), validators, validatorSetDigest(validators), tip, genesis.value.rules),
    restarts: noRestarts,
  });
}

/**
 * Each key by itself, so that all that is wrong is told.
 *
 * @param known every entry of a validator that the genesis, an epoch or the ledger has; null when there is nothing to trust
 */
export function auditKeys(folder: NodeFolder, known: readonly Validator[] | null, findings: Findings): void {
  const own = (known ?? []).filter(({ id }) => id === folder.validatorId);
  const keys = new Map<NodeKeyUse, Uint8Array>();
  for (const use of nodeKeyUses) {
    const key = readKey(folder, use, findings);
    if (key !== null) keys.set(use, key);
  }
  if (known === null || folder.validatorId === null) return;
  if (own.length === 0) return noteStranger(folder.validatorId, known, keys.get('link') ?? null, findings);
  for (const [use, name] of ledgerKeys) {
    const key = keys.get(use);
    // Whoever gets new keys has them before the ledger counts on them.
    if (key === undefined || own.some((entry) => equalBytes(entry[name], key))) continue;
    const what = `${use}.key is not a key that the ledger has for ${folder.validatorId}`;
    findings.add('keys', 'config.wrong-keys', what, { file: `${use}.key` });
  }
}

const ledgerKeys = [
  ['link', 'linkKey'],
  ['voting', 'votingKey'],
  ['checkpoint', 'checkpointKey'],
] as const;

/** A node may follow the chain before members admit it; one with the key of a validator has another name than it should. */
function noteStranger(id: string, known: readonly Validator[], link: Uint8Array | null, findings: Findings): void {
  const where = { file: 'node.json' };
  const owner = link === null ? undefined : known.find(({ linkKey }) => equalBytes(linkKey, link));
  if (owner === undefined && link !== null) {
    findings.note('config', 'config.not-a-validator', `the ledger names no validator ${id}: it is a guest`, where);
    return;
  }
  const whose = owner === undefined ? '' : `, and the keys are those of ${owner.id}`;
  findings.add('config', 'config.not-a-validator', `the ledger names no validator ${id}${whose}`, where);
}

/** Null when it cannot be used, which is then told. */
function readKey({ keysDir }: NodeFolder, use: NodeKeyUse, findings: Findings): Uint8Array | null {
  const where = { file: `${use}.key` };
  const key = findings.guard('keys', where, () => readKeyFile(join(keysDir, where.file)));
  if (key === null) return null;
  if (!key.ok) findings.add('keys', key.error.code, key.error.message, where);
  else if (key.value.algorithm !== 'ed25519')
    findings.add('keys', 'keyfile.wrong-algorithm', `${where.file} must be an Ed25519 key`, where);
  return key.ok ? key.value.publicKey : null;
}

/** Whether there is a mark of this ledger, of another one, or none: it tells which of genesis and database was exchanged. */
export function marksIn(keysDir: string): string[] {
  if (!existsSync(keysDir)) return [];
  return readdirSync(keysDir).filter((name) => /^signed-[0-9a-f]{16}\.mark$/.test(name));
}
