/** Scenarios 5, 6, 7, 9, 13 and 19: messages that no honest node sends, and what they come to. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Cbor,
  encodeCbor,
  encodeMessage,
  type FaultProof,
  faultProofToCbor,
  type Hash,
  type Message,
  sha256,
  toEpoch,
  toHeight,
  toHex,
  toValidatorIndex,
  toView,
  type Vote,
} from '@cairn-ledger/core';
import { ScenarioWorld } from './scenario-world.ts';

const honest = [0, 1, 2];
const otherDigest: Hash = sha256(new Uint8Array([1]));

const proposalOf = (view: number, digest: Hash = otherDigest) => ({
  epoch: toEpoch(1),
  view: toView(view),
  parentView: toView(0),
  digest,
});

/** Every honest node has refused something of node 3 with this code. */
function assertRefused(world: ScenarioWorld, code: string, by: readonly number[] = honest): void {
  for (const node of by)
    assert.ok(
      world.refusals.some((row) => row.node === node && row.peer === 3 && row.code === code),
      `node ${node} refuses with ${code}: ${JSON.stringify(world.refusals)}`,
    );
}

/** Whatever was said, the chain goes on, nobody is blamed, and nobody trusts what was refused. */
function assertUnharmed(world: ScenarioWorld): void {
  world.commit(0, 'pay');
  for (const node of honest) assert.deepEqual(world.proven(node), []);
  world.finish();
}

test('05: a vote with another view, digest or signer than was signed is refused, and proves nothing', () => {
  const world = new ScenarioWorld({
    name: '05-mutated-messages',
    tells: `Node 3 takes votes that were really signed, its own and those of node 1, and changes them: the view, the digest, the
signer. No signature holds any more, so no node is blamed for what it did not sign.`,
    byzantine: [3],
  });
  world.start();
  const own = world.sign(3, { type: 'notarize', proposal: proposalOf(1) });
  const ofNode1 = world.nullify(1, 1);
  const say = (what: string, message: Message) => {
    world.note(what);
    world.say(3, honest, message);
    world.settle();
  };
  say('its own vote, for view 2', {
    type: 'vote',
    vote: { ...own, vote: { type: 'notarize', proposal: proposalOf(2) } },
    entry: null,
  });
  say('its own vote, for another block', {
    type: 'vote',
    vote: { ...own, vote: { type: 'notarize', proposal: proposalOf(1, sha256(new Uint8Array([2]))) } },
    entry: null,
  });
  say('its own vote, as one of node 0', { type: 'vote', vote: { ...own, signer: toValidatorIndex(0) }, entry: null });
  say('the vote of node 1, as it is', { type: 'vote', vote: ofNode1, entry: null });
  const nullify: Vote = { type: 'nullify', epoch: toEpoch(1), view: toView(2) };
  say('a proof made of the vote of node 1 and a changed one', {
    type: 'evidence',
    proof: {
      type: 'votes',
      accused: toValidatorIndex(1),
      first: { vote: nullify, signer: toValidatorIndex(1), signature: ofNode1.signature },
      second: { ...own, vote: { type: 'finalize', proposal: proposalOf(2) }, signer: toValidatorIndex(1) },
    },
  });
  assertRefused(world, 'message.bad-signature');
  assertRefused(world, 'message.wrong-link');
  assertUnharmed(world);
});

