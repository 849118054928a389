/** What comes in is checked here or nowhere: signatures, signers, quorums, links (protocol.md R8). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeCbor } from '../../bytes/cbor.ts';
import { sha256 } from '../../crypto/hash.ts';
import { keyId } from '../../crypto/keys.ts';
import { signedBytes } from '../../crypto/sealed.ts';
import type { Signer, Verifier } from '../../crypto/verifier.ts';
import { signBatch } from '../../model/batch.ts';
import { toEpoch, toHeight, toValidatorIndex, toView } from '../../model/brands.ts';
import { type Certificate, certificateToCbor, createCertificate, decodeCertificate } from '../../model/certificate.ts';
import { signCheckpoint } from '../../model/checkpoint-signature.ts';
import { decodeMessage, encodeMessage, type Message } from '../../model/message.ts';
import { type SignedVote, type Vote, voteSignedBytes } from '../../model/vote.ts';
import { ok } from '../../result.ts';
import {
  batchOf,
  blockOn,
  checkpointOf,
  genesisOutcome,
  genesisTip,
  ledgerHash,
  proposalOf,
  setOf,
} from '../testing/hand.ts';
import { admitMessage } from './door.ts';

const set = setOf(4);
let verifications = 0;
/** A signature is two hashes over key and message: enough to see what is bound. */
const verifier: Verifier = {
  id: 'test',
  verify: (_algorithm, publicKey, message, signature) => {
    verifications++;
    return signature.every((byte, i) => byte === signatureOf(publicKey, message)[i]);
  },
  checkPublicKey: () => ok(undefined),
};

function signatureOf(publicKey: Uint8Array, message: Uint8Array): Uint8Array {
  const digest = sha256(encodeCbor([publicKey, message]));
  return Uint8Array.of(...digest, ...digest);
}

function vote(signer: number, vote: Vote, hash = ledgerHash): SignedVote {
  const { votingKey } = set.validators[signer]!;
  return { vote, signer: toValidatorIndex(signer), signature: signatureOf(votingKey, voteSignedBytes(vote, hash)) };
}

const first = blockOn(genesisTip);
const notarizeVote: Vote = { type: 'notarize', proposal: proposalOf(1, 0, first) };
const nullifyVote: Vote = { type: 'nullify', epoch: toEpoch(1), view: toView(1) };
const certificate = (signers: readonly number[], about: Vote = nullifyVote): Certificate =>
  createCertificate(signers.map((signer) => vote(signer, about)));

function codeOf(message: Message, from = 1): string {
  const admitted = admitMessage(message, toValidatorIndex(from), set, ledgerHash, verifier);
  return admitted.ok ? 'ok' : admitted.error.code;
}

test('a vote passes with a good signature, on the link of its signer', () => {
  assert.equal(codeOf({ type: 'vote', vote: vote(1, nullifyVote), entry: null }), 'ok');
  assert.equal(codeOf({ type: 'proposal', vote: vote(2, notarizeVote), block: first }, 2), 'ok');
});

test("a vote on a link that is not its signer's is refused before its signature is checked", () => {
  verifications = 0;
  assert.equal(codeOf({ type: 'vote', vote: vote(2, nullifyVote), entry: null }, 1), 'message.wrong-link');
  assert.equal(codeOf({ type: 'proposal', vote: vote(2, notarizeVote), block: first }, 1), 'message.wrong-link');
  assert.equal(verifications, 0);
});

test('a vote of no validator, or of another epoch, is refused', () => {
  assert.equal(
    codeOf({ type: 'vote', vote: { ...vote(1, nullifyVote), signer: toValidatorIndex(9) }, entry: null }, 9),
    'message.unknown-signer',
  );
  const later: Vote = { ...nullifyVote, epoch: toEpoch(2) };
  assert.equal(codeOf({ type: 'vote', vote: vote(1, later), entry: null }), 'message.unknown-signer');
});

