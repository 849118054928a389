/**
 * Random networks of members and validators: whatever is proposed, voted, proven, attested and said, and whoever is silent,
 * the validator set changes only in the ways that protocol.md section 5 allows.
 */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeCbor } from '../bytes/cbor.ts';
import { toHex } from '../bytes/hex.ts';
import { readShape } from '../bytes/shape.ts';
import { fuzzSettings } from '../bytes/testing/fuzz.ts';
import type { Transaction } from '../model/transaction.ts';
import {
  quorum,
  readValidatorSet,
  type Validator,
  validatorSetDigest,
  validatorToCbor,
} from '../model/validator-set.ts';
import type { Change } from './changes.ts';
import { errorCatalogue } from './errors.ts';
import { attest } from './operations/attest.ts';
import { propose } from './operations/propose.ts';
import { revokeKey } from './operations/revoke-key.ts';
import { vote } from './operations/vote.ts';
import { readKey, readKeys, readMembers } from './query.ts';
import { readAdmissions, readProposals, readSuspensions, readSuspensionsOf } from './set-query.ts';
import type { AttestVerdict } from './set-records.ts';
import type { LeaderHint } from './suspensions.ts';
import { createSetWorld, linkOf, personOf, type SetWorld, validatorOf } from './testing/set-world.ts';

const membersCount = 9;
const number = fc.integer({ min: 1, max: membersCount });
const generation = fc.integer({ min: 0, max: 2 });

type Step =
  | { readonly type: 'decide'; readonly by: number; readonly change: Change; readonly isUnanimous: boolean }
  | { readonly type: 'vote'; readonly by: number; readonly isYes: boolean; readonly which: number }
  | { readonly type: 'attest'; readonly by: number; readonly of: number; readonly verdict: AttestVerdict }
  | { readonly type: 'ready'; readonly by: number; readonly generation: number; readonly life: number }
  | { readonly type: 'fault'; readonly of: number; readonly kind: string }
  | { readonly type: 'authors'; readonly by: readonly number[] }
  | { readonly type: 'revoke'; readonly by: number }
  | { readonly type: 'pass'; readonly blocks: number }
  | { readonly type: 'jump'; readonly by: number };

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: number.map((i): Change => ({ type: 'remove-validator', validator: `v${i}` })) },
  {
    weight: 6,
    arbitrary: fc.tuple(number, generation, generation).map(
      ([i, link, voting]): Change => ({
        type: 'admit-validator',
        validator: { ...validatorOf(i, link), votingKey: validatorOf(i, voting).votingKey },
      }),
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom(2, 3).map((rules): Change => ({ type: 'change-rules', rules })) },
);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('decide' as const),
      by: number,
      change,
      isUnanimous: fc.integer({ min: 0, max: 3 }).map((each) => each > 0),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('vote' as const), by: number, isYes: fc.boolean(), which: fc.nat(5) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      ...{ type: fc.constant('attest' as const), by: number, of: number },
      verdict: fc.constantFrom<AttestVerdict>('suspect', 'suspect', 'clear', 'present', 'fenced'),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      ...{ type: fc.constant('ready' as const), by: number, generation },
      life: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      ...{ type: fc.constant('fault' as const), of: number },
      kind: fc.constantFrom('votes', 'batches', 'damage'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('authors' as const), by: fc.uniqueArray(number) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('revoke' as const), by: number }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('pass' as const), blocks: fc.integer({ min: 1, max: 6 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('jump' as const), by: fc.constantFrom(50, 400, 1_000, 3_000) }),
  },
);

const histories = fc.record({
  validatorsCount: fc.integer({ min: 1, max: 8 }),
  steps: fc.array(step, { minLength: 5, maxLength: 40 }),
});

