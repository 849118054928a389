import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { type Encodable, encodeCbor } from '../bytes/cbor.ts';
import { toHex } from '../bytes/hex.ts';
import { nobleSigner } from '../crypto/noble-signer.ts';
import { nobleVerifier } from '../crypto/noble-verifier.ts';
import { signTransaction } from '../model/sign-transaction.ts';
import { decodeTransaction } from '../model/transaction.ts';
import { errorCatalogue } from './errors.ts';
import { createLedger } from './ledger.ts';
import { transfer } from './operations/transfer.ts';
import { readBalance, readDevice, readDevices, readQuota, readReplayWindow } from './query.ts';
import {
  createGenesis,
  createMemoryStore,
  createWorld,
  packOf,
  people,
  signerOf,
  type World,
} from './testing/world.ts';

const codesOf = (world: World, ...transactions: Parameters<World['execute']>[0]): string[] =>
  world.execute(transactions).results.map(({ code }) => code);

const pay = (to: string, amount: bigint, from?: string) =>
  transfer.toCbor({ to, asset: 'coin', amount, ...(from !== undefined && { from }) });

test('a reading of a device is accepted, becomes a leaf, and is device-signed', () => {
  const world = createWorld();
  const transaction = world.sign(people.acmeDevice, { senml: packOf() });
  const { results, entries } = world.execute([transaction]);
  assert.deepEqual(results, [
    { code: 'ok', leafEntry: true, isCounterUsed: true, member: 'acme', device: 'meter', provenance: 'device-signed' },
  ]);
  assert.equal(entries.length, 1);
});

test('real signatures of both algorithms verify under the registered keys, and no others', () => {
  const world = createWorld();
  const ledger = createLedger({
    genesis: world.genesis,
    verify: ({ signedBytes, signature }, algorithm, publicKey) =>
      nobleVerifier.verify(algorithm, publicKey, signedBytes, signature),
  });
  const decode = (bytes: Uint8Array) => {
    const decoded = decodeTransaction(bytes);
    assert.ok(decoded.ok);
    return decoded.value;
  };
  const content = { ledgerHash: world.ledgerHash, counter: 0n, senml: packOf() };
  const good = [
    signTransaction(content, nobleSigner('ed25519', new Uint8Array(32).fill(3))),
    signTransaction(content, nobleSigner('p256', new Uint8Array(32).fill(7))),
  ].map(decode);
  const forged = good.map(({ bytes }) => {
    const changed = bytes.slice();
    changed[changed.length - 40]! ^= 1;
    return decode(changed);
  });
  const block = {
    height: 1,
    timeMs: world.timeMs(),
    rules: 1,
    epoch: 1,
    misbehaviour: [],
    validators: [],
    authors: [],
  };
  const { results } = ledger.execute(world.store, { ...block, transactions: [...forged, ...good] });
  assert.deepEqual(
    results.map(({ code }) => code),
    ['tx.bad-signature', 'tx.bad-signature', 'ok', 'ok'],
  );
});

test('every way to fail admission has its code, and none of them uses up the counter', () => {
  const world = createWorld();
  const sign = (content: object) => world.sign(people.acmeDevice, { senml: packOf(), counter: 5n, ...content });
  const forged = sign({ senml: packOf('forged') });
  world.forged.add(toHex(forged.id));
  const wrongAlgorithm = { ...sign({}), header: { ...sign({}).header, alg: -9 } };
  const cases = [
    ['tx.unknown-key', world.sign(people.stranger, { senml: packOf() })],
    ['tx.wrong-algorithm', wrongAlgorithm],
    ['tx.wrong-ledger', sign({ ledgerHash: new Uint8Array(32) })],
    ['tx.expired', sign({ expiresSeconds: 1_700_000_001 })],
    ['tx.counter-jump', sign({ counter: 1n << 32n })],
    ['tx.bad-signature', forged],
    ['tx.malformed', { malformed: Uint8Array.of(1, 2, 3), id: sign({}).id }],
  ] as const;
  for (const [code, transaction] of cases) {
    const { results, entries, writes } = world.execute([transaction], { timeMs: 1_700_000_001_000 });
    assert.equal(results[0]!.code, code);
    assert.equal(results[0]!.isCounterUsed, false);
    assert.ok(results[0]!.message!.includes('.'));
    assert.deepEqual([entries, writes], [[], []]);
  }
  assert.deepEqual(codesOf(world, sign({})), ['ok']);
});