test('06: a validator index that no validator has is refused wherever it stands', () => {
  const world = new ScenarioWorld({
    name: '06-index-out-of-range',
    tells: `Node 3 names validators 4, 200 and 65,535, of which there are none: as signer of a vote, in a certificate, of a
checkpoint, as author of a batch that it acknowledges, as accused.`,
    byzantine: [3],
  });
  world.start();
  const say = (what: string, message: Message) => {
    world.note(what);
    world.say(3, honest, message);
    world.settle();
  };
  const vote = world.nullify(3, 1);
  const proposal = world.sign(3, { type: 'notarize', proposal: proposalOf(1) });
  for (const index of [4, 200, 65_535])
    say(`a vote of validator ${index}`, {
      type: 'vote',
      vote: { ...vote, signer: toValidatorIndex(index) },
      entry: null,
    });
  say('a nullification by 0, 1, 200', {
    type: 'certificate',
    certificate: {
      vote: vote.vote,
      signers: [0, 1, 200].map(toValidatorIndex),
      signatures: [0, 1, 3].map((node) => world.nullify(node, 1).signature),
    },
  });
  say('an acknowledgement of batches by 9', {
    type: 'acknowledgement',
    epoch: toEpoch(1),
    rows: [{ author: toValidatorIndex(9), seq: 1, digest: otherDigest }],
  });
  say('a checkpoint signed by 200', {
    type: 'checkpoint-signatures',
    signatures: [
      {
        statement: { ...world.chain.genesis.statement, height: toHeight(1) },
        signer: toValidatorIndex(200),
        issuedSeconds: 0,
        signature: vote.signature,
      },
    ],
  });
  say('a proof against 200', {
    type: 'evidence',
    proof: {
      type: 'votes',
      accused: toValidatorIndex(200),
      first: { ...proposal, signer: toValidatorIndex(200) },
      second: {
        ...world.sign(3, { type: 'notarize', proposal: proposalOf(1, sha256(proposal.signature)) }),
        signer: toValidatorIndex(200),
      },
    },
  });
  assertRefused(world, 'message.unknown-signer');
  assertUnharmed(world);
});

test('07: a bitmap that is too long, too short, or has other bits than there are signatures is refused', () => {
  const world = new ScenarioWorld({
    name: '07-bitmap-unlike-its-count',
    tells: `Node 3 sends nullifications of view 1 whose bitmap is not the one that three signatures have.`,
    byzantine: [3],
  });
  world.start();
  const statement = encodeCbor([1, 1]);
  const signatures = [0, 1, 3].map((node) => world.nullify(node, 1).signature);
  const bitmaps: readonly (readonly [what: string, bitmap: number[]])[] = [
    ['two bits for three signatures', [0b0011]],
    ['four bits for three signatures', [0b1111]],
    ['no bit', []],
    ['a byte of zeros behind', [0b1011, 0]],
    ['33 bytes, for 264 validators', new Array<number>(33).fill(1)],
  ];
  for (const [what, bitmap] of bitmaps) {
    world.note(what);
    world.sayBytes(3, honest, encodeCbor([2, [1, statement, Uint8Array.from(bitmap), signatures] as Cbor]));
    world.settle();
  }
  assert.equal(
    world.refusals.filter(({ code }) => code === 'message.malformed').length,
    honest.length * bitmaps.length,
  );
  for (const node of honest) assert.equal(world.view(node), 1);
  assertUnharmed(world);
});

test('09: a certificate of too few, of one signer twice, or of another epoch moves nobody', () => {
  const world = new ScenarioWorld({
    name: '09-certificate-forged',
    tells: `Node 3 makes finalizations of a block that nobody proposed: with two signers; with its own signature in the places of
others; of an epoch before and after this one. Nobody believes any of them.`,
    byzantine: [3],
  });
  world.start();
  const forged = (epoch: number): Vote => ({ type: 'finalize', proposal: { ...proposalOf(1), epoch: toEpoch(epoch) } });
  const say = (what: string, vote: Vote, signers: readonly number[], signedBy: readonly number[]) => {
    world.note(what);
    const signatures = signedBy.map((node) => world.sign(node, vote).signature);
    world.say(3, honest, {
      type: 'certificate',
      certificate: { vote, signers: signers.map(toValidatorIndex), signatures },
    });
    world.settle();
  };
  say('by 2 and 3 alone', forged(1), [2, 3], [2, 3]);
  say('by 1, 2 and 3, all signed by 3', forged(1), [1, 2, 3], [3, 3, 3]);
  say('of epoch 0, by everybody', forged(0), [0, 1, 2, 3], [0, 1, 2, 3]);
  say('of epoch 2, by everybody', forged(2), [0, 1, 2, 3], [0, 1, 2, 3]);
  world.note('one signer twice: a bitmap has no place for that, so two bits and three signatures');
  const twice = [2, 3, 3].map((node) => world.sign(node, forged(1)).signature);
  const statement = encodeCbor([1, 1, 0, otherDigest]);
  world.sayBytes(3, honest, encodeCbor([2, [2, statement, Uint8Array.of(0b1100), twice] as Cbor]));
  world.settle();
  for (const code of ['message.too-few-signers', 'message.bad-signature', 'message.malformed'])
    assertRefused(world, code);
  for (const node of honest) assert.equal(world.facts(node, 'finalized').length, 0);
  assertUnharmed(world);
});

