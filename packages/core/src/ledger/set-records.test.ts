import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { type Cbor, decodeCbor, encodeCbor } from '../bytes/cbor.ts';
import { readShape } from '../bytes/shape.ts';
import { defaultParameters, parametersToCbor } from '../model/parameters.ts';
import { validatorToCbor } from '../model/validator-set.ts';
import { type Change, changeToCbor, readChange } from './changes.ts';
import type { RecordKind } from './records.ts';
import {
  admissionIdsKind,
  admissionKind,
  agendaKind,
  attestationsKind,
  heightKind,
  memberCountKind,
  openProposalsKind,
  proposalKind,
  readVerdict,
  readyKind,
  removedKind,
  suspensionsKind,
  voteKind,
} from './set-records.ts';
import { lifeOf, personOf, validatorOf } from './testing/set-world.ts';

const hash = new Uint8Array(32).fill(3);
const { publicKey } = personOf(1);
const proposal = { change: { type: 'change-rules', rules: 2 }, member: 'm1', openedHeight: 4, yes: 2, no: 1 } as const;

/** A record of each kind, and how it is stored. */
const samples: readonly (readonly [kind: RecordKind<never>, record: unknown, stored: Cbor])[] = [
  sample(proposalKind, { ...proposal, outcome: 'open', closedHeight: null }, [[4, 2], 'm1', 4, 0, null, 2, 1]),
  sample(proposalKind, { ...proposal, outcome: 'impossible', closedHeight: 9 }, [[4, 2], 'm1', 4, 4, 9, 2, 1]),
  sample(voteKind, true, 1),
  sample(openProposalsKind, [{ id: hash, member: 'm1', openedHeight: 4 }], [[hash, 'm1', 4]]),
  sample(memberCountKind, 7, 7),
  sample(admissionKind, { validator: validatorOf(1), height: 5 }, [validatorToCbor(validatorOf(1)), 5]),
  sample(admissionIdsKind, ['v2', 'v1'], ['v2', 'v1']),
  sample(readyKind, { linkKey: publicKey, life: lifeOf(1), height: 6, ownHeight: 5, historyRoot: hash }, [
    ...[publicKey, lifeOf(1), 6, 5],
    hash,
  ]),
  sample(heightKind, 8, 8),
  sample(attestationsKind, [{ by: 'v1', verdict: 'clear', reason: 'seen', height: 3 }], [['v1', 1, 'seen', 3]]),
  sample(
    suspensionsKind,
    [
      { validator: 'v1', cause: 'attested', sinceHeight: 3, votingKey: publicKey, life: null },
      { validator: 'v1', cause: 'damage', sinceHeight: 4, votingKey: publicKey, life: lifeOf(2) },
    ],
    [
      ['v1', 1, 3, publicKey, null],
      ['v1', 3, 4, publicKey, lifeOf(2)],
    ],
  ),
  sample(removedKind, { member: 'm1', cause: 'vote', height: 3 }, ['m1', 1, 3]),
  sample(
    agendaKind,
    { faulty: [{ validator: 'v1', votingKey: publicKey }], removals: ['v2'], readies: ['v3'], rules: null },
    [[['v1', publicKey]], ['v2'], ['v3'], null],
  ),
];

function sample<T>(kind: RecordKind<T>, record: T, stored: Cbor): readonly [RecordKind<never>, unknown, Cbor] {
  return [kind as unknown as RecordKind<never>, record, stored];
}

const read = (kind: RecordKind<never>, value: Cbor) => readShape('state.damaged', value, kind.read);

test('every kind of record is stored in its form, and reads as it was', () => {
  for (const [kind, record, stored] of samples) {
    const bytes = encodeCbor(kind.toCbor(record as never));
    assert.deepEqual(bytes, encodeCbor(stored));
    const decoded = decodeCbor(bytes);
    assert.deepEqual(decoded.ok && read(kind, decoded.value), { ok: true, value: record });
  }
});

test('a record with a part too many, too few, or of another type is damaged', () => {
  for (const [kind, , stored] of samples) {
    for (const other of ['text', true, new Map(), -1]) assert.ok(!read(kind, other).ok);
    if (!Array.isArray(stored)) continue;
    for (let i = 0; i < stored.length; i++) {
      for (const other of [true, new Map(), -1, 1n << 70n, [[]]]) {
        assert.ok(!read(kind, stored.with(i, other as Cbor)).ok, `part ${i} of ${stored.length} as ${String(other)}`);
      }
      const row = stored[i];
      if (Array.isArray(row)) assert.ok(!read(kind, stored.with(i, [...row, -1])).ok);
    }
  }
});

test('lists have their limits', () => {
  const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `v${i}`);
  const of = (kind: RecordKind<unknown>, value: Cbor) => read(kind as RecordKind<never>, value).ok;
  assert.ok(of(admissionIdsKind as RecordKind<unknown>, many(64)));
  assert.ok(!of(admissionIdsKind as RecordKind<unknown>, many(65)));
  assert.ok(of(agendaKind as RecordKind<unknown>, [[], many(256), many(320), 2]));
  assert.ok(!of(agendaKind as RecordKind<unknown>, [[], many(257), [], null]));
  assert.ok(!of(agendaKind as RecordKind<unknown>, [[], [], many(321), null]));
  assert.ok(
    !of(
      openProposalsKind as RecordKind<unknown>,
      Array.from({ length: 65 }, () => [hash, 'm1', 4]),
    ),
  );
});

test('every kind of change reads as it was written', () => {
  const changes: readonly [Change, Cbor][] = [
    [
      { ...{ type: 'add-member', member: 'm9', name: 'Nine' }, algorithm: 'ed25519', publicKey },
      [0, 'm9', 'Nine', -19, publicKey],
    ],
    [{ type: 'admit-validator', validator: validatorOf(1) }, [1, validatorToCbor(validatorOf(1))]],
    [{ type: 'remove-validator', validator: 'v1' }, [2, 'v1']],
    [{ type: 'change-parameters', parameters: defaultParameters }, [3, parametersToCbor(defaultParameters)]],
    [{ type: 'change-rules', rules: 2 }, [4, 2]],
  ];
  for (const [change, stored] of changes) {
    assert.deepEqual(encodeCbor(changeToCbor(change)), encodeCbor(stored));
    assert.deepEqual(readShape('x', stored, readChange), { ok: true, value: change });
    assert.ok(!readShape('x', [...(stored as Cbor[]), 0], readChange).ok);
  }
});

test('verdicts are four', () => {
  const verdicts = [0, 1, 2, 3].map((code) => readShape('x', code, readVerdict));
  assert.deepEqual(
    verdicts.map((each) => each.ok && each.value),
    ['suspect', 'clear', 'present', 'fenced'],
  );
  for (const other of [4, -1, '0', null] as Cbor[]) assert.ok(!readShape('x', other, readVerdict).ok);
});
