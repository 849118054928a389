/**
 * A stored chain that the members restart: real files, made without a network. Four validators, blocks up to height 12 in epoch 1.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  createBlock,
  createCertificate,
  decodeCheckpointStatement,
  decodeGenesis,
  encodeCheckpointStatement,
  type JournalRecord,
  restartSignedBytes,
  type SignedRestart,
  sha256,
  signCheckpoint,
  toEpoch,
  toHeight,
  toHex,
  toValidatorIndex,
  toView,
  voteSignedBytes,
  withRestartSignature,
} from '@cairn-ledger/core';
import { auditFolder } from '../audit/audit.ts';
import { type MadeFolder, makeNodeFolder } from '../audit/testing/node-folder.ts';
import { restartCommand } from '../cli/commands/restart.ts';
import { CommandFailed } from '../cli/exit-code.ts';
import { signerOf } from '../cli/signing.ts';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { recordToBytes } from '../driver/journal-record.ts';
import { nothingSigned } from '../driver/signing-mark.ts';
import { orThrow } from '../failure.ts';
import { openChainFile } from '../healing/chain-file.ts';
import { damageOfEpochs } from '../healing/epoch-lane.ts';
import { genesisToAnchor, isRestarted, storedEpochs } from '../healing/known-epochs.ts';
import { openJournal } from '../journal/journal.ts';
import { noteRolledBack } from '../keys/rolled-back.ts';
import { openSigningMark } from '../keys/signing-mark-file.ts';
import { openChainDb } from '../storage/chain-db.ts';
import { encodeSignatures } from '../storage/checkpoint-signatures.ts';
import { isRestart } from '../storage/restart-block.ts';
import { createChainExecutor } from '../threads/chain-executor.ts';
import { createProvenChain } from '../threads/proven-chain.ts';
import { serveFromStorage } from '../threads/serve-from-storage.ts';
import { originOf, readOrigin } from '../threads/stored-origin.ts';
import { draftRestart } from './draft.ts';
import { parsePreparation, preparationToJson } from './preparation.ts';
import { restartChain, restartStateOf } from './restart-chain.ts';
import { readRestarts, restartPath, writeRestartFile } from './restart-files.ts';
import { markAfterRestart } from './restart-watch.ts';
import { checkNothingAbove, type NodeStanding, readStopped, restartStateIn, standingOf } from './standing.ts';

const members = ['alder', 'birch', 'cedar', 'elm'];
const lag = 4;
let made: MadeFolder;
let dir: string;
let standing: NodeStanding;

before(async () => {
  made = await makeNodeFolder({ uncertified: 3 });
  dir = copyOf('whole');
  standing = orThrow(await standingOf(dir));
});
after(() => {
  made.remove();
  for (const root of roots) rmSync(root, { recursive: true, force: true });
});

const roots: string[] = [];

/** A folder of its own, with what lies beside the nodes: the genesis and the keys of persons. */
function copyOf(name: string): string {
  const network = join(made.dir, '..', '..');
  const root = mkdtempSync(join(tmpdir(), `cairn-restart-${name}-`));
  roots.push(root);
  cpSync(network, root, { recursive: true });
  return made.dir.replace(network, root);
}

function signedBy(document: SignedRestart, ...names: string[]): SignedRestart {
  return names.reduce((signed, name) => {
    const { kid, sign } = signerOf(join(made.dir, '..', '..', 'keys', `${name}.person.key`));
    return withRestartSignature(signed, { kid, signature: sign(restartSignedBytes(signed)) });
  }, document);
}

function draftOf(life: number, ...lost: string[]): SignedRestart {
  const standings = lost.map((nodeId) => ({ ...standing, nodeId, life: new Uint8Array(16).fill(life) }));
  const options = { without: [], isLosing: false };
  return orThrow(draftRestart(standings.length === 0 ? [standing] : standings, options)).signed;
}

function stateOf(signed: SignedRestart, folder = dir): string {
  const chain = orThrow(openChainDb(join(folder, 'data', 'chain.db'), { ledgerHash: made.ledgerHash }));
  const state = restartStateOf(chain, signed, lag, sodiumVerifier);
  chain.close();
  return state.ok ? state.value : state.error.code;
}

