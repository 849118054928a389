/** What the members decide, and how somebody joins: by the commands alone, looked at on every node. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { NewsItem } from '@cairn-ledger/sdk';
import type { DecidedAnswer, MembershipAnswer } from '../packages/node/src/cli/membership/answers.ts';
import { assertAgreement, type E2eNetwork, type E2eNode, networkTest, orFail, until } from './network.ts';

networkTest('membership', {}, async (network, step) => {
  const [first, second] = [network.nodes[0]!, network.nodes[1]!];
  const person = (member: string): string[] => ['--key', network.keyPath(member)];

  await step('a proposal passes with the votes that it needs, and every node tells the same of it', async () => {
    const opened = await network.cairnJson<{ proposal: DecidedAnswer }>(
      ...['propose', 'parameters', 'heartbeatMs=9000', ...person('alder')],
    );
    const { id, outcome, votesNeeded, yes } = opened.proposal;
    assert.deepEqual([outcome, votesNeeded, yes], ['open', 3, ['alder']]);
    const before = await membershipOf(second);
    assert.deepEqual(
      before.proposals.map((proposal) => proposal.id),
      [id],
    );
    const against = await network.cairnJson<{ proposal: DecidedAnswer }>(
      ...['vote', id.slice(0, 12), '--no', ...person('birch')],
    );
    assert.deepEqual(against.proposal.no, ['birch']);
    // Who changes its mind replaces its vote.
    await network.cairnJson('vote', id.slice(0, 12), '--yes', ...person('birch'));
    const last = await network.cairnJson<{ proposal: DecidedAnswer }>('vote', id, '--yes', '--wait', ...person('elm'));
    assert.deepEqual([last.proposal.outcome, last.proposal.no], ['passed', []]);
    await assertAgreement(network.nodes);
    for (const node of network.nodes) {
      const { parameters, proposals } = await membershipOf(node);
      assert.deepEqual([parameters.heartbeatMs, proposals], [9_000, []], node.id);
    }
    const late = await network.cairn('vote', id, '--no', ...person('cedar'));
    assert.deepEqual([late.code, /proposal\.closed/.test(late.stderr)], [3, true], late.stderr);
  });

  await step('a refused proposal ends the command that waits with 3', async () => {
    const { proposal } = await network.cairnJson<{ proposal: DecidedAnswer }>(
      'propose',
      'remove',
      'node-4',
      ...person('alder'),
    );
    for (const member of ['birch', 'cedar']) await network.cairn('vote', proposal.id, '--no', ...person(member));
    const waited = await network.cairn('vote', proposal.id, '--no', '--wait', ...person('elm'));
    assert.equal(waited.code, 3, waited.stderr);
    const node4 = (await membershipOf(first)).validators.find(({ id }) => id === 'node-4');
    assert.equal(node4?.state, 'active');
  });

  await step('only persons of members decide', async () => {
    const device = await network.cairn('propose', 'remove', 'node-4', '--key', network.keyPath('alder/desk'));
    assert.deepEqual([device.code, /usage\.other-member/.test(device.stderr)], [2, true], device.stderr);
  });

  const folder = join(network.dir, 'maple');
  await step('from an invitation to an admitted validator of a new member', async () => {
    const issued = await network.cairnJson<{ id: string; text: string; fingerprint: string }>(
      ...['invite', 'maple/maple-1', '--name', 'Maple Ltd.', '--node', first.id],
    );
    const joining = ['--dir', folder, '--listen', '127.0.0.1:17999', '--fingerprint', issued.fingerprint];
    const joined = await network.cairnJson<{ id: string }>('join', issued.text, ...joining);
    assert.equal(joined.id, issued.id);
    const { waiting } = await network.cairnJson<{ waiting: { id: string }[] }>('members', '--node', first.id);
    assert.deepEqual(
      waiting.map(({ id }) => id),
      [issued.id],
    );
    // At another node nothing waits: each has its own book.
    const elsewhere = await network.cairn('propose', '--join', issued.id, '--node', second.id, ...person('alder'));
    assert.equal(elsewhere.code, 2, elsewhere.stderr);

    const propose = ['propose', '--join', issued.id, '--node', first.id, ...person('alder')];
    const begun = await network.cairnJson<{ steps: { type: string; what?: string; isNew?: boolean }[] }>(...propose);
    assert.deepEqual(
      begun.steps.map(({ what, isNew }) => [what, isNew]),
      [['member', true]],
    );
    const done = await network.cairnJson<{ steps: { type: string }[] }>(...propose, '--all-members', '--wait');
    assert.deepEqual(
      done.steps.map(({ type }) => type),
      ['proposed', 'member-added', 'proposed', 'admitted'],
    );
    await assertAgreement(network.nodes);
    for (const node of network.nodes) {
      const { members, validators } = await membershipOf(node);
      assert.equal(members.find(({ id }) => id === 'maple')?.name, 'Maple Ltd.');
      assert.equal(validators.find(({ id }) => id === 'maple-1')?.state, 'admitted', node.id);
    }
    // The new member votes as every other from now on.
    const own = await network.cairn('propose', 'remove', 'maple-1', '--key', join(folder, 'keys', 'person.key'));
    assert.equal(own.code, 0, own.stderr);
    const again = await network.cairnJson<{ steps: { type: string }[] }>(...propose, '--wait');
    assert.deepEqual(again.steps, [{ type: 'admitted', validator: 'maple-1' }]);
    assert.ok(existsSync(join(folder, 'node.json')));
  });

  await step(
    'a node that its operator takes out stays so over a restart, and comes back when that is lifted',
    async () => {
      const fenced = await network.cairn('fence', 'node-3', '--reason', 'the disk makes noises');
      assert.equal(fenced.code, 0, fenced.stderr);
      const third = network.nodes[2]!;
      assert.equal(await modeOf(third), 'fenced');
      await third.stop();
      await third.start();
      await until('the restarted node is fenced', 20_000, async () => (await modeOf(third)) === 'fenced');
      const sent = await network.cairn('send', 'temperature=21:Cel', '--wait');
      assert.equal(sent.code, 0, 'the others go on');
      assert.equal((await network.cairn('fence', 'node-3', '--lift')).code, 0);
      if ((await modeOf(third)) === 'fenced') {
        await third.stop();
        await third.start();
      }
      await until('it is active again', 30_000, async () => (await modeOf(third)) === 'active');
      const other = await network.cairn('fence', 'node-3', '--lift');
      assert.equal(other.code, 0, 'there is nothing to lift, and nothing happens');
    },
  );

  await step('what happened can be told from the beginning, the same by every node', async () => {
    const told = await Promise.all(network.nodes.slice(0, 2).map((node) => eventsOf(network, node)));
    const chain = told.map((items) =>
      items.filter(({ event }) => event !== 'node-mode').map(({ id, event }) => `${id!.split('@')[0]} ${event}`),
    );
    assert.deepEqual(chain[0], chain[1]);
    const kinds = new Set(told[0]!.map(({ event }) => event));
    for (const kind of [
      'proposal-opened',
      'proposal-voted',
      'proposal-closed',
      'parameters-changed',
      'member-added',
      'validator-admitted',
    ])
      assert.ok(kinds.has(kind), kind);
    const middle = told[0]![5]!;
    const rest = await eventsOf(network, second, '--after', middle.id!);
    assert.deepEqual(
      rest.filter(({ event }) => event !== 'node-mode').map(({ id }) => id!.split('@')[0]),
      told[0]!
        .slice(6)
        .filter(({ event }) => event !== 'node-mode')
        .map(({ id }) => id!.split('@')[0]),
    );
  });
});

async function membershipOf(node: E2eNode): Promise<MembershipAnswer> {
  return orFail(await node.client.get<MembershipAnswer>('/v1/membership'));
}

async function modeOf(node: E2eNode): Promise<string> {
  return orFail(await node.client.status()).mode;
}

async function eventsOf(network: E2eNetwork, node: E2eNode, ...more: string[]): Promise<NewsItem[]> {
  const ended = await network.cairn('events', '--node', node.id, '--json', ...more);
  assert.equal(ended.code, 0, ended.stderr);
  return ended.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as NewsItem);
}
