/**
 * A network for the tests of set changes: n members, m1 and so on, each with one person key and one validator, v1 and so on.
 * It follows the engine's part: an epoch ends with the block checkpointLag above the one that changed the target.
 */
import { toHex } from '../../bytes/hex.ts';
import type { Signer } from '../../crypto/verifier.ts';
import type { Genesis } from '../../model/genesis.ts';
import { defaultParameters, type Parameters } from '../../model/parameters.ts';
import type { Transaction } from '../../model/transaction.ts';
import { sortValidators, type Validator, validatorSetDigest } from '../../model/validator-set.ts';
import { assert } from '../../result.ts';
import type { Change } from '../changes.ts';
import type { LedgerEvent } from '../events.ts';
import type { Execution, LedgerBlock } from '../execute.ts';
import { attest } from '../operations/attest.ts';
import type { EncodedOperation } from '../operations/operation.ts';
import { propose } from '../operations/propose.ts';
import { ready } from '../operations/ready.ts';
import { vote } from '../operations/vote.ts';
import { readValidators } from '../query.ts';
import { readTargetRules } from '../set-query.ts';
import type { AttestVerdict } from '../set-records.ts';
import { createWorld, genesisTimeMs, signerOf } from './world.ts';

export const personOf = (i: number): Signer => signerOf(i);
/** `generation` numbers the keys of one validator: 0 those of the genesis, up to 3. */
export const linkOf = (i: number, generation = 0): Signer => signerOf(20 + 16 * generation + i);

export function validatorOf(i: number, generation = 0): Validator {
  return {
    id: `v${i}`,
    member: `m${i}`,
    linkKey: linkOf(i, generation).publicKey,
    votingKey: signerOf(100 + 16 * generation + i).publicKey,
    checkpointKey: signerOf(180 + 16 * generation + i).publicKey,
    addresses: [`127.0.0.1:${7000 + i}`],
    life: null,
  };
}

export const lifeOf = (number: number): Uint8Array => new Uint8Array(16).fill(number);

/** @param count of members, up to 15; the first `validatorsCount` of them have a validator */
function genesisOf(count: number, validatorsCount: number, parameters: Partial<Parameters>): Genesis {
  const numbers = Array.from({ length: count }, (_, i) => i + 1);
  return {
    name: 'set network',
    timeMs: genesisTimeMs,
    rules: 1,
    parameters: { ...defaultParameters, ...parameters },
    validators: sortValidators(numbers.slice(0, validatorsCount).map((i) => validatorOf(i))),
    members: numbers.map((i) => ({ id: `m${i}`, name: `Member ${i}` })),
    keys: numbers.map((i) => ({
      ...{ role: 'person', algorithm: 'ed25519', device: null },
      publicKey: personOf(i).publicKey,
      member: `m${i}`,
    })),
    assets: [],
    balances: [],
  };
}

export type SetWorld = ReturnType<typeof createSetWorld>;

