/** The members of a development network decide together: one proposes, the others vote yes, until it has passed. */
import { fromHex, propose, signTransaction, type Validator, vote } from '@cairn-ledger/core';
import { createClient } from '@cairn-ledger/sdk';
import { readNodeConfig } from '../../config/node-config.ts';
import { readNodeKeys } from '../../keys/node-keys.ts';
import { orFail } from '../exit-code.ts';
import { signerOf } from '../signing.ts';
import type { DrillNetwork, DrillNode } from './drill-network.ts';

const deliverTimeoutMs = 30_000;

/** Has the validator admitted with the keys that now lie in the folder of its node. */
export async function admitWithNewKeys(
  network: DrillNetwork,
  target: DrillNode,
  rest: readonly DrillNode[],
): Promise<void> {
  const { link, voting, checkpoint } = orFail(readNodeKeys(orFail(readNodeConfig(target.dir)).keysDir));
  const { addresses } = network.genesis.genesis.validators.find(({ id }) => id === target.id)!;
  const validator: Validator = {
    id: target.id,
    member: target.member,
    linkKey: link.publicKey,
    votingKey: voting.publicKey,
    checkpointKey: checkpoint.publicKey,
    addresses,
    life: null,
  };
  const { members } = network.genesis.genesis;
  const { ledgerHash, anchor } = network.genesis;
  const client = createClient({ nodes: rest.map(({ http }) => http), anchor });
  const opening = [propose.toCbor({ change: { type: 'admit-validator', validator } })];
  const [proposer, ...voters] = members.map(({ id }) => id);
  const opened = orFail(await client.deliver(await signed(proposer!, opening), { timeoutMs: deliverTimeoutMs }));
  const ballot = [vote.toCbor({ proposal: fromHex(opened.id)!, isYes: true })];
  // More than two thirds of the members, the proposer among them.
  const needed = Math.floor((members.length * 2) / 3);
  const votes = await Promise.all(voters.slice(0, needed).map((voter) => signed(voter, ballot)));
  orFail(await client.submitMany(votes, deliverTimeoutMs));

  async function signed(member: string, operations: Parameters<typeof signTransaction>[0]['operations']) {
    const counter = await network.counters(member, 1);
    return signTransaction({ ledgerHash, counter, operations: operations! }, signerOf(network.keyPath(member)));
  }
}