test('a transaction expires when block time reaches exp, not before', () => {
  const world = createWorld();
  const sign = () => world.sign(people.acmeDevice, { senml: packOf(), expiresSeconds: 1_700_000_010 });
  const codeAt = (timeMs: number) => world.execute([sign()], { timeMs }).results[0]!.code;
  assert.equal(codeAt(1_700_000_009_999), 'ok');
  assert.equal(codeAt(1_700_000_010_000), 'tx.expired');
});

test('the older COSE algorithm numbers are accepted with the registered curve', () => {
  const world = createWorld();
  const transaction = world.sign(people.acmeDevice, { senml: packOf() });
  assert.deepEqual(codesOf(world, { ...transaction, header: { ...transaction.header, alg: -8 } }), ['ok']);
  const other = world.sign(people.borealDevice, { senml: packOf() });
  assert.deepEqual(codesOf(world, { ...other, header: { ...other.header, alg: -7 } }), ['ok']);
});

test('a counter is accepted once: in the same block, in later ones, and for other content', () => {
  const world = createWorld();
  const transaction = world.sign(people.acmeDevice, { senml: packOf() });
  assert.deepEqual(codesOf(world, transaction, transaction), ['ok', 'tx.replayed']);
  assert.deepEqual(codesOf(world, transaction), ['tx.replayed']);
  assert.deepEqual(codesOf(world, world.sign(people.acmeDevice, { senml: packOf('other'), counter: 0n })), [
    'tx.replayed',
  ]);
});

test('counters may arrive out of order; far below the highest they are too old', () => {
  const world = createWorld();
  const at = (counter: bigint) => world.sign(people.acmeDevice, { senml: packOf(), counter });
  assert.deepEqual(codesOf(world, at(5_000n), at(904n), at(903n), at(4_999n)), [
    'ok',
    'ok',
    'tx.counter-too-old',
    'ok',
  ]);
  assert.equal(readReplayWindow(world.store, people.acmeDevice.kid).highest, 5_000n);
});

test('a transaction whose operations fail uses up its counter, so it cannot be revived when money arrives', () => {
  const world = createWorld();
  const early = world.sign(people.acmeDevice, { operations: [pay('boreal', 101n)] });
  assert.deepEqual(codesOf(world, early), ['asset.insufficient']);
  assert.deepEqual(codesOf(world, world.sign(people.acmePerson, { operations: [pay('acme/meter', 500n)] })), ['ok']);
  assert.deepEqual(codesOf(world, early), ['tx.replayed']);
  assert.equal(readBalance(world.store, 'boreal', 'coin'), 50n);
});

test('a reading and a payment in one transaction apply together or not at all', () => {
  const world = createWorld();
  const both = (amount: bigint) =>
    world.sign(people.acmeDevice, { senml: packOf(), operations: [pay('boreal', amount)] });
  const rejected = world.execute([both(101n)]);
  assert.equal(rejected.results[0]!.code, 'asset.insufficient');
  assert.equal(rejected.results[0]!.leafEntry, false);
  assert.deepEqual([rejected.entries, rejected.events], [[], []]);
  const accepted = world.execute([both(60n)]);
  assert.equal(accepted.results[0]!.code, 'ok');
  assert.equal(accepted.results[0]!.provenance, 'device-signed');
  assert.equal(accepted.entries.length, 1);
  assert.equal(readBalance(world.store, 'acme/meter', 'coin'), 40n);
  assert.equal(readBalance(world.store, 'boreal', 'coin'), 110n);
});

test('of several operations the first that fails undoes those before it', () => {
  const world = createWorld();
  const operations = [pay('boreal', 60n), pay('boreal/pump', 30n), pay('boreal', 20n)];
  assert.deepEqual(codesOf(world, world.sign(people.acmeDevice, { operations })), ['asset.insufficient']);
  assert.equal(readBalance(world.store, 'acme/meter', 'coin'), 100n);
  assert.equal(readBalance(world.store, 'boreal', 'coin'), 50n);
  assert.equal(readBalance(world.store, 'boreal/pump', 'coin'), 0n);
});

test('a gateway attests readings of devices of its member, which come on the ledger with the first one', () => {
  const world = createWorld();
  const attest = (sub: string) => world.sign(people.acmeGateway, { senml: packOf(), sub });
  const { results, events } = world.execute([attest('acme/boiler-7'), attest('acme/boiler-7'), attest('acme/meter')]);
  assert.deepEqual(
    results.map(({ code, device, provenance }) => [code, device, provenance]),
    [
      ['ok', 'boiler-7', 'gateway-attested'],
      ['ok', 'boiler-7', 'gateway-attested'],
      ['ok', 'meter', 'gateway-attested'],
    ],
  );
  assert.deepEqual(events, [{ type: 'device-added', member: 'acme', device: 'boiler-7' }]);
  assert.equal(readDevice(world.store, 'acme/boiler-7')!.sinceHeight, 1);
  assert.equal(readDevices(world.store, 'acme').length, 3);
});

