/** Proposals and votes of the members, and what each kind of change does (protocol.md section 5). */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { keyId } from '../crypto/keys.ts';
import { defaultParameters } from '../model/parameters.ts';
import type { Change } from './changes.ts';
import type { EncodedOperation } from './operations/operation.ts';
import { propose } from './operations/propose.ts';
import { registerKey } from './operations/register-key.ts';
import { revokeKey } from './operations/revoke-key.ts';
import { vote } from './operations/vote.ts';
import { proposalHeights } from './proposals.ts';
import { readKey, readMember, readParameters } from './query.ts';
import { readAdmissions, readProposal, readProposals } from './set-query.ts';
import { createSetWorld, linkOf, personOf, type SetWorld, validatorOf } from './testing/set-world.ts';
import { signerOf } from './testing/world.ts';

const harmless: Change = { type: 'change-parameters', parameters: { ...defaultParameters, devicesMax: 7 } };
const newcomer: Change = {
  ...{ type: 'add-member', member: 'm9', name: 'Member 9', algorithm: 'ed25519' },
  publicKey: personOf(9).publicKey,
};
const outcomeOf = (world: SetWorld, id: Uint8Array): string => readProposal(world.store, id)!.outcome;

test('a proposal is open with its own member voting for it, and passes with 67 percent of the members', () => {
  const world = createSetWorld(4);
  const { id, code } = world.propose(1, harmless);
  assert.equal(code, 'ok');
  const proposal = readProposal(world.store, id)!;
  assert.deepEqual(proposal.votes, [{ member: 'm1', isYes: true }]);
  assert.deepEqual([proposal.outcome, proposal.member, proposal.openedHeight, proposal.yes], ['open', 'm1', 1, 1]);
  assert.equal(world.vote(2, id), 'ok');
  assert.equal(outcomeOf(world, id), 'open');
  assert.equal(world.vote(3, id), 'ok');
  assert.deepEqual([outcomeOf(world, id), readProposal(world.store, id)!.closedHeight], ['passed', 3]);
  assert.equal(world.vote(4, id), 'proposal.closed');
  assert.deepEqual(
    world.events.map(({ type }) => type),
    [
      ...['proposal-opened', 'proposal-voted', 'proposal-voted', 'proposal-voted', 'proposal-closed'],
      'parameters-changed',
    ],
  );
});

test('how many votes are needed: yes * 100 >= memberVotesPercent * members', () => {
  const cases = [
    [1, 67, 1],
    [2, 67, 2],
    [2, 51, 2],
    [3, 67, 3],
    [3, 51, 2],
    [6, 67, 5],
    [7, 67, 5],
    [9, 51, 5],
    [4, 75, 3],
    [4, 100, 4],
  ] as const;
  for (const [members, memberVotesPercent, needed] of cases) {
    const world = createSetWorld(1, members, { memberVotesPercent });
    const { id } = world.propose(1, { ...harmless, parameters: { ...defaultParameters, devicesMax: 1 } });
    for (let i = 2; i <= needed; i++) {
      assert.equal(outcomeOf(world, id), 'open', `${i - 1} of ${members}`);
      world.vote(i, id);
    }
    assert.equal(outcomeOf(world, id), 'passed', `${needed} of ${members} at ${memberVotesPercent}`);
  }
});

test('a proposal is refused as soon as the others are too few, and a member that changes its mind counts once', () => {
  const world = createSetWorld(4);
  const { id } = world.propose(1, harmless);
  assert.equal(world.vote(2, id, false), 'ok');
  assert.equal(world.vote(2, id, true), 'ok');
  assert.equal(world.vote(2, id, true), 'ok');
  assert.deepEqual([readProposal(world.store, id)!.yes, readProposal(world.store, id)!.no], [2, 0]);
  assert.equal(world.eventsOf('proposal-voted').length, 3, 'the same vote again changes nothing');
  assert.equal(world.vote(2, id, false), 'ok');
  assert.equal(world.vote(1, id, false), 'ok');
  assert.deepEqual([outcomeOf(world, id), readProposal(world.store, id)!.no], ['refused', 2]);
  assert.equal(world.vote(3, id), 'proposal.closed');
  assert.deepEqual(readParameters(world.store), world.genesis.parameters);
});

