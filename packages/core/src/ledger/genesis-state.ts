/** The first state: what the genesis document says, as records. Its keys are in force from height 0. */
import { toHex } from '../bytes/hex.ts';
import { keyId } from '../crypto/keys.ts';
import { type Genesis, nodeKeysOf } from '../model/genesis.ts';
import type { RegisteredKey } from '../model/registered-key.ts';
import { sortValidators } from '../model/validator-set.ts';
import {
  assetKind,
  balanceKind,
  deviceKind,
  keyKind,
  memberKind,
  parametersKind,
  paths,
  targetRulesKind,
} from './records.ts';
import { memberCountKind } from './set-records.ts';
import type { Write } from './store.ts';
import { writeTargetSet } from './target-set.ts';
import { createWorkingState, type WorkingState } from './working-state.ts';

/** Every entry of the state at height 0, ascending by key. The genesis must have been decoded, or decode. */
export function genesisWrites(genesis: Genesis): Write[] {
  const state = createWorkingState({ get: () => null });
  state.set(parametersKind, paths.parameters, genesis.parameters);
  writeTargetSet(state, genesis.validators);
  state.set(targetRulesKind, paths.targetRules, genesis.rules);
  state.set(memberCountKind, paths.memberCount, genesis.members.length);
  for (const { id, name } of genesis.members) {
    state.set(memberKind, paths.member(id), { name, kids: [], deviceCount: 0, keyCount: 0 });
  }
  for (const key of genesis.keys) writeKey(state, key);
  for (const key of nodeKeysOf(sortValidators(genesis.validators))) writeKey(state, key);
  for (const { id, decimals, issuer } of genesis.assets) {
    state.set(assetKind, paths.asset(id), { decimals, issuer, issued: 0n, retired: 0n });
  }
  for (const { account, asset, amount } of genesis.balances) {
    const record = state.get(assetKind, paths.asset(asset))!;
    state.set(assetKind, paths.asset(asset), { ...record, issued: record.issued + amount });
    state.set(balanceKind, paths.balance(account, asset), amount);
  }
  return state.writes();
}

function writeKey(state: WorkingState, key: RegisteredKey): void {
  const kid = keyId(key.algorithm, key.publicKey);
  state.set(keyKind, paths.key(toHex(kid)), { ...key, fromHeight: 0, untilHeight: null });
  const member = state.get(memberKind, paths.member(key.member))!;
  if (key.device === null) {
    state.set(memberKind, paths.member(key.member), {
      ...member,
      kids: [...member.kids, kid],
      keyCount: member.keyCount + 1,
    });
    return;
  }
  const path = paths.device(key.member, key.device);
  const device = state.get(deviceKind, path);
  const deviceCount = member.deviceCount + (device === null ? 1 : 0);
  state.set(memberKind, paths.member(key.member), { ...member, deviceCount, keyCount: member.keyCount + 1 });
  state.set(deviceKind, path, { sinceHeight: 0, kids: [...(device?.kids ?? []), kid] });
}