test('a gateway attests for no other member, and names its device', () => {
  const world = createWorld();
  const attest = (sub?: string) => world.sign(people.acmeGateway, { senml: packOf(), sub });
  assert.deepEqual(codesOf(world, attest('boreal/pump'), attest('acme'), attest('acme/Meter'), attest()), [
    'reading.foreign-device',
    'reading.no-device',
    'reading.no-device',
    'reading.no-device',
  ]);
  assert.equal(readDevice(world.store, 'acme/Meter'), null);
});

test('a gateway with a name signs readings of its own', () => {
  const world = createWorld();
  const sign = (sub?: string) => world.sign(people.acmeEdge, { senml: packOf(), sub });
  const { results } = world.execute([sign(), sign('acme/edge'), sign('acme/meter')]);
  assert.deepEqual(
    results.map(({ device, provenance }) => [device, provenance]),
    [
      ['edge', 'device-signed'],
      ['edge', 'device-signed'],
      ['meter', 'gateway-attested'],
    ],
  );
});

test('persons and nodes send no readings; claim sub of a device means nothing to the ledger', () => {
  const world = createWorld();
  assert.deepEqual(
    codesOf(
      world,
      world.sign(people.acmePerson, { senml: packOf(), sub: 'acme/meter' }),
      world.sign(people.acmeNode, { senml: packOf() }),
      world.sign(people.acmeDevice, { senml: packOf(), sub: 'boreal/pump' }),
    ),
    ['reading.no-device', 'reading.no-device', 'ok'],
  );
});

test('a base name may be anything but a name under another device of a member', () => {
  const world = createWorld();
  const sign = (baseName: string, name = 'temperature') =>
    world.sign(people.acmeDevice, { senml: packOf(name, baseName) });
  assert.deepEqual(
    codesOf(
      world,
      sign('urn:dev:ow:10e2073a01080063/'),
      sign('acme/meter/'),
      sign('building-7/floor-2/'),
      sign('boreal/pump/'),
      sign('acme/met', 'er2/temperature'),
    ),
    ['ok', 'ok', 'ok', 'reading.foreign-name', 'reading.foreign-name'],
  );
});

test('no name of a long pack escapes: the fifth may not lie under another device either', () => {
  const world = createWorld();
  const pack = (names: readonly string[]) =>
    encodeCbor(
      names.map((name, i) => {
        const record: [number, Encodable][] = [
          [0, name],
          [2, i],
          [6, 1_700_000_000],
        ];
        return new Map(i === 0 ? [...record, [-2, 'acme/']] : record);
      }),
    );
  const own = ['meter/a', 'meter/b', 'meter/c', 'meter/d', 'meter/e'];
  assert.deepEqual(
    codesOf(
      world,
      world.sign(people.acmeDevice, { senml: pack(own) }),
      world.sign(people.acmeDevice, { senml: pack([...own.slice(0, 4), 'edge/e']) }),
    ),
    ['ok', 'reading.foreign-name'],
  );
});

test('a hash envelope is accepted from any registered key and leaves a leaf', () => {
  const world = createWorld();
  const envelope = { hashEnvelope: { hash: new Uint8Array(32).fill(9), location: 'https://example.org/a' } };
  const { results, entries } = world.execute([
    world.sign(people.acmePerson, envelope),
    world.sign(people.borealDevice, envelope),
  ]);
  assert.deepEqual(
    results.map(({ code, provenance }) => [code, provenance]),
    [
      ['ok', undefined],
      ['ok', undefined],
    ],
  );
  assert.equal(entries.length, 2);
});

test('the quota of transactions is per member and minute of block time', () => {
  const world = createWorld({ transactionsPerMinute: 3 });
  const read = () => world.sign(people.acmeDevice, { senml: packOf() });
  const other = world.sign(people.borealDevice, { senml: packOf() });
  assert.deepEqual(codesOf(world, read(), read(), read(), read(), other), ['ok', 'ok', 'ok', 'quota.exceeded', 'ok']);
  assert.deepEqual(codesOf(world, read()), ['quota.exceeded']);
  const later = world.timeMs() + 60_000;
  assert.equal(world.execute([read()], { timeMs: later }).results[0]!.code, 'ok');
  assert.equal(readQuota(world.store, 'acme')!.transactions, 1);
});