test('13: a nullify with its entry certificate, changed in any byte, is refused or says nothing new', () => {
  const world = new ScenarioWorld({
    name: '13-fuzzed-view-change',
    tells: `Node 3 sends its nullify of view 2, with the nullification of view 1 that lets one enter it, again and again: with
each byte changed, and cut at each byte. Nobody leaves view 1 for that.`,
    byzantine: [3],
  });
  world.start();
  const entry = world.certificate({ type: 'nullify', epoch: toEpoch(1), view: toView(1) }, [0, 1, 3]);
  const bytes = encodeMessage({ type: 'vote', vote: world.nullify(3, 2), entry });
  let sent = 0;
  const fuzz = () => {
    for (let i = 0; i < bytes.length; i++) {
      const changed = bytes.slice();
      changed[i] = changed[i]! ^ (1 << (i & 7));
      world.sayBytes(3, honest, changed);
      world.sayBytes(3, honest, bytes.slice(0, i));
      sent += 2;
    }
    world.settle();
  };
  world.untold(
    () => `${sent} changed messages, ${world.refusals.length / honest.length} of them refused by each`,
    fuzz,
  );
  for (const node of honest) assert.equal(world.view(node), 1);
  assert.ok(world.refusals.length > honest.length * bytes.length);
  world.note('the message as it was');
  world.sayBytes(3, honest, bytes);
  world.settle();
  for (const node of honest) assert.ok(world.view(node) > 1);
  assertUnharmed(world);
});

test('19: proofs of a fault are the same whoever finds them, with clocks hours apart', () => {
  const world = new ScenarioWorld({
    name: '19-evidence-without-clock',
    tells: `The clock of node 0 is two seconds fast and that of node 1 an hour slow. Node 3 votes for two blocks of view 1, in one
order to node 0 and in the other to node 1. All hold the proof, and each one's convinces the others.`,
    byzantine: [3],
  });
  for (const [node, clockOffsetMs] of [
    [0, 2_000],
    [1, -3_600_000],
  ] as const)
    world.nodes[node]!.delays = { syncMs: 0, executeMs: 0, clockOffsetMs };
  world.start();
  const votes = [otherDigest, sha256(otherDigest)].map((digest) =>
    world.sign(3, { type: 'notarize', proposal: proposalOf(1, digest) }),
  );
  for (const vote of votes) world.say(3, [0], { type: 'vote', vote, entry: null });
  for (const vote of [...votes].reverse()) world.say(3, [1], { type: 'vote', vote, entry: null });
  world.settle();
  for (const node of honest) assert.deepEqual(world.proven(node), [3]);
  const proofs = honest.flatMap((node) => [...world.nodes[node]!.driver!.replica.proofs()]);
  const bothVotes = (proof: FaultProof) =>
    proof.type === 'votes'
      ? [proof.first, proof.second].map(({ signature }) => toHex(signature)).sort((a, b) => (a < b ? -1 : 1))
      : [];
  for (const proof of proofs) {
    assert.deepEqual(bothVotes(proof), bothVotes(proofs[0]!));
    assert.ok(encodeCbor(faultProofToCbor(proof)).length < 400, 'nothing but the two votes is in it');
  }
  world.commit(0, 'pay');
  world.finish();
});
