import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import {
  type CheckpointStatement,
  createEpochSet,
  createEpochTarget,
  decodeMessage,
  defaultConstants,
  type Instant,
  type JournalRecord,
  type Message,
  nobleSigner,
  nobleVerifier,
  nothingToRecall,
  ok,
  type ReplicaOrigin,
  sha256,
  toEpoch,
  toHeight,
  toValidatorIndex,
  toView,
  type Vote,
  validatorSetDigest,
  voteSignedBytes,
} from '@cairn-ledger/core';
import { Driver, type FenceReason } from './driver.ts';
import { nothingSigned, type SigningMark } from './signing-mark.ts';

const ledgerHash = sha256(Uint8Array.of(7));
const keysOf = (i: number) => ({
  voting: nobleSigner('ed25519', new Uint8Array(32).fill(i + 1)),
  checkpoint: nobleSigner('ed25519', new Uint8Array(32).fill(i + 101)),
});
const validators = Array.from({ length: 4 }, (_, i) => ({
  id: `v${i}`,
  member: `m${i}`,
  linkKey: new Uint8Array(32).fill(i + 201),
  votingKey: keysOf(i).voting.publicKey,
  checkpointKey: keysOf(i).checkpoint.publicKey,
  addresses: [],
  life: null,
}));
const setDigest = validatorSetDigest(validators);
const target = createEpochTarget(validators, 1);
const genesisTip = { digest: ledgerHash, height: toHeight(0), timeMs: 0, isBoundary: false };
const statement = (height: number, mark = 0): CheckpointStatement => ({
  ledgerHash,
  epoch: toEpoch(1),
  height: toHeight(height),
  round: 0,
  historySize: 2,
  historyRoot: sha256(Uint8Array.of(mark)),
  stateRoot: ledgerHash,
  validatorSet: setDigest,
});

const status: Message = {
  type: 'status',
  epoch: toEpoch(1),
  view: toView(1),
  lastFinalized: toView(0),
  height: toHeight(0),
  asks: false,
  finalization: null,
  recall: nothingToRecall,
};

/** Validator 0 of four, which leads the views 3, 7, 11...; `events` says what it did, in order. */
function createNode(
  disk: { journal: JournalRecord[]; mark: SigningMark | null } = { journal: [], mark: nothingSigned },
) {
  const events: string[] = [];
  const fencedFor: FenceReason[] = [];
  const deferred: (() => void)[] = [];
  const syncs: (() => void)[] = [];
  const now: Instant = { ms: 0, wallMs: 1_700_000_000_000 };
  const appended: JournalRecord[] = [];
  const batches: number[] = [];
  const origin: ReplicaOrigin = {
    ledgerHash,
    set: createEpochSet(toEpoch(1), validators, setDigest, genesisTip, 1),
    selfId: 'v0',
    previous: null,
    constants: { ...defaultConstants, deltaMs: 100 },
    executed: genesisTip,
    floors: validators.map(() => ({ seq: 0, digest: null })),
    finalization: null,
    outcomes: [{ statement: statement(0), timeMs: 0, target }],
    certifiedHeight: toHeight(0),
    accused: [],
    suspended: [],
  };
  const driver = new Driver(
    origin,
    {
      now: () => now,
      defer: (callback) => deferred.push(callback),
      setTimer: () => undefined,
      journal: {
        append: (record) => {
          appended.push(record);
          events.push(`append ${record.type}`);
        },
        sync: (done) => {
          events.push('sync');
          syncs.push(() => {
            disk.journal.push(...appended.splice(0));
            done(null);
          });
        },
      },
      writeMark: (mark) => {
        disk.mark = mark;
        events.push(`mark view ${mark.view} seq ${mark.seq} checkpoint ${mark.checkpointHeight}`);
      },
      drawLife: () => new Uint8Array(16).fill(9),
      onHandedOver: () => undefined,
      onEpoch: () => undefined,
      onUnfenced: () => undefined,
      send: (peer, _channel, frame) => {
        const message = decodeMessage(frame);
        if (peer === 'v1') events.push(`send ${message.ok ? message.value.type : 'nonsense'}`);
      },
      votingSigner: keysOf(0).voting,
      checkpointSigner: keysOf(0).checkpoint,
      verifier: nobleVerifier,
      ledger: { execute: () => undefined, keepCertified: () => undefined, serve: () => undefined },
      onBatch: (batch) => batches.push(batch.header.seq),
      onFact: () => undefined,
      onRefused: () => undefined,
      onFenced: (reason) => fencedFor.push(reason),
      onFailed: () => undefined,
    },
    disk.mark,
  );
  return {
    driver,
    disk,
    events,
    fencedFor,
    batches,
    /** Starts, and hears from a quorum. */
    start(records: readonly JournalRecord[] = []): void {
      driver.start(records);
      for (const peer of ['v1', 'v2']) driver.onDecoded(peer, ok(status));
    },
    /** Lets time pass, then performs what is planned; a sync ends at once unless it is to hang. */
    run(ms: number, options: { readonly syncHangs?: boolean } = {}): void {
      (now as { ms: number; wallMs: number }).ms += ms;
      (now as { ms: number; wallMs: number }).wallMs += ms;
      driver.input({ type: 'tick' });
      for (let rounds = 0; rounds < 20; rounds++) {
        for (const callback of deferred.splice(0)) callback();
        if (options.syncHangs === true) return;
        for (const done of syncs.splice(0)) done();
      }
    },
    endSyncs(): void {
      for (const done of syncs.splice(0)) done();
    },
  };
}