test('the quota of bytes counts whole transactions, failed ones included', () => {
  const world = createWorld({ bytesPerMinute: 65_535 });
  const failing = () => world.sign(people.acmeDevice, { operations: [pay('boreal', 1_000n)] });
  const [first, second] = [failing(), failing()];
  world.execute([first, second]);
  assert.equal(readQuota(world.store, 'acme')!.bytes, first.bytes.length + second.bytes.length);
  const large = world.sign(people.acmeDevice, {
    senml: packOf(),
    operations: Array.from({ length: 200 }, () => [99, new Uint8Array(320)] as const),
  });
  assert.deepEqual(codesOf(world, large), ['quota.exceeded']);
});

test('a transaction over quota uses up its counter', () => {
  const world = createWorld({ transactionsPerMinute: 1 });
  const [first, second] = [0, 1].map(() => world.sign(people.acmeDevice, { senml: packOf() }));
  const { results } = world.execute([first!, second!]);
  assert.deepEqual(
    results.map(({ code, isCounterUsed }) => [code, isCounterUsed]),
    [
      ['ok', true],
      ['quota.exceeded', true],
    ],
  );
});

test('the number of devices of a member is limited', () => {
  const world = createWorld({ devicesMax: 3 });
  const attest = (sub: string) => world.sign(people.acmeGateway, { senml: packOf(), sub });
  assert.deepEqual(codesOf(world, attest('acme/a'), attest('acme/b'), attest('acme/a')), ['ok', 'quota.devices', 'ok']);
});

test('unknown operations are refused by number, malformed ones with what is wrong', () => {
  const world = createWorld();
  const verdictOf = (operation: readonly [number, ...never[]]) =>
    world.execute([world.sign(people.acmePerson, { operations: [operation] })]).results[0]!;
  const counts = { 7: /propose takes 1/, 8: /vote takes 2/, 9: /attest takes 3/, 10: /ready takes 5/ };
  for (const [code, message] of Object.entries(counts)) {
    assert.equal(verdictOf([Number(code)]).code, 'tx.bad-operation');
    assert.match(verdictOf([Number(code)]).message!, message);
  }
  assert.equal(verdictOf([11]).code, 'tx.unknown-operation');
  const malformed = verdictOf([0, 'boreal', 'coin'] as never);
  assert.equal(malformed.code, 'tx.bad-operation');
  assert.match(malformed.message!, /transfer takes 3 or 4 arguments/);
});

test('an empty block writes nothing', () => {
  const { results, entries, writes, newKeys, events } = createWorld().execute([]);
  assert.deepEqual([results, entries, writes, newKeys, events], [[], [], [], [], []]);
});

test('a block under rules this release does not know stops the node', () => {
  assert.throws(() => createWorld().execute([], { rules: 2 }), /rules this release knows/);
});

test('a block before the genesis was written stops the node', () => {
  const ledger = createLedger({ genesis: createGenesis(), verify: () => true });
  const block = {
    height: 1,
    timeMs: 1,
    rules: 1,
    epoch: 1,
    transactions: [],
    misbehaviour: [],
    validators: [],
    authors: [],
  };
  assert.throws(() => ledger.execute(createMemoryStore(), block), /written from the genesis/);
});

test('a block that no engine delivers stops the node', () => {
  const world = createWorld();
  for (const height of [0, -1, 0.5]) assert.throws(() => world.execute([], { height }), /height of a block/);
  for (const timeMs of [-1, 0.5, Number.NaN])
    assert.throws(() => world.execute([], { height: 1, timeMs }), /block time/);
  const fault = { validator: 'boreal-1', member: 'boreal', kind: 'equivocation', height: 7 };
  for (const wrong of [{ validator: 'Boreal' }, { member: 'Boreal' }, { kind: 'two words' }, { height: 0.5 }])
    assert.throws(() => world.execute([], { height: 1, timeMs: 1, misbehaviour: [{ ...fault, ...wrong }] }), /faults/);
});

test('writes come ascending by key, one for each', () => {
  const world = createWorld();
  const transactions = [people.acmeDevice, people.borealDevice, people.acmeDevice].map((signer) =>
    world.sign(signer, { senml: packOf(), operations: [pay('boreal', 1n)] }),
  );
  const paths = world.execute(transactions).writes.map(({ key }) => String.fromCharCode(...key));
  assert.deepEqual(paths, [...new Set(paths)].sort());
});