test('a signature for another vote, kind or ledger does not hold', () => {
  const good = vote(1, nullifyVote);
  const finalizeVote: Vote = { type: 'finalize', proposal: proposalOf(1, 0, first) };
  const bad: SignedVote[] = [
    { ...good, vote: { ...nullifyVote, view: toView(2) } },
    { ...vote(1, notarizeVote), vote: finalizeVote },
    vote(1, nullifyVote, first.digest),
    { ...good, signature: good.signature.map((byte, i) => (i === 5 ? byte ^ 1 : byte)) },
  ];
  for (const each of bad) assert.equal(codeOf({ type: 'vote', vote: each, entry: null }), 'message.bad-signature');
});

test('a certificate needs a quorum of different signers, and may come from anybody', () => {
  assert.equal(codeOf({ type: 'certificate', certificate: certificate([0, 2, 3]) }), 'ok');
  assert.equal(codeOf({ type: 'certificate', certificate: certificate([2, 3]) }), 'message.too-few-signers');
});

test('a certificate with one bad row, an unknown signer, or of another epoch is refused', () => {
  const good = certificate([0, 2, 3]);
  const signatures = [good.signatures[0]!, good.signatures[2]!, good.signatures[1]!];
  assert.equal(codeOf({ type: 'certificate', certificate: { ...good, signatures } }), 'message.bad-signature');
  const strange = { ...good, signers: [0, 2, 77].map(toValidatorIndex) };
  assert.equal(codeOf({ type: 'certificate', certificate: strange }), 'message.unknown-signer');
  const old = certificate([0, 2, 3], { ...nullifyVote, epoch: toEpoch(2) });
  assert.equal(codeOf({ type: 'certificate', certificate: old }), 'message.unknown-signer');
});

test('duplicate signers can not be written: a bitmap has one bit for each, and as many signatures are needed', () => {
  const good = certificate([0, 2, 3]);
  const twice = { ...good, signers: [0, 2, 2].map(toValidatorIndex) };
  assert.equal(decodeMessage(encodeMessage({ type: 'certificate', certificate: twice })).ok, false);
});

test('a bitmap with trailing zeros, longer than any set, or unlike the signatures is refused', () => {
  const [kind, statement, bitmap, signatures] = certificateToCbor(certificate([0, 2, 3])) as [
    number,
    Uint8Array,
    Uint8Array,
    Uint8Array[],
  ];
  assert.ok(decodeCertificate(encodeCbor([kind, statement, bitmap, signatures])).ok);
  const isRefused = (bits: Uint8Array, rows = signatures) =>
    !decodeCertificate(encodeCbor([kind, statement, bits, rows])).ok;
  assert.ok(isRefused(Uint8Array.of(...bitmap, 0)));
  assert.ok(isRefused(new Uint8Array(40).fill(255)));
  assert.ok(isRefused(Uint8Array.of(0b1111)));
  assert.ok(isRefused(new Uint8Array(0)));
  assert.ok(isRefused(bitmap, signatures.slice(1)));
});

test('the entry certificate of a nullify is checked with it', () => {
  const later: Vote = { ...nullifyVote, view: toView(2) };
  assert.equal(codeOf({ type: 'vote', vote: vote(1, later), entry: certificate([0, 2, 3]) }), 'ok');
  assert.equal(codeOf({ type: 'vote', vote: vote(1, later), entry: certificate([0, 2]) }), 'message.too-few-signers');
  const forged = { ...certificate([0, 2, 3]), vote: { ...nullifyVote, view: toView(9) } };
  assert.equal(codeOf({ type: 'vote', vote: vote(1, later), entry: forged }), 'message.bad-signature');
});

test('a batch passes with the signature of its author, whoever sends it', () => {
  const unsigned = batchOf(3, 1);
  const { votingKey } = set.validators[3]!;
  const batch = signBatch(unsigned, signatureOf(votingKey, signedBytes('batch', ledgerHash, unsigned.headerBytes)));
  assert.equal(codeOf({ type: 'batch', batch }, 1), 'ok');
  assert.equal(codeOf({ type: 'batch', batch: unsigned }, 3), 'message.bad-signature');
  assert.equal(codeOf({ type: 'batch', batch: batchOf(7, 1) }), 'message.unknown-signer');
  assert.equal(codeOf({ type: 'batch', batch: batchOf(1, 1, { epoch: 2 }) }), 'message.unknown-signer');
});