/** One block for each step, but `pass`. */
function take(world: SetWorld, each: Step): void {
  switch (each.type) {
    case 'decide': {
      const proposal = world.sign(personOf(each.by), { operations: [propose.toCbor({ change: each.change })] });
      const yes = vote.toCbor({ proposal: proposal.id, isYes: true });
      const others = Array.from({ length: membersCount }, (_, i) => i + 1).filter((i) => i !== each.by);
      const votes = each.isUnanimous ? others.map((i) => world.sign(personOf(i), { operations: [yes] })) : [];
      run(world, [proposal, ...votes]);
      return;
    }
    case 'vote': {
      const open = readProposals(world.store).filter(({ outcome }) => outcome === 'open');
      const chosen = open[each.which % Math.max(1, open.length)];
      const operation = vote.toCbor({ proposal: chosen?.id ?? new Uint8Array(32), isYes: each.isYes });
      run(world, [world.sign(personOf(each.by), { operations: [operation] })]);
      return;
    }
    case 'attest': {
      const { by, of, verdict } = each;
      const operation = attest.toCbor({ validator: `v${of}`, verdict, reason: 'seen' });
      run(
        world,
        [0, 1, 2].map((keys) => world.sign(linkOf(by, keys), { operations: [operation] })),
      );
      return;
    }
    case 'ready':
      run(world, [world.sign(linkOf(each.by, each.generation), { operations: [world.readyOf(each.by, each.life)] })]);
      return;
    case 'fault': {
      const isThere = world.epoch().validators.some(({ id }) => id === `v${each.of}`);
      world.execute([], { misbehaviour: isThere ? [world.fault(each.of, each.kind)] : [] });
      return;
    }
    case 'authors': {
      const ids = each.by.map((i) => `v${i}`);
      const authors = world
        .epoch()
        .validators.map(({ id }) => id)
        .filter((id) => ids.includes(id));
      world.execute([], { authors });
      return;
    }
    case 'revoke': {
      const operation = revokeKey.toCbor({ kid: linkOf(each.by).kid });
      run(world, [world.sign(personOf(each.by), { operations: [operation] })]);
      return;
    }
    case 'pass':
      world.pass(each.blocks);
      return;
    case 'jump':
      world.jumpTo(world.height() + each.by);
  }
}

/** Admission must let in the first one of a block when execution accepts it. */
function run(world: SetWorld, transactions: readonly Transaction[]): void {
  const checked = world.ledger.check(world.store, transactions[0]!, world.next());
  const { results } = world.execute(transactions);
  for (const { code } of results) assert.ok(code === 'ok' || code in errorCatalogue, code);
  assert.ok(results[0]!.code !== 'ok' || checked.ok, 'what execution accepts is admitted');
}

type History = { readonly validatorsCount: number; readonly steps: readonly Step[] };

/** Plays until the end, or until rules begin that this release does not know: there the ledger stops, as it must. */
function play(
  { validatorsCount, steps }: History,
  check: (world: SetWorld) => void,
  world = createSetWorld(validatorsCount, membersCount),
): void {
  for (const each of steps) {
    try {
      take(world, each);
    } catch (error) {
      if (world.epoch().rules === 1) throw error;
    }
    if (world.epoch().rules !== 1) return;
    check(world);
  }
}

test('from epoch to epoch: 4 remain, at most f are voted out, at most one joins, and no set is refused by a reader', () => {
  let [changes, departures, arrivals] = [0, 0, 0];
  fc.assert(
    fc.property(histories, (history) => {
      let seen = 1;
      play(history, (world) => {
        for (; seen < world.sets.length; seen++) {
          const [before, after] = [world.sets[seen - 1]!, world.sets[seen]!];
          const event = world.eventsOf('target-changed')[seen - 1]!;
          const gone = before.filter(({ id }) => !after.some((each) => each.id === id));
          const changed = after.filter((each) => !before.some((other) => isSame(each, other)));
          const votedOut = event.left.filter(({ cause }) => cause === 'vote').length;
          assert.equal(gone.length, event.left.length);
          if (gone.length > 0) assert.ok(after.length >= 4, 'a removal leaves four');
          assert.ok(votedOut <= before.length - quorum(before.length), 'at most f are voted out');
          assert.ok(changed.length <= 1 && (changed.length === 0 || gone.length === 0), 'one joins, and nobody leaves');
          for (const { life } of changed) assert.ok(life !== null, 'who joins has said that it is ready');
          assert.ok(readShape('x', after.map(validatorToCbor), readValidatorSet).ok, 'a set of different keys');
          changes += 1;
          departures += gone.length;
          arrivals += changed.length;
        }
      });
    }),
    fuzzSettings(120),
  );
  assert.ok(
    changes > 10 && departures > 3 && arrivals > 3,
    `${changes} changes, ${departures} left, ${arrivals} joined`,
  );
});