test('an emptied account leaves no entry', () => {
  const world = createWorld();
  const { writes } = world.execute([world.sign(people.acmeDevice, { operations: [pay('boreal', 100n)] })]);
  const emptied = writes.filter(({ value }) => value === null);
  assert.deepEqual(
    emptied.map(({ key }) => String.fromCharCode(...key)),
    ['account/acme/meter/coin'],
  );
});

test('what comes and goes within one block leaves no write', () => {
  const world = createWorld();
  const { writes } = world.execute([
    world.sign(people.acmePerson, { operations: [pay('boreal/pump', 5n)] }),
    world.sign(people.borealDevice, { operations: [pay('boreal', 5n)] }),
  ]);
  assert.ok(!writes.some(({ key }) => String.fromCharCode(...key).startsWith('account/boreal/pump')));
});

test('every error of the catalogue says what happened and what to do', () => {
  for (const [code, { message }] of Object.entries(errorCatalogue)) {
    assert.match(code, /^[a-z]+\.[a-z-]+$/);
    assert.match(message, /^[A-Z].+[.;:] ?.+\.$/s, code);
  }
});

test('check answers as execution will, without the signature, and names the key to verify it with', () => {
  const world = createWorld();
  const transaction = world.sign(people.acmeGateway, { senml: packOf(), sub: 'acme/boiler' });
  const checked = world.ledger.check(world.store, transaction, world.next());
  assert.ok(checked.ok);
  assert.deepEqual(checked.value, {
    member: 'acme',
    device: 'boiler',
    keyRole: 'gateway',
    provenance: 'gateway-attested',
    algorithm: 'ed25519',
    publicKey: people.acmeGateway.publicKey,
  });
  assert.equal(readDevice(world.store, 'acme/boiler'), null);
  const person = world.ledger.check(
    world.store,
    world.sign(people.acmePerson, { operations: [pay('boreal', 1n)] }),
    world.next(),
  );
  assert.deepEqual(person.ok && Object.keys(person.value), ['member', 'keyRole', 'algorithm', 'publicKey']);
});

test('a verdict names whose key signed, with its device where it has one', () => {
  const world = createWorld();
  const { results } = world.execute(
    [people.acmePerson, people.acmeDevice, people.stranger].map((signer) =>
      world.sign(signer, { operations: [pay('boreal', 1n)] }),
    ),
  );
  assert.deepEqual(
    results.map(({ member, device }) => [member, device]),
    [
      ['acme', undefined],
      ['acme', 'meter'],
      [undefined, undefined],
    ],
  );
});

test('check refuses what no waiting transaction can cure, and leaves the rest to execution', () => {
  const world = createWorld({ transactionsPerMinute: 1_000 });
  const checks = world.ledger.openChecks(world.store, world.next());
  const codeOf = (operation: readonly [number, ...never[]]) => {
    const checked = checks(world.sign(people.acmeDevice, { operations: [operation] }));
    return checked.ok ? 'ok' : checked.error.code;
  };
  assert.equal(codeOf(pay('boreal', 1n, 'boreal') as never), 'account.not-owned');
  assert.equal(codeOf(pay('Boreal', 1n) as never), 'account.malformed');
  assert.equal(codeOf([99]), 'tx.unknown-operation');
  assert.equal(codeOf(pay('boreal', 1_000n) as never), 'ok');
  assert.equal(codeOf(pay('boreal/new', 1n) as never), 'ok');
});

test('checks opened once give every transaction the same state: none sees what another would do', () => {
  const world = createWorld({ transactionsPerMinute: 1 });
  const checks = world.ledger.openChecks(world.store, world.next());
  const transaction = world.sign(people.acmeDevice, { operations: [pay('boreal', 100n)] });
  for (let i = 0; i < 3; i++) assert.ok(checks(transaction).ok);
});

test('check refuses a replay and a member without quota', () => {
  const world = createWorld({ transactionsPerMinute: 1 });
  const [first, second] = [0, 1].map(() => world.sign(people.acmeDevice, { senml: packOf() }));
  world.execute([first!]);
  const codeOf = (transaction: typeof first) => {
    const checked = world.ledger.check(world.store, transaction!, world.next());
    return checked.ok ? 'ok' : checked.error.code;
  };
  assert.deepEqual([codeOf(first), codeOf(second)], ['tx.replayed', 'quota.exceeded']);
  assert.equal(signerOf(3), people.acmeDevice);
});