test('a member has one vote, with whichever of its person keys; other keys have none', () => {
  const world = createSetWorld(4);
  const second = signerOf(250);
  const key = { role: 'person', algorithm: 'ed25519', publicKey: second.publicKey, device: null } as const;
  assert.equal(world.verdict(personOf(1), registerKey.toCbor(key)), 'ok');
  const { id } = world.propose(1, harmless);
  assert.equal(world.verdict(second, vote.toCbor({ proposal: id, isYes: true })), 'ok');
  assert.equal(readProposal(world.store, id)!.yes, 1);
  assert.equal(world.verdict(linkOf(2), vote.toCbor({ proposal: id, isYes: true })), 'tx.not-permitted');
  assert.equal(world.verdict(linkOf(2), propose.toCbor({ change: harmless })), 'tx.not-permitted');
  assert.equal(world.vote(2, new Uint8Array(32)), 'proposal.unknown');
});

test('at most 8 proposals of a member are open, and 64 of all; what is decided makes room', () => {
  const world = createSetWorld(4, 10);
  for (let i = 0; i < 8; i++) assert.equal(world.propose(1, harmless).code, 'ok');
  assert.equal(world.propose(1, harmless).code, 'proposal.too-many-open');
  for (let member = 2; member <= 8; member++) {
    for (let i = 0; i < 8; i++) assert.equal(world.propose(member, harmless).code, 'ok');
  }
  assert.equal(world.propose(9, harmless).code, 'proposal.too-many-open');
  const [first] = readProposals(world.store);
  for (const member of [2, 3, 4, 5]) world.vote(member, first!.id, false);
  assert.equal(outcomeOf(world, first!.id), 'refused');
  assert.equal(world.propose(9, harmless).code, 'ok');
});

test('a transaction opens one proposal', () => {
  const world = createSetWorld(4);
  const operation = propose.toCbor({ change: harmless });
  assert.equal(world.verdict(personOf(1), operation, operation), 'proposal.one-each');
  assert.deepEqual(readProposals(world.store), []);
});

test('a proposal lapses 100,000 heights after it was opened', () => {
  const world = createSetWorld(4);
  const { id } = world.propose(1, harmless);
  world.jumpTo(proposalHeights);
  assert.equal(outcomeOf(world, id), 'open');
  world.jumpTo(proposalHeights + 1);
  assert.equal(outcomeOf(world, id), 'lapsed');
  assert.equal(world.vote(2, id), 'proposal.closed');
  assert.equal(world.eventsOf('proposal-closed')[0]!.outcome, 'lapsed');
});

test('a member joins with its first person key, and votes count among one more', () => {
  const world = createSetWorld(3);
  world.decide(newcomer);
  const member = readMember(world.store, 'm9')!;
  assert.deepEqual([member.name, member.keyCount, member.kids], ['Member 9', 1, [personOf(9).kid]]);
  const { role, fromHeight } = readKey(world.store, personOf(9).kid)!;
  assert.deepEqual([role, fromHeight], ['person', 2]);
  assert.equal(world.propose(9, harmless).code, 'ok');
  const [, { id }] = readProposals(world.store) as [unknown, { id: Uint8Array }];
  world.vote(1, id);
  assert.equal(outcomeOf(world, id), 'open', 'two of four');
  world.vote(2, id);
  assert.equal(outcomeOf(world, id), 'passed');
});