test('a checkpoint signature is checked with the checkpoint key of its signer', () => {
  const { statement } = genesisOutcome();
  const validator = set.validators[2]!;
  const signerWith = (publicKey: Uint8Array): Signer => ({
    algorithm: 'ed25519',
    publicKey,
    kid: keyId('ed25519', publicKey),
    sign: (message) => signatureOf(publicKey, message),
  });
  const good = signCheckpoint(statement, toValidatorIndex(2), validator, 7, signerWith(validator.checkpointKey));
  const byVotingKey = signCheckpoint(statement, toValidatorIndex(2), validator, 7, signerWith(validator.votingKey));
  assert.equal(codeOf({ type: 'checkpoint-signatures', signatures: [good] }), 'ok');
  assert.equal(codeOf({ type: 'checkpoint-signatures', signatures: [good, byVotingKey] }), 'message.bad-signature');
  const stranger = { ...good, signer: toValidatorIndex(9) };
  assert.equal(codeOf({ type: 'checkpoint-signatures', signatures: [stranger] }), 'message.unknown-signer');
  assert.equal(
    codeOf({ type: 'checkpoint-signatures', signatures: [{ ...good, issuedSeconds: 8 }] }),
    'message.bad-signature',
  );
});

test('a page of the chain passes with a finalization by a quorum', () => {
  const about: Vote = { type: 'finalize', proposal: proposalOf(1, 0, first) };
  assert.equal(codeOf({ type: 'chain', blocks: [first], finalization: certificate([0, 1, 2], about) }), 'ok');
  assert.equal(
    codeOf({ type: 'chain', blocks: [first], finalization: certificate([0, 1], about) }),
    'message.too-few-signers',
  );
});

test('what a Status shows its receiver of its own is checked like anything else', () => {
  const shown = batchOf(3, 1);
  const { votingKey } = set.validators[3]!;
  const batch = signBatch(shown, signatureOf(votingKey, signedBytes('batch', ledgerHash, shown.headerBytes)));
  const status = (changes: Partial<Extract<Message, { type: 'status' }>>): Message => ({
    type: 'status',
    epoch: toEpoch(1),
    view: toView(2),
    lastFinalized: toView(0),
    height: toHeight(0),
    asks: false,
    finalization: null,
    recall: { votes: [vote(2, nullifyVote), vote(2, notarizeVote)], batch },
    ...changes,
  });
  const about: Vote = { type: 'finalize', proposal: proposalOf(1, 0, first) };
  assert.equal(codeOf(status({})), 'ok');
  assert.equal(codeOf(status({ recall: null, finalization: certificate([0, 1, 2], about) })), 'ok');
  assert.equal(codeOf(status({ finalization: certificate([0, 1], about) })), 'message.too-few-signers');
  const withVote = (signed: SignedVote): Message =>
    status({ recall: { votes: [vote(2, nullifyVote), signed], batch: null } });
  assert.equal(codeOf(withVote(vote(2, notarizeVote, first.digest))), 'message.bad-signature');
  assert.equal(codeOf(withVote(vote(2, { ...nullifyVote, epoch: toEpoch(2) }))), 'message.unknown-signer');
  const withBatch = (other: typeof batch): Message => status({ recall: { votes: [], batch: other } });
  assert.equal(codeOf(withBatch(batch)), 'ok');
  assert.equal(codeOf(withBatch(shown)), 'message.bad-signature', 'nobody signed it');
  assert.equal(codeOf(withBatch(batchOf(7, 1))), 'message.unknown-signer');
  assert.equal(codeOf(withBatch(batchOf(1, 1, { epoch: 2 }))), 'message.unknown-signer');
});

test('requests carry nothing to forge', () => {
  assert.equal(codeOf({ type: 'request-block', digest: first.digest }), 'ok');
  assert.equal(codeOf({ type: 'acknowledgement', epoch: toEpoch(1), rows: [] }), 'ok');
});

