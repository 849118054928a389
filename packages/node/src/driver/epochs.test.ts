/**
 * A driver over the end of an epoch: protocol.md sections 5 and 6. The node under test is the only validator of its epoch, so it decides
 * alone; what the ledger wants after height 1 begins the next epoch after height 2.
 */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import {
  type Block,
  createEpochSet,
  createEpochTarget,
  decodeMessage,
  defaultConstants,
  type EpochSet,
  type EpochTarget,
  type Instant,
  indexIn,
  type JournalRecord,
  type Message,
  nobleSigner,
  nobleVerifier,
  type Outcome,
  type ReplicaOrigin,
  sha256,
  toEpoch,
  toHeight,
  type Validator,
} from '@cairn-ledger/core';
import { Driver, type FenceReason } from './driver.ts';
import { nothingSigned, type SigningMark } from './signing-mark.ts';

const ledgerHash = sha256(Uint8Array.of(7));
const genesisTip = { digest: ledgerHash, height: toHeight(0), timeMs: 0, isBoundary: false };
const deltaMs = 100;
const retryMs = 4 * deltaMs;

const keysOf = (i: number) => ({
  voting: nobleSigner('ed25519', new Uint8Array(32).fill(i + 1)),
  checkpoint: nobleSigner('ed25519', new Uint8Array(32).fill(i + 101)),
});
const lifeOf = (byte: number) => new Uint8Array(16).fill(byte);
const validator = (i: number, life: Uint8Array | null = null): Validator => ({
  id: `v${i}`,
  member: `m${i}`,
  linkKey: new Uint8Array(32).fill(i + 201),
  votingKey: keysOf(i).voting.publicKey,
  checkpointKey: keysOf(i).checkpoint.publicKey,
  addresses: [],
  life,
});
const targetOf = (...validators: Validator[]): EpochTarget => createEpochTarget(validators, 1);

/** What survives a stop: the journal, the mark, and how the chain stands. */
type Disk = {
  journal: JournalRecord[];
  mark: SigningMark | null;
  readonly wanted: EpochTarget;
  outcomes: Outcome[];
  origin: ReplicaOrigin | null;
};

function diskOf(first: EpochTarget, wanted: EpochTarget): Disk {
  const statement = {
    ledgerHash,
    epoch: toEpoch(1),
    height: toHeight(0),
    round: 0,
    historySize: 2,
    historyRoot: ledgerHash,
    stateRoot: ledgerHash,
    validatorSet: first.digest,
  };
  const outcomes: Outcome[] = [{ statement, timeMs: 0, target: first }];
  const origin: ReplicaOrigin = {
    ledgerHash,
    set: createEpochSet(toEpoch(1), first.validators, first.digest, genesisTip, 1),
    selfId: 'v0',
    previous: null,
    constants: { ...defaultConstants, deltaMs, checkpointLag: 1 },
    executed: genesisTip,
    floors: [{ seq: 0, digest: null }],
    finalization: null,
    outcomes,
    certifiedHeight: toHeight(0),
    accused: [],
    suspended: [],
  };
  return { journal: [], mark: nothingSigned, wanted, outcomes, origin };
}