test('what is not possible is refused when it is proposed', () => {
  const world = createSetWorld(4);
  const cases: [Change, string][] = [
    [{ ...newcomer, member: 'm2' } as Change, 'member.exists'],
    [{ ...newcomer, publicKey: personOf(2).publicKey } as Change, 'key.exists'],
    [{ ...newcomer, publicKey: Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0)) } as Change, 'key.invalid'],
    [{ type: 'remove-validator', validator: 'v9' }, 'validator.unknown'],
    [{ type: 'change-rules', rules: 1 }, 'proposal.not-next-rules'],
    [{ type: 'change-rules', rules: 3 }, 'proposal.not-next-rules'],
    [parameters({ checkpointLag: 5 }), 'proposal.fixed-parameter'],
    [parameters({ retentionHeights: 20_000 }), 'proposal.fixed-parameter'],
    [parameters({ memberVotesPercent: 50 }), 'tx.bad-operation'],
    [admission(5, { member: 'm5' }), 'member.unknown'],
    [admission(2, { id: 'v1' }), 'validator.foreign'],
    [admission(1, { id: 'x', votingKey: validatorOf(2).votingKey }), 'validator.key-in-use'],
    [admission(1, { id: 'x', checkpointKey: validatorOf(2).linkKey }), 'validator.key-in-use'],
    [admission(1, { id: 'x', linkKey: personOf(1).publicKey }), 'key.exists'],
    [admission(1, { id: 'x', votingKey: new Uint8Array(32) }), 'key.invalid'],
    [admission(1, { life: new Uint8Array(16) }), 'tx.bad-operation'],
  ];
  for (const [change, code] of cases) assert.equal(world.propose(1, change).code, code, JSON.stringify(change));
  assert.deepEqual(readProposals(world.store), []);
});

function parameters(changed: Partial<typeof defaultParameters>): Change {
  return { type: 'change-parameters', parameters: { ...defaultParameters, ...changed } };
}

/** With new keys, unless others are given. */
function admission(i: number, changed: Partial<ReturnType<typeof validatorOf>> = {}): Change {
  return { type: 'admit-validator', validator: { ...validatorOf(i, 1), ...changed } };
}

test('changes are read strictly', () => {
  const world = createSetWorld(4);
  const malformed: unknown[] = [
    ...[[], [5], [2], [2, 'V'], [2, 'v1', 0], [0, 'm9', 'x', -19], [1, []], [3, new Map()], [4, 70_000], [4], 4, null],
    [0, 'm9', 'x'.repeat(101), -19, personOf(9).publicKey],
    [0, 'm9', 'x', -9, personOf(9).publicKey],
  ];
  for (const change of malformed) {
    assert.equal(world.verdict(personOf(1), [7, change] as unknown as EncodedOperation), 'tx.bad-operation');
  }
  for (const items of [[], [new Uint8Array(31), 1], [new Uint8Array(32), 2], [new Uint8Array(32)]]) {
    assert.equal(world.verdict(personOf(1), [8, ...items] as unknown as EncodedOperation), 'tx.bad-operation');
  }
});

test('what has become impossible by the time it passes changes nothing, and says why', () => {
  const world = createSetWorld(3);
  const [one, two] = [world.propose(1, newcomer), world.propose(2, { ...newcomer, name: 'Another' } as Change)];
  for (const member of [2, 3]) world.vote(member, one.id);
  for (const member of [1, 3]) world.vote(member, two.id);
  assert.deepEqual([outcomeOf(world, one.id), outcomeOf(world, two.id)], ['passed', 'impossible']);
  assert.deepEqual(world.eventsOf('proposal-closed').at(-1), {
    ...{ type: 'proposal-closed', proposal: two.id, outcome: 'impossible', code: 'member.exists' },
  });
  assert.equal(readMember(world.store, 'm9')!.name, 'Member 9');
});

test('a validator is admitted only with the vote of its own member, whose node key its link key becomes', () => {
  const world = createSetWorld(4, 5);
  const { id } = world.propose(1, { type: 'admit-validator', validator: validatorOf(5) });
  for (const member of [2, 3, 4]) world.vote(member, id);
  assert.equal(outcomeOf(world, id), 'open', 'four of five, without its own');
  assert.equal(world.vote(5, id), 'ok');
  assert.equal(outcomeOf(world, id), 'passed');
  const key = readKey(world.store, keyId('ed25519', validatorOf(5).linkKey))!;
  assert.deepEqual([key.role, key.member, key.device], ['node', 'm5', null]);
  assert.deepEqual(readAdmissions(world.store), [{ validator: validatorOf(5), height: world.height(), ready: null }]);
  assert.deepEqual(world.ids(), ['v1', 'v2', 'v3', 'v4'], 'it joins when it is ready');
});