/** Applied as at a start of the node. */
function restart(folder: string, signed: SignedRestart): boolean {
  const chain = orThrow(openChainDb(join(folder, 'data', 'chain.db'), { ledgerHash: made.ledgerHash }));
  const executor = createChainExecutor(genesisOf(folder), made.ledgerHash, chain);
  const restarts = new Map([[signed.restart.block.header.epoch as number, signed]]);
  const isChanged = orThrow(restartChain(chain, executor, restarts, lag, sodiumVerifier));
  chain.close();
  return isChanged;
}

function genesisOf(folder: string) {
  return orThrow(decodeGenesis(genesisBytesOf(folder)));
}

function genesisBytesOf(folder: string): Uint8Array {
  return new Uint8Array(readFileSync(join(folder, 'genesis.cbor')));
}

test('a node says where its chain ends, in a form that is read back', () => {
  assert.deepEqual(
    [standing.nodeId, standing.point.epoch, standing.point.height, standing.isLost, standing.life],
    ['node-1', 1, 12, false, null],
  );
  assert.deepEqual(
    [standing.signedEpoch, standing.signedHeight, standing.finalizedHeight, standing.votedHeight],
    [1, 12, 12, 12],
  );
  const read = parsePreparation(JSON.stringify(preparationToJson(standing)));
  assert.deepEqual(orThrow(read), standing);
  for (const change of [
    { height: -1 },
    { height: Number.MAX_SAFE_INTEGER },
    { timeMs: Number.MAX_SAFE_INTEGER },
    { rules: 65_536 },
    { block: 'zz' },
    { validators: '80' },
    { version: 2 },
    { life: '00' },
    { voters: ['a', 'a'] },
    { voters: 'a' },
  ]) {
    const bad = parsePreparation(JSON.stringify({ ...preparationToJson(standing), ...change }));
    assert.equal(!bad.ok && bad.error.code, 'restart.bad-preparation', JSON.stringify(change));
  }
});

test('a record that is lost gets its life number here, once', async () => {
  const folder = copyOf('lost');
  rmSync(join(folder, 'data', 'journal'), { recursive: true });
  assert.equal(orThrow(await standingOf(folder)).isLost, false, 'all that it signed is final');
  noteRolledBack(join(folder, 'data'), nothingSigned);
  const first = orThrow(await standingOf(folder));
  assert.equal(first.isLost, true);
  assert.equal(first.life?.length, 16);
  const second = orThrow(await standingOf(folder));
  assert.equal(toHex(second.life!), toHex(first.life!));
  const drafted = orThrow(draftRestart([standing, { ...second, nodeId: 'node-2' }], { without: [], isLosing: false }));
  assert.deepEqual(drafted.renewed, ['node-2']);
  assert.deepEqual(drafted.unprepared, ['node-3', 'node-4']);
});

test('what nodes say that cannot both be true makes no document', () => {
  const draft = (...others: NodeStanding[]) => {
    const drafted = draftRestart([standing, ...others], { without: [], isLosing: false });
    return drafted.ok ? 'drafted' : drafted.error.code;
  };
  const other = { ...standing, nodeId: 'node-2' };
  const { point } = standing;
  assert.equal(draft(other), 'drafted');
  assert.equal(draft({ ...other, point: { ...point, parent: sha256(Uint8Array.of(1)) } }), 'restart.contradiction');
  assert.equal(draft({ ...other, point: { ...point, result: sha256(Uint8Array.of(1)) } }), 'restart.contradiction');
  assert.equal(draft({ ...other, point: { ...point, ledgerHash: sha256(Uint8Array.of(1)) } }), 'restart.contradiction');
  assert.equal(draft({ ...standing, life: new Uint8Array(16) }), 'restart.contradiction');
  assert.equal(draft({ ...other, signedHeight: 13 }), 'restart.more-known');
  assert.equal(draft({ ...other, finalizedHeight: 13 }), 'restart.more-known');
  // A block above may be final with the vote of node-2 and those of two that are not here, and not if a third one knows of no vote.
  const voting = { ...other, votedHeight: 13 };
  assert.equal(draft(voting), 'restart.more-known');
  assert.equal(draft(voting, { ...other, nodeId: 'node-3' }), 'drafted');
  assert.equal(draft(voting, { ...other, nodeId: 'node-3', isLost: true }), 'restart.more-known');
  // Who is about to leave votes, and who is about to come does not.
  const six = ['node-1', 'node-2', 'node-3', 'node-4', 'node-5', 'node-6'];
  const seven = [...six, 'node-7'];
  const draftOfVoters = (voters: readonly string[], ...silent: readonly string[]) => {
    const all = [standing, voting, ...silent.map((nodeId) => ({ ...other, nodeId }))];
    const drafted = draftRestart(
      all.map((each) => ({ ...each, voters })),
      { without: [], isLosing: false },
    );
    return drafted.ok ? 'drafted' : drafted.error.code;
  };
  assert.equal(draftOfVoters(seven, 'node-3'), 'restart.more-known', 'five of seven may have voted');
  assert.equal(draftOfVoters(seven, 'node-3', 'node-4'), 'drafted');
  assert.equal(draftOfVoters(seven, 'node-3', 'node-8'), 'restart.more-known', 'node-8 has no vote');
  assert.equal(draftOfVoters(six, 'node-3'), 'drafted');
  assert.equal(draft({ ...other, signedEpoch: 2 }), 'restart.later-epoch');
  const later = draftRestart([standing, { ...other, signedEpoch: 2 }], { without: [], isLosing: true });
  assert.equal(!later.ok && later.error.code, 'restart.later-epoch', 'whatever is given up');
  const losing = draftRestart([standing, { ...other, signedHeight: 13 }], { without: ['node-4'], isLosing: true });
  assert.deepEqual(orThrow(losing).signed.restart.validators.length, 3);
});