function createNode(disk: Disk) {
  const deferred: (() => void)[] = [];
  const now: Instant = { ms: 0, wallMs: 1_700_000_000_000 };
  const appended: JournalRecord[] = [];
  const sent: { readonly peer: string; readonly message: Message }[] = [];
  const executed: Block[] = [];
  const sets: EpochSet[] = [];
  const fencedFor: FenceReason[] = [];
  let unfencedCount = 0;
  let livesDrawn = 0;
  let syncs: (() => void)[] = [];
  let isStorageSlow = false;
  const driver: Driver = new Driver(
    disk.origin!,
    {
      now: () => now,
      defer: (callback) => deferred.push(callback),
      setTimer: () => undefined,
      journal: {
        append: (record) => appended.push(record),
        sync: (done) =>
          syncs.push(() => {
            disk.journal.push(...appended.splice(0));
            done(null);
          }),
      },
      writeMark: (mark) => {
        disk.mark = mark;
      },
      drawLife: () => lifeOf(50 + livesDrawn++),
      onHandedOver: () => undefined,
      onEpoch: (set) => sets.push(set),
      onUnfenced: () => unfencedCount++,
      send: (peer, _channel, frame) => {
        const message = decodeMessage(frame);
        if (message.ok) sent.push({ peer, message: message.value });
      },
      votingSigner: keysOf(0).voting,
      checkpointSigner: keysOf(0).checkpoint,
      verifier: nobleVerifier,
      ledger: {
        execute: (block) => {
          executed.push(block);
          const { height, timeMs, nextSet } = block.header;
          const before = disk.outcomes.at(-1)!;
          const statement = {
            ...before.statement,
            epoch: driver.set.epoch,
            height,
            stateRoot: sha256(block.headerBytes),
            validatorSet: nextSet ?? driver.set.digest,
          };
          const outcome = { statement, timeMs, target: disk.wanted };
          disk.outcomes.push(outcome);
          driver.input({ type: 'executed', outcome });
        },
        keepCertified: () => undefined,
        serve: () => undefined,
      },
      onBatch: () => undefined,
      onFact: () => undefined,
      onRefused: () => undefined,
      onFenced: (reason) => fencedFor.push(reason),
      onFailed: () => undefined,
    },
    disk.mark,
  );
  const work = () => {
    for (let rounds = 0; rounds < 50; rounds++) {
      for (const callback of deferred.splice(0)) callback();
      if (isStorageSlow) return;
      for (const done of syncs.splice(0)) done();
    }
  };
  return {
    driver,
    disk,
    sent,
    executed,
    sets,
    fencedFor,
    get unfencedCount() {
      return unfencedCount;
    },
    start(): void {
      driver.start(disk.journal.slice());
      work();
    },
    run(durationMs: number): void {
      for (let passed = 0; passed < durationMs; passed += 10) {
        (now as { ms: number; wallMs: number }).ms += 10;
        (now as { ms: number; wallMs: number }).wallMs += 10;
        driver.input({ type: 'tick' });
        work();
      }
    },
    /** Until `endSyncs` nothing becomes durable. */
    slowDown(): void {
      isStorageSlow = true;
    },
    endSyncs(): void {
      isStorageSlow = false;
      const pending = syncs;
      syncs = [];
      for (const done of pending) done();
      work();
    },
    handIn: (...bytes: number[]) => driver.handIn(bytes.map((byte) => Uint8Array.of(byte))),
    /** First bytes of what was handed over to a peer, message by message, since the last time. */
    handedOverTo(peer: string): number[][] {
      const messages = sent.filter((each) => each.peer === peer && each.message.type === 'transactions');
      for (const each of messages) sent.splice(sent.indexOf(each), 1);
      return messages.map(({ message }) =>
        (message.type === 'transactions' ? message.transactions : []).map(([b]) => b!),
      );
    },
  };
}

/** The node has decided alone up to the boundary, and begun the next epoch. */
function afterTheBoundary(wanted: EpochTarget, first = targetOf(validator(0))) {
  const node = createNode(diskOf(first, wanted));
  node.start();
  node.handIn(1);
  node.run(200);
  assert.deepEqual(
    node.sets.map(({ epoch }) => epoch),
    [2],
  );
  return node;
}

/** The same node after a stop, with the storage that it had at the beginning of epoch 2. */
function restarted({ driver, disk }: ReturnType<typeof createNode>, change: Partial<Disk> = {}) {
  const { set } = driver;
  const before = diskOf(targetOf(validator(0)), disk.wanted).origin!;
  const origin: ReplicaOrigin = {
    ...before,
    set,
    previous: { set: before.set, ownFloor: 1, isCertified: true },
    executed: { ...set.genesis, isBoundary: false },
    floors: set.validators.map(() => ({ seq: 0, digest: null })),
    outcomes: disk.outcomes.slice(),
    certifiedHeight: set.genesis.height,
  };
  return createNode({ ...disk, journal: disk.journal.slice(), origin, ...change });
}