test('a proof of fault passes from anybody, with both signatures and a contradiction, of a validator of this epoch', () => {
  const proof = (accused: number, first: SignedVote, second: SignedVote): Message => ({
    type: 'evidence',
    proof: { type: 'votes', accused: toValidatorIndex(accused), first, second },
  });
  const finalizeVote: Vote = { type: 'finalize', proposal: proposalOf(1, 0, first) };
  const [a, b] = [vote(2, nullifyVote), vote(2, finalizeVote)];
  assert.equal(codeOf(proof(2, a, b), 3), 'ok');
  assert.equal(codeOf(proof(2, a, { ...b, signature: a.signature })), 'message.bad-signature');
  assert.equal(codeOf(proof(2, a, vote(2, notarizeVote))), 'message.malformed', 'Notarize with Nullify proves nothing');
  assert.equal(codeOf(proof(1, a, b)), 'message.malformed', 'the votes are of another validator');
  assert.equal(codeOf(proof(9, vote(3, nullifyVote), b)), 'message.unknown-signer');
  const later = { ...nullifyVote, epoch: toEpoch(2) };
  const laterFinalize: Vote = { type: 'finalize', proposal: { ...proposalOf(1, 0, first), epoch: toEpoch(2) } };
  assert.equal(codeOf(proof(2, vote(2, later), vote(2, laterFinalize))), 'message.unknown-signer');
});

test('a proof of two batches, or of two checkpoints, needs the signatures of the accused on both', () => {
  const batch = (text: string) => {
    const unsigned = batchOf(2, 1, { text });
    const message = signedBytes('batch', ledgerHash, unsigned.headerBytes);
    return signBatch(unsigned, signatureOf(set.validators[2]!.votingKey, message));
  };
  const accused = toValidatorIndex(2);
  const batches = { type: 'batches', accused, first: batch('one'), second: batch('two') } as const;
  assert.equal(codeOf({ type: 'evidence', proof: batches }), 'ok');
  const unsigned = { ...batches, second: batchOf(2, 1, { text: 'two' }) };
  assert.equal(codeOf({ type: 'evidence', proof: unsigned }), 'message.bad-signature');

  const { statement } = genesisOutcome();
  const signer = { sign: (message: Uint8Array) => signatureOf(set.validators[2]!.checkpointKey, message) } as Signer;
  const checkpoint = (historySize: number, hash = ledgerHash) =>
    signCheckpoint({ ...statement, ledgerHash: hash, historySize }, accused, set.validators[2]!, 1, signer);
  const checkpoints = { type: 'checkpoints', accused, first: checkpoint(2), second: checkpoint(3) } as const;
  assert.equal(codeOf({ type: 'evidence', proof: checkpoints }), 'ok');
  const stray = sha256(Uint8Array.of(9));
  const elsewhere = { ...checkpoints, first: checkpoint(2, stray), second: checkpoint(3, stray) };
  assert.equal(codeOf({ type: 'evidence', proof: elsewhere }), 'message.unknown-signer');
  const forged = { ...checkpoints, second: { ...checkpoints.second, signature: checkpoints.first.signature } };
  assert.equal(codeOf({ type: 'evidence', proof: forged }), 'message.bad-signature');
});

test('a proof of two batches, or of two checkpoints, of another epoch is not of this set', () => {
  const accused = toValidatorIndex(2);
  const [first, second] = ['one', 'two'].map((text) => batchOf(2, 1, { text, epoch: 2 })) as [
    ReturnType<typeof batchOf>,
    ReturnType<typeof batchOf>,
  ];
  assert.equal(
    codeOf({ type: 'evidence', proof: { type: 'batches', accused, first, second } }),
    'message.unknown-signer',
  );
  const { statement } = genesisOutcome();
  const later = (historySize: number) => checkpointOf(2, { ...statement, epoch: toEpoch(2), historySize });
  const checkpoints = { type: 'checkpoints', accused, first: later(2), second: later(3) } as const;
  assert.equal(codeOf({ type: 'evidence', proof: checkpoints }), 'message.unknown-signer');
});