test('a document counts with more than two thirds of the members, and each of them counts once', () => {
  const document = draftOf(1, 'node-3', 'node-4');
  assert.equal(stateOf(document), 'restart.too-few-members');
  assert.equal(stateOf(signedBy(document, 'alder', 'birch')), 'restart.too-few-members');
  assert.equal(stateOf(signedBy(document, 'alder', 'birch', 'birch')), 'restart.too-few-members');
  assert.equal(stateOf(signedBy(document, 'alder', 'birch', 'elm')), 'ready');
  const other = signedBy(draftOf(2, 'node-3'), 'cedar').signatures[0]!;
  assert.equal(stateOf(withRestartSignature(signedBy(document, 'alder', 'birch'), other)), 'restart.bad-signature');
  const stranger = { kid: new Uint8Array(8), signature: new Uint8Array(64) };
  assert.equal(stateOf(withRestartSignature(signedBy(document, ...members), stranger)), 'restart.unknown-key');
});

test('a document that does not fit the chain is refused, and says why', async () => {
  const draft = (change: Partial<NodeStanding['point']>, validators = standing.validators): SignedRestart => {
    const point = { ...standing.point, ...change };
    const options = { without: [], isLosing: true };
    return signedBy(orThrow(draftRestart([{ ...standing, point, validators }], options)).signed, ...members);
  };
  const height = (at: number) => at as NodeStanding['point']['height'];
  const digest = sha256(Uint8Array.of(9));
  assert.equal(stateOf(draft({ height: height(11) })), 'restart.finalized-above');
  assert.equal(stateOf(draft({ height: height(13) })), 'below');
  assert.equal(stateOf(draft({ parent: digest })), 'restart.other-block');
  assert.equal(stateOf(draft({ result: digest })), 'restart.other-result');
  assert.equal(stateOf(draft({ checkpoint: digest })), 'restart.other-result');
  assert.equal(stateOf(draft({ timeMs: standing.point.timeMs + 5 })), 'restart.other-epoch');
  const [first, ...rest] = standing.validators;
  assert.equal(stateOf(draft({}, [{ ...first!, votingKey: digest }, ...rest])), 'restart.foreign-validator');
  assert.equal(stateOf(draft({}, rest)), 'restart.too-few-validators');
  const state = await restartStateIn(dir, draft({ height: height(11) }));
  assert.equal(!state.ok && state.error.code, 'restart.finalized-above');
});

test('a node that has voted to finalize a block above takes the document only when it is told to give that up', async () => {
  const folder = copyOf('voted');
  const { point } = standing;
  const digest = sha256(Uint8Array.of(5));
  const fields = { epoch: point.epoch, height: toHeight(13), rules: 1, parent: point.parent, timeMs: point.timeMs + 9 };
  const block = createBlock({ ...fields, checkpoint: digest, nextSet: null }, [], []);
  const proposal = { epoch: point.epoch, view: toView(13), parentView: toView(12), digest: block.digest };
  await remember(folder, { type: 'block', block }, { type: 'own-vote', vote: { type: 'finalize', proposal } });
  const voted = orThrow(await standingOf(folder));
  assert.deepEqual([voted.finalizedHeight, voted.votedHeight], [12, 13]);
  const document = signedBy(draftOf(7, 'node-3', 'node-4'), ...members);
  const refused = await restartStateIn(folder, document);
  assert.equal(!refused.ok && refused.error.code, 'restart.voted-above');
  assert.equal(orThrow(await restartStateIn(folder, document, true)), 'ready');
});