/** Everything that must not come from a node that is fenced. */
const signs = (events: readonly string[]): string[] =>
  events.filter((event) => /^mark|send (vote|proposal|batch|checkpoint-signatures)/.test(event));

function sealed() {
  const node = createNode();
  node.start();
  node.driver.input({ type: 'transactions', transactions: [Uint8Array.of(1)] });
  node.run(20);
  return node;
}

test('what is signed goes to the journal first, then to the mark, and only then to peers', () => {
  const { events } = sealed();
  const interesting = events.filter((event) => /batch|sync|mark/.test(event));
  assert.deepEqual(interesting.slice(0, 4), ['append batch', 'sync', 'mark view 0 seq 1 checkpoint 0', 'send batch']);
});

test('the mark covers votes: a nullified view stands in it before the vote is sent', () => {
  const node = createNode();
  node.start();
  node.run(60_000);
  const { events } = node;
  const at = (event: RegExp): number => events.findIndex((each) => event.test(each));
  assert.ok(at(/append own-vote/) >= 0);
  assert.ok(at(/append own-vote/) < at(/sync/));
  assert.ok(at(/sync/) < at(/mark view 1/));
  assert.ok(at(/mark view 1/) < at(/send vote/));
});

test('a restart with the whole journal goes on signing', () => {
  const { disk } = sealed();
  const again = createNode(disk);
  again.start(disk.journal.slice());
  assert.deepEqual(again.fencedFor, []);
  assert.deepEqual(again.batches, [1]);
});

test('a node whose mark is ahead of its journal follows and signs nothing', () => {
  const { disk } = sealed();
  const again = createNode({ journal: [], mark: disk.mark });
  again.start();
  assert.deepEqual(again.fencedFor, ['rolled-back']);
  again.driver.input({ type: 'transactions', transactions: [Uint8Array.of(2)] });
  again.driver.onConnected('v1');
  again.run(60_000);
  assert.deepEqual(signs(again.events), []);
  assert.equal(again.driver.replica.status().maySign, false);
  assert.ok(again.events.includes('send status'), 'it still talks with its peers');
});

test('a node that is fenced before its start does not repeat the votes of its journal', () => {
  const node = createNode();
  node.start();
  node.run(60_000);
  const again = createNode(node.disk);
  again.driver.fence('rolled-back');
  again.start(node.disk.journal.slice());
  again.run(60_000);
  assert.deepEqual(signs(again.events), []);
});

test('fencing stops what was decided before in the same turn', () => {
  const node = createNode();
  node.start();
  node.driver.input({ type: 'transactions', transactions: [Uint8Array.of(1)] });
  node.run(20, { syncHangs: true });
  assert.ok(node.events.includes('append batch'));
  node.driver.fence('diverged');
  node.endSyncs();
  node.run(60_000);
  assert.deepEqual(signs(node.events), []);
  assert.deepEqual(node.fencedFor, ['diverged']);
});

test('a journal that begins anew in the middle of a turn keeps the batch that is about to be signed', () => {
  const node = createNode();
  node.start();
  node.driver.input({ type: 'transactions', transactions: [Uint8Array.of(1)] });
  node.run(20, { syncHangs: true });
  const live = [...node.driver.liveRecords()];
  node.run(0);
  assert.equal(node.disk.mark?.seq, 1);
  const again = createNode({ journal: live, mark: node.disk.mark });
  again.start(live);
  assert.deepEqual(again.fencedFor, []);
});

test('a journal that began anew remembers the last batch and checkpoint signed, also where the databases are lost', () => {
  const { disk } = sealed();
  const signedCheckpoint: JournalRecord = { type: 'own-checkpoint', statement: statement(0) };
  const node = createNode({ journal: [], mark: nothingSigned });
  node.start([...disk.journal, signedCheckpoint]);
  const types = [...node.driver.liveRecords()].map(({ type }) => type);
  assert.ok(types.includes('own-checkpoint') && types.includes('batch'));
});

test('a batch is handed out for checking once after a restart, however often the journal has it', () => {
  const { disk } = sealed();
  const records = disk.journal.filter((record) => record.type === 'batch');
  const twice = createNode({ journal: [], mark: nothingSigned });
  twice.start([...records, ...records]);
  assert.deepEqual(twice.batches, [1]);
});