export function createSetWorld(validatorsCount: number, count = validatorsCount, parameters: Partial<Parameters> = {}) {
  const genesis = genesisOf(count, validatorsCount, parameters);
  const world = createWorld({}, genesis);
  const lag = genesis.parameters.checkpointLag;
  let epoch = { number: 1, validators: genesis.validators, rules: genesis.rules };
  /** The target after each height. */
  const targets = [{ validators: genesis.validators, rules: genesis.rules }];
  const events: LedgerEvent[] = [];
  /** Epochs by number less one: their sets. */
  const sets: (readonly Validator[])[] = [genesis.validators];

  const setWorld = {
    ...world,
    epoch: () => epoch,
    sets,
    /** Everything that happened. */
    events,
    eventsOf: <T extends LedgerEvent['type']>(type: T) =>
      events.filter((event): event is Extract<LedgerEvent, { type: T }> => event.type === type),
    target: () => readValidators(world.store),
    ids: () => readValidators(world.store).map(({ id }) => id),
    execute(transactions: readonly Transaction[] = [], block: Partial<LedgerBlock> = {}): Execution {
      const { validators, rules } = epoch;
      const execution = world.execute(transactions, { validators, rules, epoch: epoch.number, ...block });
      events.push(...execution.events);
      const height = world.height();
      const before = targets.at(-1)!;
      // Heights may be jumped over: nothing happened there.
      while (targets.length < height) targets.push(before);
      targets.push({ validators: execution.targetSet ?? before.validators, rules: execution.targetRules });
      follow(targets[Math.max(0, height - lag)]!);
      return execution;
    },
    /** Empty blocks. */
    pass(blocks: number): void {
      for (let i = 0; i < blocks; i++) setWorld.execute();
    },
    /** Goes on at a later height. */
    jumpTo(height: number): void {
      setWorld.execute([], { height });
    },
    /** Until the engine has followed the last change. */
    settle(): void {
      setWorld.pass(lag + 1);
    },
    /** One transaction in a block of its own; its verdict. */
    verdict(signer: Signer, ...operations: EncodedOperation[]): string {
      return setWorld.execute([world.sign(signer, { operations })]).results[0]!.code;
    },
    /** A proposal of one member; its id, and the verdict. */
    propose(member: number, change: Change): { readonly id: Uint8Array; readonly code: string } {
      const transaction = world.sign(personOf(member), { operations: [propose.toCbor({ change })] });
      const { results } = setWorld.execute([transaction]);
      return { id: transaction.id, code: results[0]!.code };
    },
    vote: (member: number, proposal: Uint8Array, isYes = true): string =>
      setWorld.verdict(personOf(member), vote.toCbor({ proposal, isYes })),
    /** Proposed by one member and voted for by all others, in one block. */
    decide(change: Change, proposer = 1): void {
      const transaction = world.sign(personOf(proposer), { operations: [propose.toCbor({ change })] });
      const others = genesis.members.map((_, i) => i + 1).filter((i) => i !== proposer);
      const yes = vote.toCbor({ proposal: transaction.id, isYes: true });
      const votes = others.map((i) => world.sign(personOf(i), { operations: [yes] }));
      const { results } = setWorld.execute([transaction, ...votes]);
      const codes = results.map(({ code }) => code).filter((code) => code !== 'ok' && code !== 'proposal.closed');
      assert(codes.length === 0, `the members decide: ${codes.join()}`);
    },
    attest: (by: number, id: string, verdict: AttestVerdict, signer = linkOf(by)): string =>
      setWorld.verdict(signer, attest.toCbor({ validator: id, verdict, reason: 'unreachable' })),
    ready(i: number, life: number, generation = 0): string {
      return setWorld.verdict(linkOf(i, generation), setWorld.readyOf(i, life));
    },
    readyOf: (i: number, life: number): EncodedOperation =>
      ready.toCbor({
        validator: `v${i}`,
        life: lifeOf(life),
        setDigest: validatorSetDigest(epoch.validators),
        height: world.height(),
        historyRoot: new Uint8Array(32).fill(9),
      }),
    fault: (i: number, kind = 'votes') => ({ validator: `v${i}`, member: `m${i}`, kind, height: world.height() + 1 }),
  };
  return setWorld;

  /** After a block: the epoch ends with it if the target `lag` heights ago is not what the epoch runs with. */
  function follow(wanted: { readonly validators: readonly Validator[]; readonly rules: number }): void {
    const isSame = digestOf(wanted.validators) === digestOf(epoch.validators) && wanted.rules === epoch.rules;
    if (isSame) return;
    epoch = { number: epoch.number + 1, ...wanted };
    sets.push(epoch.validators);
    assert(readTargetRules(world.store) === epoch.rules, 'one change is in flight at a time');
    assert(digestOf(readValidators(world.store)) === digestOf(epoch.validators), 'one change is in flight at a time');
  }
}

function digestOf(validators: readonly Validator[]): string {
  return toHex(validatorSetDigest(validators));
}