test('the epoch ends as decided, once, and everything that is kept of it is sound', async () => {
  const folder = copyOf('restarted');
  const document = signedBy(draftOf(7, 'node-3', 'node-4'), ...members);
  assert.equal(restart(folder, document), true);
  assert.equal(restart(folder, document), false, 'a second time changes nothing');
  assert.equal(stateOf(document, folder), 'applied');
  const second = signedBy(draftOf(8, 'node-3'), ...members);
  assert.equal(stateOf(second, folder), 'restart.finalized-above', 'an epoch ends once');

  const path = join(folder, 'data', 'chain.db');
  const chain = orThrow(openChainDb(path, { ledgerHash: made.ledgerHash }));
  const origin = readOrigin(originOf(chain, lag), 'node-1');
  assert.deepEqual([origin.set.epoch, origin.executed.height, origin.certifiedHeight], [2, 13, 13]);
  assert.deepEqual(
    origin.set.validators.map(({ life }) => life?.[0] ?? null),
    [null, null, 7, 7],
  );
  assert.deepEqual(origin.outcomes.at(-1)!.target.digest, origin.set.digest, 'no change waits');
  assert.equal(isRestart(chain, 13), true);
  const told = serveFromStorage(chain, { type: 'request-boundary', epoch: 1 as never });
  assert.equal(
    told?.type === 'certificate' && told.certificate.vote.type,
    'finalize',
    'who is behind is led to block 12',
  );

  // Without the document nothing proves the epoch before its validators have signed.
  const genesisBytes = genesisBytesOf(folder);
  const plain = genesisToAnchor(genesisOf(folder), genesisBytes);
  const given = genesisToAnchor(genesisOf(folder), genesisBytes, null, new Map([[1, document]]));
  assert.equal(storedEpochs(plain, chain, sodiumVerifier).length, 1);
  const known = storedEpochs(given, chain, sodiumVerifier);
  assert.deepEqual([known.length, isRestarted(known[1]!)], [2, true]);
  chain.close();
  const file = orThrow(openChainFile(path, { readOnly: true }));
  assert.equal(damageOfEpochs(file, plain, { verifier: sodiumVerifier }), null);
  assert.equal(damageOfEpochs(file, given, { verifier: sodiumVerifier }), null);
  file.close();

  const unproven = orThrow(await auditFolder(folder, { replay: true }));
  assert.deepEqual(
    unproven.findings.map(({ code }) => code).filter((code) => code !== 'audit.unproven'),
    [],
  );
  assert.ok(unproven.findings.length > 0, 'nothing proves it');
  orThrow(writeRestartFile(restartPath(join(folder, 'keys'), 1), document));
  const audited = orThrow(await auditFolder(folder, { replay: true }));
  assert.deepEqual(audited.findings, []);
});

/** What a stopped node remembers beside what the made folder does. */
async function remember(folder: string, ...records: readonly JournalRecord[]): Promise<void> {
  const { journal } = orThrow(await openJournal(join(folder, 'data', 'journal')));
  for (const record of records) {
    const { type, payload } = recordToBytes(record);
    journal.append(type, payload);
  }
  await journal.sync();
  await journal.close();
}

/** The journal holds a block right above the chain, and a quorum's votes to finalize it. */
async function rememberFinalAbove(folder: string): Promise<void> {
  const { height, parent, timeMs, checkpoint } = standing.point;
  const fields = { epoch: toEpoch(1), height: toHeight(height + 1), rules: 1, parent, checkpoint, nextSet: null };
  const block = createBlock({ ...fields, timeMs: timeMs + 1_000 }, [], []);
  const proposal = { epoch: toEpoch(1), view: toView(13), parentView: toView(12), digest: block.digest };
  const vote = { type: 'finalize', proposal } as const;
  const signatures = [0, 1, 2].map((i) => ({
    vote,
    signer: toValidatorIndex(i),
    signature: made.votingSigners[i]!.sign(voteSignedBytes(vote, made.ledgerHash)),
  }));
  await remember(folder, { type: 'block', block }, { type: 'certificate', certificate: createCertificate(signatures) });
}

