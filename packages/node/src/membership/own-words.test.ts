import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { defaultParameters } from '@cairn-ledger/core';
import { createOwnWords, type OwnWord, presentHeights, type Scene } from './own-words.ts';
import type { OwnStanding, Roster } from './roster.ts';

const life = new Uint8Array(16).fill(1);
const own: OwnStanding = {
  member: 'alder',
  isAdmitted: false,
  readyLife: null,
  presentHeight: 10,
  counter: 0n,
  words: [],
};
const roster: Roster = { peers: [], parameters: defaultParameters, own, suspended: [], isSomebodyWaiting: false };
const calm: Scene = {
  nowMs: 0,
  selfId: 'node-1',
  height: 100,
  roster,
  isMember: true,
  fences: [],
  life: null,
  isCaughtUp: true,
  others: [
    { id: 'node-2', conduct: 'working' },
    { id: 'node-3', conduct: 'working' },
  ],
};
const withOwn = (more: Partial<OwnStanding>): Roster => ({ ...roster, own: { ...own, ...more } });
const types = (words: readonly OwnWord[]): string[] => words.map(({ type }) => type);

/** What is said in so long a time when nothing changes, looked at four times a second. */
function saidWithin(durationMs: number, scene: Scene): OwnWord[] {
  const words = createOwnWords();
  const said: OwnWord[] = [];
  for (let nowMs = 0; nowMs < durationMs; nowMs += 250) said.push(...words.due({ ...scene, nowMs }));
  return said;
}

test('a validator among working ones says nothing', () => {
  assert.deepEqual(saidWithin(60_000, calm), []);
});

test('an admitted node says that it is ready once it has caught up, again until the ledger shows it, and then no more', () => {
  const joining: Scene = { ...calm, isMember: false, life, roster: withOwn({ isAdmitted: true }) };
  assert.deepEqual(saidWithin(10_000, { ...joining, isCaughtUp: false }), []);
  const said = saidWithin(60_000, joining);
  assert.deepEqual(said[0], { type: 'ready', life });
  assert.ok(said.length >= 3 && said.length <= 6, `a few times a minute: ${said.length}`);
  assert.deepEqual(saidWithin(60_000, { ...joining, roster: withOwn({ isAdmitted: true, readyLife: life }) }), []);
  const other = withOwn({ isAdmitted: true, readyLife: new Uint8Array(16) });
  assert.deepEqual(
    types(saidWithin(1_000, { ...joining, roster: other })),
    ['ready'],
    'another life number is another',
  );
});

test('a node that only follows says nothing', () => {
  assert.deepEqual(saidWithin(60_000, { ...calm, isMember: false, life }), []);
});

test('who lost its record gives notice and asks to be taken back; who is damaged or taken out only gives notice', () => {
  assert.deepEqual(types(saidWithin(1_000, { ...calm, life, fences: ['rolled-back'] })), ['fenced', 'ready']);
  assert.deepEqual(types(saidWithin(1_000, { ...calm, life, fences: ['damaged'] })), ['fenced']);
  assert.deepEqual(types(saidWithin(1_000, { ...calm, life, fences: ['rolled-back', 'operator'] })), ['fenced']);
  const noticed: Roster = { ...roster, suspended: [{ validator: 'node-1', cause: 'own-notice' }] };
  assert.deepEqual(saidWithin(60_000, { ...calm, fences: ['damaged'], roster: noticed }), []);
  const asked = withOwn({ readyLife: life });
  assert.deepEqual(saidWithin(60_000, { ...calm, life, fences: ['rolled-back'], roster: asked }), []);
});

test('who is back takes its notice back', () => {
  const noticed: Roster = { ...roster, suspended: [{ validator: 'node-1', cause: 'own-notice' }] };
  assert.deepEqual(types(saidWithin(1_000, { ...calm, roster: noticed })), ['present']);
});

test('a sign of life is given when somebody waits and the last one is old', () => {
  const height = 10 + presentHeights + 1;
  assert.deepEqual(saidWithin(1_000, { ...calm, height }), []);
  const waiting: Roster = { ...roster, isSomebodyWaiting: true };
  assert.deepEqual(types(saidWithin(1_000, { ...calm, height, roster: waiting })), ['present']);
  assert.deepEqual(saidWithin(1_000, { ...calm, height: height - 1, roster: waiting }), []);
});

test('a silent peer is suspected once, and cleared when it works again', () => {
  const others: Scene['others'] = [{ id: 'node-2', conduct: 'silent' }];
  assert.deepEqual(saidWithin(1_000, { ...calm, others }), [{ type: 'suspect', validator: 'node-2' }]);
  const words = [{ validator: 'node-2', verdict: 'suspect' as const, height: 90 }];
  assert.deepEqual(saidWithin(60_000, { ...calm, others, roster: withOwn({ words }) }), []);
  assert.deepEqual(saidWithin(1_000, { ...calm, roster: withOwn({ words }) }), [
    { type: 'clear', validator: 'node-2' },
  ]);
  const suspended: Roster = { ...roster, suspended: [{ validator: 'node-3', cause: 'attested' }] };
  assert.deepEqual(saidWithin(1_000, { ...calm, roster: suspended }), [{ type: 'clear', validator: 'node-3' }]);
  assert.deepEqual(
    saidWithin(60_000, { ...calm, others: [{ id: 'node-3', conduct: 'silent' }], roster: suspended }),
    [],
  );
});

test('nobody who is fenced, behind or no validator accuses anybody', () => {
  const others: Scene['others'] = [{ id: 'node-2', conduct: 'silent' }];
  const hasNotice: Roster = { ...roster, suspended: [{ validator: 'node-1', cause: 'own-notice' }] };
  assert.deepEqual(saidWithin(60_000, { ...calm, others, fences: ['damaged'], roster: hasNotice }), []);
  assert.deepEqual(saidWithin(60_000, { ...calm, others, isCaughtUp: false }), []);
  assert.deepEqual(saidWithin(60_000, { ...calm, others, isMember: false }), []);
});

test('however many seem silent, there are at most six words about others in a minute', () => {
  const others = Array.from({ length: 20 }, (_, i) => ({ id: `node-${i + 2}`, conduct: 'silent' as const }));
  assert.equal(saidWithin(59_000, { ...calm, others }).length, 6);
});