test('an epoch follows another while the node runs: the next set decides, with a view of its own', () => {
  const { driver, sets, executed, fencedFor } = afterTheBoundary(targetOf(validator(0), validator(1)));
  assert.deepEqual(
    executed.map(({ header }) => [header.height, header.nextSet !== null]),
    [
      [1, false],
      [2, true],
    ],
  );
  assert.deepEqual(
    sets[0]!.validators.map(({ id }) => id),
    ['v0', 'v1'],
  );
  const { epoch, view, maySign } = driver.replica.status();
  assert.deepEqual([epoch, view, maySign, fencedFor], [2, 1, true, []]);
});

test('peers that are linked when an epoch begins are linked in it, by the places they have there', () => {
  const node = createNode(diskOf(targetOf(validator(0)), targetOf(validator(0), validator(1))));
  node.start();
  node.driver.onConnected('v1');
  node.handIn(1);
  node.run(200);
  const statuses = node.sent.flatMap(({ peer, message }) => (message.type === 'status' ? [[peer, message.epoch]] : []));
  assert.ok(statuses.some(([peer, epoch]) => peer === 'v1' && epoch === 2));
});

// --- Handing over ----------------------------------------------------------------------------------------------------

test('who has left hands over what it is handed, again every tRetry, to those who are linked', () => {
  const node = afterTheBoundary(targetOf(validator(1)));
  assert.equal(node.driver.replica.status().maySign, false);
  node.handIn(7);
  assert.deepEqual(node.handedOverTo('v1'), [], 'nobody is linked');
  node.driver.onConnected('v1');
  node.run(retryMs);
  assert.deepEqual(node.handedOverTo('v1'), [[7]]);
  node.handIn(8);
  assert.deepEqual(node.handedOverTo('v1'), [[8]]);
  node.run(2 * retryMs);
  assert.deepEqual(node.handedOverTo('v1'), [
    [7, 8],
    [7, 8],
  ]);
});

test('what the last batches of a leaver hold, and no block lists, is handed over', () => {
  const disk = diskOf(targetOf(validator(0)), targetOf(validator(1)));
  const node = createNode(disk);
  node.start();
  node.driver.onConnected('v1');
  node.handIn(1);
  // The boundary lists nothing that is sealed after it was proposed.
  for (let ms = 0; ms < 200 && node.sets.length === 0; ms += 10) {
    node.handIn(2 + ms / 10);
    node.run(10);
  }
  assert.equal(node.sets.length, 1);
  const handed = new Set(node.handedOverTo('v1').flat());
  assert.ok(handed.size > 0);
  node.run(retryMs);
  assert.deepEqual(new Set(node.handedOverTo('v1').flat()), handed, 'and again');
});

test('a fenced node hands over what it is handed', () => {
  const node = afterTheBoundary(targetOf(validator(0), validator(1)));
  node.driver.onConnected('v1');
  node.driver.fence('operator');
  node.handIn(7);
  assert.deepEqual(node.handedOverTo('v1'), [[7]]);
});

// --- Life numbers ----------------------------------------------------------------------------------------------------

test('a validator of the genesis has no number, and draws none while it stays', () => {
  const node = afterTheBoundary(targetOf(validator(0), validator(1)));
  assert.equal(node.driver.life, null);
  assert.equal(
    node.disk.journal.some(({ type }) => type === 'life'),
    false,
  );
});

test('who may join draws a number, and tells it once it is durable', () => {
  const disk = diskOf(targetOf(validator(1)), targetOf(validator(1)));
  const node = createNode(disk);
  node.slowDown();
  node.start();
  assert.equal(node.driver.life, null);
  node.endSyncs();
  assert.deepEqual(node.driver.life, lifeOf(50));
  assert.deepEqual(node.fencedFor, []);
  const again = createNode({ ...disk, journal: node.disk.journal.slice() });
  again.start();
  assert.deepEqual(again.driver.life, lifeOf(50), 'kept over restarts');
});

test('who leaves begins another life at once', () => {
  const node = afterTheBoundary(targetOf(validator(1)));
  assert.deepEqual(node.driver.life, lifeOf(50));
});

