/** Opening proposals, voting on them, and waiting until the members have decided. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CairnError, fail, fromHex, isKnownRules, ok, type Result, rulesLatest, vote } from '@cairn-ledger/core';
import type { Client } from '@cairn-ledger/sdk';
import { CommandFailed, orFail } from '../exit-code.ts';
import { findNetworkFile, genesisOf, type NetworkOptions } from '../network.ts';
import { type KeyInUse, keyInUse, signerOf } from '../signing.ts';
import type { DecidedAnswer, MembershipAnswer } from './answers.ts';
import { settle, signOperation } from './signed-operation.ts';

export type VotingOptions = NetworkOptions & {
  readonly key?: string;
  readonly allMembers?: boolean;
  readonly wait?: boolean;
  /** Seconds, for the whole command. */
  readonly timeout: number;
  readonly json?: boolean;
};

/** What a command that decides works with. */
export type Voting = {
  readonly client: Client;
  readonly ledgerHash: Uint8Array;
  readonly key: KeyInUse;
  /** Of `performance.now()`. */
  readonly deadline: number;
};

const POLL_MS = 500;

export function votingOf(client: Client, options: VotingOptions): Voting {
  return {
    client,
    ledgerHash: genesisOf(options).ledgerHash,
    key: keyInUse(options.key, 'person'),
    deadline: performance.now() + options.timeout * 1000,
  };
}

export async function membershipOf(client: Client): Promise<MembershipAnswer> {
  return orFail(await client.get<MembershipAnswer>('/v1/membership'));
}

/** A proposal as it stands, decided or not. Error: `http.not-found`. */
export function proposalOf(client: Client, id: string): Promise<Result<DecidedAnswer, CairnError>> {
  return client.get<DecidedAnswer>(`/v1/proposals/${id}`);
}

/** Votes with one key; that it was decided meanwhile is no failure. */
export async function castVote(
  { client, ledgerHash, deadline }: Omit<Voting, 'key'>,
  key: KeyInUse,
  proposal: string,
  isYes: boolean,
): Promise<Result<'voted' | 'closed', CairnError>> {
  const operation = vote.toCbor({ proposal: fromHex(proposal)!, isYes });
  const transaction = await signOperation(ledgerHash, key, operation);
  const settled = await settle(client, transaction, deadline - performance.now());
  if (settled.ok) return ok('voted');
  return settled.error.code === 'proposal.closed' ? ok('closed') : settled;
}

/** Person keys of all members, as a development network keeps them beside its network file. */
export function personKeysOf(options: NetworkOptions): KeyInUse[] {
  const genesisPath = options.genesis ?? findNetworkFile(options)?.genesisPath;
  const folder = genesisPath === undefined ? null : join(dirname(genesisPath), 'keys');
  const names = folder !== null && existsSync(folder) ? readdirSync(folder) : [];
  const paths = names.filter((name) => name.endsWith('.person.key')).sort();
  if (paths.length === 0) {
    throw new CommandFailed({
      code: 'usage.no-person-keys',
      message: '--all-members votes with the keys of a development network, and beside the genesis there are none',
    });
  }
  return paths.map((name) => ({ path: join(folder!, name), signer: signerOf(join(folder!, name)) }));
}

/** Votes with the keys of all members, one after the other, until it is decided. @returns how many voted */
export async function voteOfAll(
  voting: Voting,
  keys: readonly KeyInUse[],
  proposal: string,
  isYes: boolean,
): Promise<number> {
  let votes = 0;
  for (const key of keys) {
    const { outcome } = orFail(await proposalOf(voting.client, proposal));
    if (outcome !== 'open') break;
    const cast = await castVote(voting, key, proposal, isYes);
    // A key may have been revoked, or be of a member that is not there yet.
    if (!cast.ok && ['tx.unknown-key', 'tx.revoked-key', 'tx.key-not-effective'].includes(cast.error.code)) continue;
    if (orFail(cast) === 'closed') break;
    votes++;
  }
  return votes;
}

/** Waits until the members have decided. Errors: `client.timeout`, and those of asking. */
export async function waitDecided(
  { client, deadline }: Voting,
  id: string,
): Promise<Result<DecidedAnswer, CairnError>> {
  return waitFor(deadline, `a decision on proposal ${id.slice(0, 16)}`, async () => {
    const proposal = await proposalOf(client, id);
    if (!proposal.ok) return proposal;
    return ok(proposal.value.outcome === 'open' ? null : proposal.value);
  });
}

/** Asks again and again until there is a value. */
export async function waitFor<T>(
  deadline: number,
  what: string,
  ask: () => Promise<Result<T | null, CairnError>>,
): Promise<Result<T, CairnError>> {
  for (;;) {
    const asked = await ask();
    if (!asked.ok) return asked;
    if (asked.value !== null) return ok(asked.value);
    if (performance.now() + POLL_MS > deadline)
      return fail({ code: 'client.timeout', message: `waited in vain for ${what}; nothing is lost, ask again later` });
    await sleep(POLL_MS);
  }
}

/** Whoever wants rules must have a release that knows them: every node without ends at the boundary. Error: `usage.unknown-rules`. */
export function requireKnownRules(rules: number): void {
  if (isKnownRules(rules)) return;
  throw new CommandFailed({
    code: 'usage.unknown-rules',
    message: `this release knows rules ${rulesLatest}, and not ${rules}: nodes of it would end when they begin. Upgrade, and decide then`,
  });
}

/** A proposal that did not pass ends the command with 3. */
export function requirePassed(proposal: DecidedAnswer): void {
  if (proposal.outcome === 'passed' || proposal.outcome === 'open') return;
  throw new CommandFailed({
    code: 'proposal.closed',
    message: `proposal ${proposal.id.slice(0, 16)} did not pass: it is ${proposal.outcome}`,
  });
}
