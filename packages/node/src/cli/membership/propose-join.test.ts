import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  type Change,
  decodeTransaction,
  defaultParameters,
  ok,
  propose,
  type RawOperation,
  toHex,
} from '@cairn-ledger/core';
import { type Client, createKey, createSigner, type KeyPair, signTransaction } from '@cairn-ledger/sdk';
import { type JoinRequest, joinRequestToFields, requestedValidator } from '../../membership/join-request.ts';
import { CommandFailed } from '../exit-code.ts';
import type { InvitationAnswer, MembershipAnswer } from './answers.ts';
import { type JoinStep, proposeJoin } from './propose-join.ts';

const dir = mkdtempSync(join(tmpdir(), 'cairn-propose-'));
after(() => rmSync(dir, { recursive: true }));
const ledgerHash = new Uint8Array(32).fill(1);
const person = createKey();

const node = {
  linkKey: createKey().publicKey,
  votingKey: createKey().publicKey,
  checkpointKey: createKey().publicKey,
  gatewayKey: createKey().publicKey,
  addresses: ['yew.example:7700'],
};
const validator = requestedValidator('yew-1', 'yew', node);

function signed(change: Change, key: KeyPair = person): Uint8Array {
  const transaction = signTransaction(
    { ledgerHash, counter: 1n, operations: [propose.toCbor({ change })] },
    createSigner(key),
  );
  assert.ok(transaction.ok);
  return transaction.value;
}

function invited(change: Partial<JoinRequest> = {}): InvitationAnswer {
  const personKey = { algorithm: person.algorithm, publicKey: person.publicKey };
  const request = { ...node, personKey, proposal: signed({ type: 'admit-validator', validator }), ...change };
  return {
    ...{ id: '0011aabb', member: 'yew', memberName: 'Yew', validator: 'yew-1', state: 'waiting' },
    ...{ created: '', expires: '', request: joinRequestToFields(request) },
  };
}

/** A ledger in which every proposal passes at once, unless told otherwise. */
function fakeLedger(start: { members?: string[]; passes?: boolean; rejectFirst?: string } = {}) {
  const membership = {
    members: (start.members ?? ['alder']).map((id) => ({ id, name: id })),
    validators: [] as MembershipAnswer['validators'][number][],
    proposals: [] as MembershipAnswer['proposals'][number][],
    parameters: defaultParameters,
  };
  const handedIn: { kid: string; operation: RawOperation }[] = [];
  let rejectFirst = start.rejectFirst ?? null;

  /** `change` as it stands in the operation: [0, member, ...] or [1, validator]. */
  function execute(id: string, change: unknown): void {
    const [kind, what] = change as [number, string | [string, string, Uint8Array]];
    if (typeof what === 'string') {
      if (start.passes !== false) membership.members.push({ id: what, name: what });
      else membership.proposals.push({ id, change: { kind: 'add-member', member: what } } as never);
      return;
    }
    assert.equal(kind, 1);
    const linkKey = toHex(what[2]);
    membership.validators.push({ id: what[0], member: 'yew', state: 'admitted', causes: [], addresses: [], linkKey });
  }

  const client: Pick<Client, 'get' | 'submitMany'> = {
    get: async <T>(path: string) =>
      ok((path === '/v1/membership' ? structuredClone(membership) : { id: '', outcome: 'passed' }) as T),
    async submitMany([transaction]) {
      const decoded = decodeTransaction(transaction!);
      assert.ok(decoded.ok);
      const id = toHex(decoded.value.id);
      const [operation] = decoded.value.body.operations;
      if (rejectFirst !== null && operation![0] === 7 && handedIn.some((each) => each.operation[0] === 7)) {
        const code = rejectFirst;
        rejectFirst = null;
        return ok([{ id, status: 'rejected', code }]);
      }
      handedIn.push({ kid: toHex(decoded.value.header.kid), operation: operation! });
      if (operation![0] === 7) execute(id, operation![1]);
      return ok([{ id, status: 'accepted' }]);
    },
  };
  return { client: client as Client, handedIn };
}

let keys = 0;
async function run(answer: InvitationAnswer, ledger: ReturnType<typeof fakeLedger>, isWaiting = true) {
  const key = createKey();
  const steps: JoinStep[] = [];
  const path = join(dir, `${keys++}.key`);
  const voting = { client: ledger.client, ledgerHash, key: { path, signer: createSigner(key) } };
  await proposeJoin(answer, {
    voting: { ...voting, deadline: performance.now() + 20_000 },
    voters: [],
    isWaiting,
    onStep: (step) => steps.push(step),
  });
  return { steps: steps.map(({ type }) => type), kid: toHex(key.kid) };
}

test('a new member is proposed by the inviter, its validator by itself', async () => {
  const ledger = fakeLedger({ rejectFirst: 'tx.key-not-effective' });
  const { steps, kid } = await run(invited(), ledger);
  assert.deepEqual(steps, ['proposed', 'member-added', 'proposed', 'admitted']);
  assert.deepEqual(
    ledger.handedIn.map((each) => [each.kid, each.operation[0]]),
    [
      [kid, 7],
      [toHex(person.kid), 7],
      [kid, 8],
    ],
  );
});

test('the validator of a member that is on the ledger is proposed by the inviter', async () => {
  const ledger = fakeLedger({ members: ['alder', 'yew'] });
  const { steps, kid } = await run(invited({ personKey: null, proposal: null }), ledger);
  assert.deepEqual(steps, ['proposed', 'admitted']);
  assert.deepEqual(
    ledger.handedIn.map((each) => each.kid),
    [kid],
  );
});

test('run again, it goes on where it was, and opens nothing twice', async () => {
  const ledger = fakeLedger({ passes: false });
  assert.deepEqual((await run(invited(), ledger, false)).steps, ['proposed']);
  assert.deepEqual((await run(invited(), ledger, false)).steps, ['proposed']);
  assert.deepEqual(
    ledger.handedIn.map((each) => each.operation[0]),
    [7, 8],
  );
  const done = fakeLedger();
  await run(invited(), done);
  assert.deepEqual((await run(invited(), done)).steps, ['admitted']);
});

test('what a joiner signed is handed in only when it is the proposal of its own request', async () => {
  const other = requestedValidator('yew-1', 'yew', { ...node, votingKey: createKey().publicKey });
  const foreign: [string, Uint8Array][] = [
    ['another validator', signed({ type: 'admit-validator', validator: other })],
    ['another change', signed({ type: 'remove-validator', validator: 'node-1' })],
    ['another key', signed({ type: 'admit-validator', validator }, createKey())],
    ['no transaction', new Uint8Array([1, 2, 3])],
  ];
  for (const [what, proposal] of foreign) {
    const ledger = fakeLedger({ members: ['alder', 'yew'] });
    await assert.rejects(
      run(invited({ proposal }), ledger),
      (error: unknown) => error instanceof CommandFailed && error.error.code === 'join.other-proposal',
      what,
    );
    assert.deepEqual(ledger.handedIn, [], what);
  }
});

test('nothing is proposed before something was handed in', async () => {
  const { request: _, ...open } = invited();
  const ledger = fakeLedger();
  await assert.rejects(run({ ...open, state: 'open' }, ledger), /usage|handed in/);
  assert.deepEqual(ledger.handedIn, []);
});