test('a record whose number the next set names signs in that epoch', () => {
  const lost = createNode({ ...diskOf(targetOf(validator(0)), targetOf(validator(0, lifeOf(50)))), mark: null });
  lost.start();
  assert.deepEqual([lost.fencedFor, lost.driver.life], [['rolled-back'], lifeOf(50)]);
  const { journal } = lost.disk;
  // A quorum of one decides nothing while it is fenced: another process of the same validator stands for the others here.
  const others = afterTheBoundary(targetOf(validator(0, lifeOf(50))));
  assert.equal(others.fencedFor.includes('rolled-back'), true, 'their own record has another number');
  const back = restarted(others, { journal });
  back.start();
  assert.deepEqual([back.fencedFor, back.driver.replica.status().maySign], [[], true]);
  assert.equal(back.driver.isTakenBack, true);
});

test('a set that names another number stops the record at once, and it draws its own', () => {
  const node = afterTheBoundary(targetOf(validator(0, lifeOf(9))));
  assert.deepEqual(node.fencedFor, ['rolled-back']);
  assert.equal(node.driver.replica.status().maySign, false);
  assert.deepEqual(node.driver.life, lifeOf(50));
  const votes = node.sent.length;
  node.handIn(5);
  node.run(10_000);
  assert.equal(node.sent.length, votes);
});

test('a record without the number that the set names signs nothing, whatever the mark says', () => {
  const node = afterTheBoundary(targetOf(validator(0, lifeOf(9))));
  const empty = restarted(node, { journal: [], mark: nothingSigned });
  empty.start();
  assert.deepEqual(empty.fencedFor, ['rolled-back']);
  assert.deepEqual(empty.driver.life, lifeOf(50));
});

test('a named number is never kept after its record was lost; one that no set names yet will do', () => {
  const life = lifeOf(9);
  const node = afterTheBoundary(targetOf(validator(0, life)));
  const journal: JournalRecord[] = [{ type: 'life', life }];
  const whole = restarted(node, { journal, mark: nothingSigned });
  whole.start();
  assert.deepEqual([whole.fencedFor, whole.driver.life], [[], life]);
  whole.driver.fence('rolled-back');
  whole.run(10);
  assert.deepEqual(whole.driver.life, lifeOf(50), 'the named one belongs to what was lost');
  const unused = restarted(node, { journal: [{ type: 'life', life: lifeOf(3) }], mark: nothingSigned });
  unused.start();
  unused.run(10);
  assert.deepEqual([unused.fencedFor, unused.driver.life], [['rolled-back'], lifeOf(3)]);
});

test('a chain that was founded anew at a later height takes nothing from the record: it signs on', () => {
  const node = afterTheBoundary(targetOf(validator(0), validator(1)));
  node.run(200);
  const { mark, journal } = node.disk;
  assert.ok(mark !== null && mark.epoch >= 1 && journal.some(({ type }) => type === 'own-vote'));
  const set = targetOf(validator(0), validator(1));
  const tip = { digest: sha256(Uint8Array.of(9)), height: toHeight(500), timeMs: 9 };
  const [outcome] = node.disk.outcomes.slice(-1);
  const later: ReplicaOrigin = {
    ...node.disk.origin!,
    set: createEpochSet(toEpoch(7), set.validators, set.digest, tip, 1),
    previous: null,
    executed: { ...tip, isBoundary: false },
    floors: set.validators.map(() => ({ seq: 0, digest: null })),
    outcomes: [{ ...outcome!, statement: { ...outcome!.statement, epoch: toEpoch(6), height: tip.height } }],
    certifiedHeight: tip.height,
  };
  const founded = restarted(node, { origin: later });
  founded.start();
  assert.deepEqual([founded.fencedFor, founded.driver.life], [[], null]);
  assert.equal(founded.disk.mark!.checkpointHeight, 500, 'nothing below is signed any more');
  // Without its journal it is what it would be anywhere.
  const forgetful = restarted(node, { origin: later, journal: [], mark: { ...mark!, epoch: 7, view: 3 } });
  forgetful.start();
  assert.deepEqual(forgetful.fencedFor, ['rolled-back']);
});

test('the place of the node in the set is what counts: without one it is not fenced', () => {
  const node = afterTheBoundary(targetOf(validator(1, lifeOf(9))));
  assert.deepEqual([node.fencedFor, indexIn(node.driver.set, 'v0')], [[], null]);
});