test('a finalized block above that was never executed keeps a node from restarting, at every start', async () => {
  const folder = copyOf('above');
  const document = signedBy(draftOf(7, 'node-3', 'node-4'), ...members);
  orThrow(writeRestartFile(restartPath(join(folder, 'keys'), 1), document));
  assert.equal((await checkNothingAbove(orThrow(readStopped(folder)))).ok, true);
  await rememberFinalAbove(folder);
  const applied = await restartStateIn(folder, document);
  assert.equal(!applied.ok && applied.error.code, 'restart.finalized-above');
  const begun = await checkNothingAbove(orThrow(readStopped(folder)));
  assert.equal(!begun.ok && begun.error.code, 'restart.finalized-above');
});

test('also where a crash has kept the chain from its place, a finalized block above keeps a node from restarting', async () => {
  const folder = copyOf('replaced');
  const document = signedBy(draftOf(7, 'node-3', 'node-4'), ...members);
  orThrow(writeRestartFile(restartPath(join(folder, 'keys'), 1), document));
  await rememberFinalAbove(folder);
  const path = join(folder, 'data', 'chain.db');
  renameSync(path, `${path}.next`);
  const begun = await checkNothingAbove(orThrow(readStopped(folder)));
  assert.equal(!begun.ok && begun.error.code, 'restart.finalized-above');
});

test('a record with a life number that is put back gets another one, and tells that', async () => {
  const folder = copyOf('put-back');
  const life = new Uint8Array(16).fill(7);
  assert.equal(restart(folder, signedBy(draftOf(7, 'node-1'), ...members)), true);
  await remember(folder, { type: 'life', life });
  const mark = { epoch: 2, view: 5, seq: 0, checkpointHeight: 13 };
  const file = orThrow(openSigningMark(join(folder, 'keys', basename(made.markPath))));
  file.write(mark);
  file.close();
  const found = orThrow(await standingOf(folder));
  assert.deepEqual([found.isLost, found.signedEpoch, found.point.epoch], [true, 2, 2]);
  assert.notEqual(toHex(found.life!), toHex(life));
  assert.equal(toHex(orThrow(await standingOf(folder)).life!), toHex(found.life!), 'it is what its journal holds');
});

test('what was signed of a block that the members gave up contradicts nothing', async () => {
  const folder = copyOf('given-up');
  const document = signedBy(draftOf(7, 'node-3', 'node-4'), ...members);
  const chain = orThrow(openChainDb(join(folder, 'data', 'chain.db'), { ledgerHash: made.ledgerHash }));
  const { statement } = originOf(chain, lag).outcomes.at(-1)!;
  chain.close();
  const lost = [13, 14].map((height) => ({
    type: 'own-checkpoint' as const,
    statement: { ...orThrow(decodeCheckpointStatement(statement)), height: toHeight(height) },
  }));
  await remember(folder, ...lost);
  restart(folder, document);
  orThrow(writeRestartFile(restartPath(join(folder, 'keys'), 1), document));
  const audited = orThrow(await auditFolder(folder));
  assert.deepEqual(audited.findings, []);
});

test('the validators of the epoch that ended prove its end like any other', () => {
  const folder = copyOf('proven');
  const document = signedBy(draftOf(7, 'node-3', 'node-4'), ...members);
  restart(folder, document);
  const chain = orThrow(openChainDb(join(folder, 'data', 'chain.db'), { ledgerHash: made.ledgerHash }));
  const { outcomes, previous } = readOrigin(originOf(chain, lag), 'node-1');
  const { statement } = outcomes.at(-1)!;
  assert.deepEqual([statement.epoch, statement.round], [1, 65_535]);
  const { validators } = previous!.set;
  const signatures = [0, 1, 2].map((i) =>
    signCheckpoint(statement, toValidatorIndex(i), validators[i]!, 1_700_000_000, made.checkpointSigners[i]!),
  );
  orThrow(chain.putCertified(13, statement.round, encodeSignatures(signatures)));
  assert.deepEqual(chain.checkpoint(13)!.statement, encodeCheckpointStatement(statement));
  const known = storedEpochs(genesisToAnchor(genesisOf(folder), genesisBytesOf(folder)), chain, sodiumVerifier);
  assert.deepEqual([known.length, isRestarted(known[1]!)], [2, true]);
  chain.close();
});