test('nothing is signed after a start until a quorum, this node included, has said where it is', () => {
  const node = createNode();
  node.driver.start();
  node.driver.input({ type: 'transactions', transactions: [Uint8Array.of(1)] });
  node.driver.onDecoded('v1', ok(status));
  node.driver.onDecoded('v1', ok(status));
  node.driver.onDecoded('a guest', ok(status));
  node.run(60_000);
  assert.deepEqual(signs(node.events), []);
  assert.ok(node.events.filter((event) => event === 'send status').length > 1, 'it asks again');
  node.driver.onDecoded('v3', ok(status));
  node.run(20);
  assert.ok(signs(node.events).includes('send batch'));
});

test('a node that is shown a vote of its own that it has forgotten signs nothing, and draws a life number', () => {
  const before = sealed();
  before.run(60_000);
  const vote = before.disk.journal.find((record) => record.type === 'own-vote');
  assert.ok(vote?.type === 'own-vote');
  const signature = keysOf(0).voting.sign(voteSignedBytes(vote.vote, ledgerHash));
  const shown = { vote: vote.vote, signer: toValidatorIndex(0), signature };
  const node = createNode();
  node.driver.start();
  node.driver.onDecoded('v1', ok({ ...status, recall: { votes: [shown], batch: null } }));
  node.driver.onDecoded('v2', ok(status));
  node.run(60_000);
  assert.deepEqual(node.fencedFor, ['rolled-back']);
  assert.deepEqual(signs(node.events), []);
  assert.ok(node.disk.journal.some((record) => record.type === 'life'));
  const again = createNode(node.disk);
  again.start(node.disk.journal.slice());
  assert.deepEqual(again.driver.life, node.driver.life, 'the number is that of the record, whatever the process');
  const remembering = createNode(before.disk);
  remembering.driver.start(before.disk.journal.slice());
  remembering.driver.onDecoded('v1', ok({ ...status, recall: { votes: [shown], batch: null } }));
  assert.deepEqual(remembering.fencedFor, []);
});

test('a vote that nobody signed, or another one has, fences nobody', () => {
  const vote: Vote = { type: 'nullify', epoch: toEpoch(1), view: toView(9) };
  const forged = { vote, signer: toValidatorIndex(0), signature: new Uint8Array(64) };
  const signature = keysOf(1).voting.sign(voteSignedBytes(vote, ledgerHash));
  const node = createNode();
  node.driver.start();
  node.driver.onDecoded('v1', ok({ ...status, recall: { votes: [forged], batch: null } }));
  node.driver.onDecoded(
    'v1',
    ok({ ...status, recall: { votes: [{ vote, signer: toValidatorIndex(1), signature }], batch: null } }),
  );
  assert.deepEqual(node.fencedFor, []);
});

test('the mark knows what a journal holds before any of it is sent again', () => {
  const { disk } = sealed();
  const again = createNode({ journal: disk.journal, mark: nothingSigned });
  again.driver.start(disk.journal.slice());
  assert.equal(again.disk.mark?.seq, 1);
});

test('a node with no mark beside its keys counts as one that has forgotten', () => {
  const node = createNode({ journal: [], mark: null });
  node.start();
  assert.deepEqual(node.fencedFor, ['rolled-back']);
});

test('statuses that show nothing of what this node has signed do not let it sign', () => {
  const node = createNode();
  node.driver.start();
  node.driver.input({ type: 'transactions', transactions: [Uint8Array.of(1)] });
  for (const peer of ['v1', 'v2', 'v3']) node.driver.onDecoded(peer, ok({ ...status, recall: null }));
  node.run(60_000);
  assert.deepEqual(signs(node.events), []);
});

test('storage that has come to an earlier epoch than the journal is behind: nothing is signed with that record', () => {
  const vote: Vote = { type: 'nullify', epoch: toEpoch(2), view: toView(1) };
  const node = createNode({ journal: [], mark: nothingSigned });
  node.start([{ type: 'own-vote', vote }]);
  assert.deepEqual(node.fencedFor, ['rolled-back']);
  const marked = createNode({ journal: [], mark: { ...nothingSigned, epoch: 2, view: 1 } });
  marked.start();
  assert.deepEqual(marked.fencedFor, ['rolled-back']);
});

test('a batch whose seal a fence kept from being signed is sealed as it is when the fence ends', () => {
  const node = createNode();
  node.start();
  node.driver.input({ type: 'transactions', transactions: [Uint8Array.of(1)] });
  node.run(20, { syncHangs: true });
  node.driver.fence('operator');
  node.endSyncs();
  node.run(100);
  assert.deepEqual(signs(node.events), []);
  assert.ok(node.driver.unfence('operator'));
  node.run(100);
  node.driver.input({ type: 'transactions', transactions: [Uint8Array.of(2)] });
  node.run(200);
  assert.equal(node.events.filter((event) => event === 'send batch').length >= 2, true);
  assert.equal(node.disk.mark?.seq, 2);
});