function isSame(a: Validator, b: Validator): boolean {
  return toHex(encodeCbor(validatorToCbor(a))) === toHex(encodeCbor(validatorToCbor(b)));
}

test('who was proven faulty with a key never comes in with it again', () => {
  fc.assert(
    fc.property(histories, (history) => {
      const guilty = new Map<string, number>();
      let faults = 0;
      play(history, (world) => {
        const proven = world.events.filter((event) => event.type === 'suspended' && event.cause === 'proven-fault');
        for (const event of proven.slice(faults)) {
          const { id, votingKey } =
            world.sets.at(-1)!.find((each) => 'validator' in event && each.id === event.validator) ??
            world.sets.at(-2)!.find((each) => 'validator' in event && each.id === event.validator)!;
          guilty.set(`${id} ${toHex(votingKey)}`, world.sets.length);
        }
        faults = proven.length;
        const [before, now] = [world.sets.at(-2) ?? [], world.sets.at(-1)!];
        const names = (set: readonly Validator[]) => set.map(({ id, votingKey }) => `${id} ${toHex(votingKey)}`);
        for (const name of names(now)) {
          const since = guilty.get(name);
          // A change that was in flight when it was proven is still carried out.
          if (since !== undefined && since < world.sets.length - 1) assert.ok(names(before).includes(name), name);
        }
      });
    }),
    fuzzSettings(120),
  );
});

test('a key counts for what it should: link keys of target and admissions are in force, unless their member revoked them', () => {
  fc.assert(
    fc.property(histories, (history) => {
      const hasRevoked = history.steps.some(({ type }) => type === 'revoke');
      play(history, (world) => {
        const wanted = [...world.target(), ...readAdmissions(world.store).map(({ validator }) => validator)];
        const kids = new Set(wanted.map(({ linkKey }) => toHex(linkKey)));
        for (const { role, publicKey, untilHeight } of readKeys(world.store)) {
          if (role !== 'node') continue;
          const isWanted = kids.has(toHex(publicKey));
          if (!hasRevoked) assert.equal(untilHeight === null, isWanted);
          else if (!isWanted) assert.notEqual(untilHeight, null);
        }
        for (const { kids: listed } of readMembers(world.store)) {
          for (const kid of listed) assert.equal(readKey(world.store, kid)!.untilHeight, null);
        }
      });
    }),
    fuzzSettings(60),
  );
});

test('the engine, that adds up what it is told, knows who is suspended', () => {
  fc.assert(
    fc.property(histories, (history) => {
      const world = createSetWorld(history.validatorsCount, membersCount);
      let known = new Set<string>();
      let epoch = 1;
      const execute = world.execute;
      const follow = (hints: readonly LeaderHint[], validators: readonly Validator[]) => {
        for (const { validator, suspended } of hints) {
          assert.notEqual(known.has(validator), suspended, 'a hint tells a change');
          if (suspended) known.add(validator);
          else known.delete(validator);
        }
        const stored = readSuspensions(world.store).map(({ validator }) => validator);
        assert.deepEqual([...known].sort(), [...new Set(stored)].sort());
        assert.deepEqual(readSuspensionsOf(world.store, validators), readSuspensions(world.store));
        const attested = readSuspensions(world.store).filter(({ cause }) => cause === 'attested');
        assert.ok(attested.length <= Math.max(0, validators.length - quorum(validators.length)));
      };
      world.execute = (...block) => {
        const { validators } = world.epoch();
        const execution = execute(...block);
        follow(execution.leaderHints, validators);
        if (world.epoch().number > epoch) {
          // A replica of the new epoch starts with what applies to its set; the first block ends the rest.
          epoch = world.epoch().number;
          const begun = readSuspensions(world.store);
          known = new Set(
            begun
              .map(({ validator }) => validator)
              .filter((id) => world.epoch().validators.some((each) => each.id === id)),
          );
        }
        return execution;
      };
      play(history, () => undefined, world);
    }),
    fuzzSettings(80),
  );
});

test('two nodes that execute the same blocks want the same set', () => {
  fc.assert(
    fc.property(histories, (history) => {
      const digests: string[] = [];
      play(history, (world) => digests.push(toHex(validatorSetDigest(world.target()))));
      const again: string[] = [];
      play(history, (world) => again.push(toHex(validatorSetDigest(world.target()))));
      assert.deepEqual(again, digests);
    }),
    fuzzSettings(20),
  );
});