test('who asks a node sees the epoch that the members began once its document, or a quorum, proves it', () => {
  const folder = copyOf('asked');
  const document = signedBy(draftOf(7, 'node-3', 'node-4'), ...members);
  restart(folder, document);
  const chain = orThrow(openChainDb(join(folder, 'data', 'chain.db'), { ledgerHash: made.ledgerHash }));
  const genesis = genesisOf(folder);
  const options = { genesis, ledgerHash: made.ledgerHash, verifier: sodiumVerifier, store: chain.store };
  const plain = createProvenChain(chain, options);
  assert.equal(plain.epochs.latest()?.epoch, 1, 'nothing proves it yet');
  assert.equal(plain.blockByHeight(12)?.height, 12);
  assert.equal(plain.blockByHeight(13), null);
  const given = createProvenChain(chain, { ...options, restarts: new Map([[1, document]]) });
  assert.equal(given.epochs.latest()?.epoch, 2);
  const other = signedBy(draftOf(8, 'node-3', 'node-4'), ...members);
  const damaged = createProvenChain(chain, { ...options, restarts: new Map([[1, other]]) });
  assert.throws(() => damaged.epochs.latest(), /epoch 2 is not the one that began/);
  chain.close();
});

test('documents lie beside the keys, one for each epoch, and are read at every start', () => {
  const folder = copyOf('files');
  const keysDir = join(folder, 'keys');
  const document = signedBy(draftOf(1, 'node-3'), 'alder');
  orThrow(writeRestartFile(restartPath(keysDir, 1), document));
  assert.deepEqual(orThrow(readRestarts(keysDir, made.ledgerHash)).get(1), document);
  const foreign = readRestarts(keysDir, sha256(Uint8Array.of(1)));
  assert.equal(!foreign.ok && foreign.error.code, 'restart.wrong-ledger');
  orThrow(writeRestartFile(restartPath(keysDir, 2), document));
  const misnamed = readRestarts(keysDir, made.ledgerHash);
  assert.equal(!misnamed.ok && misnamed.error.code, 'restart.malformed');
});

test('a file that cannot be read or written is no bug of ours', async () => {
  const run = (...args: string[]) => restartCommand().parseAsync(args, { from: 'user' });
  const refusal = (code: string) => (cause: unknown) => cause instanceof CommandFailed && cause.error.code === code;
  await assert.rejects(run('draft', dir, '--out', join(dir, 'x')), refusal('usage.unreadable'));
  await assert.rejects(run('show', dir), refusal('restart.unreadable'));
  await assert.rejects(run('prepare', dir, '--out', dir), refusal('restart.unwritable'));
});

test('a node that cannot judge signatures yet takes those that come later', async () => {
  const folder = copyOf('signed-later');
  rmSync(join(folder, 'data', 'chain.db'));
  const path = join(folder, 'given.restart');
  const document = draftOf(1, 'node-3');
  const apply = async (signed: SignedRestart): Promise<string[]> => {
    orThrow(writeRestartFile(path, signed));
    await restartCommand().parseAsync(['apply', folder, path, '--json'], { from: 'user' });
    const kept = orThrow(readRestarts(join(folder, 'keys'), made.ledgerHash)).get(1)!;
    return kept.signatures.map(({ kid }) => toHex(kid));
  };
  const refusal = (code: string) => (cause: unknown) => cause instanceof CommandFailed && cause.error.code === code;
  await assert.rejects(apply(document), refusal('restart.too-few-members'));
  assert.equal((await apply(signedBy(document, 'alder'))).length, 1);
  assert.equal((await apply(signedBy(document, 'alder', 'birch', 'elm'))).length, 3);
  await assert.rejects(apply(signedBy(draftOf(2, 'node-3'), 'alder')), refusal('restart.other-document'));
});

test('the mark begins anew with an epoch of which it knows nothing, and never falls behind one that it knows', () => {
  const document = draftOf(1, 'node-3');
  const restarts = new Map([[1, document]]);
  const set = { epoch: 2, genesis: { height: 13 } };
  const mark = { epoch: 1, view: 30, seq: 4, checkpointHeight: 20 };
  const anew = { epoch: 2, view: 0, seq: 0, checkpointHeight: 13 };
  assert.deepEqual(markAfterRestart(set, restarts, mark, false), anew);
  assert.equal(markAfterRestart(set, restarts, { ...mark, epoch: 2 }, false), null);
  assert.equal(markAfterRestart(set, restarts, mark, true), null, 'a mark that was lost says nothing');
  assert.equal(markAfterRestart({ ...set, epoch: 1 }, restarts, mark, false), null);
  assert.equal(markAfterRestart({ ...set, genesis: { height: 14 } }, restarts, mark, false), null);
});