test('an admission can be withdrawn, and replaced; the link keys of both are revoked', () => {
  const world = createSetWorld(4, 5);
  const untilOf = (generation: number) => readKey(world.store, linkOf(5, generation).kid)!.untilHeight;
  world.decide({ type: 'admit-validator', validator: validatorOf(5) });
  world.decide({ type: 'admit-validator', validator: validatorOf(5, 1) });
  assert.deepEqual([untilOf(0), untilOf(1)], [3, null]);
  world.decide({ type: 'remove-validator', validator: 'v5' });
  assert.deepEqual(readAdmissions(world.store), []);
  assert.equal(untilOf(1), 4);
  assert.deepEqual(world.target(), world.genesis.validators);
  const again = world.propose(5, { type: 'admit-validator', validator: validatorOf(5, 1) });
  assert.equal(again.code, 'key.exists', 'a kid is never registered again');
});

test('a link key that its member has revoked is not admitted', () => {
  const world = createSetWorld(4, 5);
  const key = { role: 'node', algorithm: 'ed25519', publicKey: validatorOf(5).linkKey, device: null } as const;
  assert.equal(world.verdict(personOf(5), registerKey.toCbor(key)), 'ok');
  assert.equal(world.propose(5, { type: 'admit-validator', validator: validatorOf(5) }).code, 'ok', 'it is in force');
  assert.equal(world.verdict(personOf(5), revokeKey.toCbor({ kid: linkOf(5).kid })), 'ok');
  assert.equal(world.propose(5, { type: 'admit-validator', validator: validatorOf(5) }).code, 'key.exists');
});

test('new parameters count from the next block on', () => {
  const world = createSetWorld(1, 1);
  world.decide({
    type: 'change-parameters',
    parameters: { ...defaultParameters, memberVotesPercent: 100, keysMax: 2 },
  });
  assert.equal(readParameters(world.store)!.memberVotesPercent, 100);
  const key = { role: 'node', algorithm: 'ed25519', publicKey: signerOf(251).publicKey, device: null } as const;
  assert.equal(world.verdict(personOf(1), registerKey.toCbor(key)), 'quota.keys');
});

test('admission to the mempool leaves to execution what the next blocks may change', () => {
  const world = createSetWorld(4);
  const check = (signer: typeof linkOf extends (...a: never[]) => infer S ? S : never, operation: EncodedOperation) => {
    const checked = world.ledger.check(world.store, world.sign(signer, { operations: [operation] }), world.next());
    return checked.ok ? 'ok' : checked.error.code;
  };
  assert.equal(check(personOf(1), vote.toCbor({ proposal: new Uint8Array(32), isYes: true })), 'ok');
  assert.equal(
    check(personOf(1), propose.toCbor({ change: parameters({ checkpointLag: 9 }) })),
    'proposal.fixed-parameter',
  );
  assert.equal(check(linkOf(1), world.readyOf(1, 1)), 'ok');
  assert.equal(check(personOf(1), world.readyOf(1, 1)), 'ok', 'it may be admitted by then');
  assert.equal(check(linkOf(1), propose.toCbor({ change: harmless })), 'tx.not-permitted');
});

test('scenario 20: a change of parameters that would halt the chain, or that no node can read, cannot be proposed', () => {
  const world = createSetWorld(4);
  const codeOf = (changed: Partial<typeof defaultParameters>) =>
    world.propose(1, { type: 'change-parameters', parameters: { ...defaultParameters, ...changed } }).code;
  // With another lag, nodes would wait for checkpoints of different heights; with a shorter retention some have let go of what others ask for.
  assert.equal(codeOf({ checkpointLag: 1 }), 'proposal.fixed-parameter');
  assert.equal(codeOf({ retentionHeights: 1_000 }), 'proposal.fixed-parameter');
  // No time at all, and more members than there are: out of range, so these are no parameters.
  assert.equal(codeOf({ deltaMs: 0 }), 'tx.bad-operation');
  assert.equal(codeOf({ memberVotesPercent: 101 }), 'tx.bad-operation');
  assert.equal(codeOf({ memberVotesPercent: 100 }), 'ok');
});
