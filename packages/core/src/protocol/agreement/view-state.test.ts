/** protocol.md section 3, "State": tallies, the proposal of a view, and what contradicts. Self is 0 of four. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toView } from '../../model/brands.ts';
import {
  blockOn,
  createBench,
  finalization,
  finalize,
  genesisTip,
  notarization,
  notarize,
  nullification,
  nullify,
  proposalOf,
} from '../testing/hand.ts';
import { certificateOf, createViewState, fixProposal, noteConflicts, tallyVote } from './view-state.ts';

const [a, b] = [0, 1].map((i) => proposalOf(1, 0, blockOn(genesisTip, { timeMs: 1_000_000 + i }))) as [
  ReturnType<typeof proposalOf>,
  ReturnType<typeof proposalOf>,
];
const quorum = 3;
const create = () => createViewState(toView(1));

test('a view of which nothing is known yet has no proposal, no votes and no certificates', () => {
  assert.deepEqual(create(), {
    view: 1,
    proposal: null,
    proposalStatus: 'none',
    proposalAtMs: null,
    leaderVote: null,
    own: { notarize: null, isNullified: false, finalize: null },
    tally: { notarize: new Map(), nullify: new Map(), finalize: new Map() },
    notarization: null,
    nullification: null,
    finalization: null,
    certification: 'none',
    nullifySentAtMs: Number.NEGATIVE_INFINITY,
  });
});

test('a certificate is made the moment a quorum for one statement exists', () => {
  for (const vote of [(i: number) => notarize(i, a), (i: number) => nullify(i, 1), (i: number) => finalize(i, a)]) {
    const state = create();
    assert.equal(tallyVote(state, vote(3), quorum), null);
    assert.equal(tallyVote(state, vote(0), quorum), null);
    const certificate = tallyVote(state, vote(1), quorum);
    assert.deepEqual([certificate!.vote, certificate!.signers], [vote(0).vote, [0, 1, 3]]);
  }
});

test('a signer counts once for each kind; votes for different proposals do not add up', () => {
  const state = create();
  tallyVote(state, notarize(1, a), quorum);
  assert.equal(tallyVote(state, notarize(1, a), quorum), null);
  assert.equal(tallyVote(state, notarize(1, b), quorum), null, 'the second one is ignored');
  assert.equal(tallyVote(state, notarize(2, b), quorum), null);
  assert.equal(tallyVote(state, notarize(3, b), quorum), null);
  assert.equal(tallyVote(state, nullify(0, 1), quorum), null);
  assert.deepEqual(state.tally.notarize.get(notarize(1, a).signer)!.vote, notarize(1, a).vote);
  assert.notEqual(tallyVote(state, notarize(0, b), quorum), null);
});

test('no certificate is made where one of its kind is held', () => {
  const state = create();
  state.notarization = notarization(a, [1, 2, 3]);
  for (const signer of [1, 2, 3]) assert.equal(tallyVote(state, notarize(signer, a), quorum), null);
  assert.equal(state.tally.notarize.size, 3);
  for (const signer of [1, 2]) tallyVote(state, finalize(signer, a), quorum);
  assert.notEqual(tallyVote(state, finalize(3, a), quorum), null, 'one of another kind');
});

test('certificates are found by their kind', () => {
  const state = create();
  for (const type of ['notarize', 'nullify', 'finalize'] as const) assert.equal(certificateOf(state, type), null);
  state.notarization = notarization(a, [1, 2, 3]);
  state.nullification = nullification(1, [1, 2, 3]);
  state.finalization = finalization(a, [1, 2, 3]);
  for (const type of ['notarize', 'nullify', 'finalize'] as const)
    assert.equal(certificateOf(state, type)!.vote.type, type);
});

test("the leader's first Notarize fixes the proposal; a different one makes the view equivocated", () => {
  const state = create();
  fixProposal(state, notarize(2, a), a, 70);
  fixProposal(state, notarize(2, a), proposalOf(1, 0, blockOn(genesisTip)), 80);
  assert.deepEqual([state.proposal, state.proposalStatus, state.proposalAtMs], [a, 'unverified', 70]);
  fixProposal(state, notarize(2, b), b, 90);
  assert.deepEqual([state.proposal, state.proposalStatus, state.proposalAtMs], [a, 'equivocated', 70]);
  assert.deepEqual(state.leaderVote!.vote, notarize(2, a).vote);
});

test('a vote that contradicts an earlier one of its signer is proof of a fault, of whatever kind both are', () => {
  const pairs = [
    [notarize(1, a), notarize(1, b)],
    [finalize(1, a), finalize(1, b)],
    [notarize(1, a), finalize(1, b)],
    [nullify(1, 1), finalize(1, a)],
    [finalize(1, a), nullify(1, 1)],
  ] as const;
  for (const [first, second] of pairs) {
    const { context, proofs } = createBench(4);
    const state = create();
    tallyVote(state, first, quorum);
    noteConflicts(context, state, second);
    assert.deepEqual(proofs, [{ type: 'votes', accused: 1, first, second }]);
  }
  for (const [first, second] of [
    [notarize(1, a), nullify(1, 1)],
    [notarize(1, a), finalize(1, a)],
    [notarize(1, a), notarize(2, b)],
  ] as const) {
    const { context, proofs } = createBench(4);
    const state = create();
    tallyVote(state, first, quorum);
    noteConflicts(context, state, second);
    assert.deepEqual(proofs, []);
  }
});
