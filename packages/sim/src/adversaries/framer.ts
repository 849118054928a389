/**
 * Framer: accuses honest nodes. Its proofs of fault are made of true signatures that prove nothing (Notarize with Nullify,
 * one vote twice, two views, two validators), of true ones beside forged ones, and of its own in another's name.
 *
 * Wants an honest node to be held for faulty: sooner or later removed, and its batches not waited for. Stopped by the door
 * (section 6): both parts are the accused's own, signed with its present keys, and contradict each other by the list of
 * what no honest node signs.
 */
import {
  type FaultProof,
  type Message,
  type SignedVote,
  sha256,
  toEpoch,
  toValidatorIndex,
  type Vote,
  viewOfVote,
} from '@cairn-ledger/core';
import { type Adversary, type AdversaryParts, pickPeer, Recent, signVote } from './adversary.ts';

type SignedBatchHeader = Extract<FaultProof, { type: 'batches' }>['first'];

/** Votes and batches remembered. */
const rememberedMax = 256;

export function createFramer(parts: AdversaryParts): Adversary {
  const { random } = parts;
  const votes = new Recent<SignedVote>(rememberedMax);
  const batches = new Recent<SignedBatchHeader>(64);
  return {
    name: 'framer',
    hear: (message: Message) => {
      if (message.type === 'vote' || message.type === 'proposal') votes.add(message.vote);
      if (message.type === 'batch') batches.add(message.batch);
      if (message.type !== 'certificate') return;
      const { vote, signers, signatures } = message.certificate;
      signers.forEach((signer, i) => {
        votes.add({ vote, signer, signature: signatures[i]! });
      });
    },
    rewrite: (message) => [message],
    speak: () => {
      const proof = random.chance(0.8) ? frameByVotes(votes, parts) : frameByBatches(batches, parts);
      return proof === null ? [] : [{ to: pickPeer(parts), message: { type: 'evidence', proof } }];
    },
  };
}

function frameByVotes(votes: Recent<SignedVote>, parts: AdversaryParts): FaultProof | null {
  const { random } = parts;
  const first = votes.pick(random);
  if (first === null) return null;
  const accused = first.signer;
  const ofAccused = votes.all().filter(({ signer }) => signer === accused);
  const sameView = ofAccused.filter(({ vote }) => viewOfVote(vote) === viewOfVote(first.vote));
  const forged = contradictionOf(first.vote);
  switch (random.integer(0, 4)) {
    case 0:
      // Whatever the accused has really signed in this view: Notarize with Nullify, Notarize with Finalize, twice the same.
      return { type: 'votes', accused, first, second: random.pick(sameView) };
    case 1:
      return { type: 'votes', accused, first, second: random.pick(ofAccused) };
    case 2:
      return { type: 'votes', accused, first, second: { ...first, vote: forged } };
    case 3: {
      const { signature } = signVote(parts, forged);
      return { type: 'votes', accused, first, second: { vote: forged, signer: accused, signature } };
    }
    default: {
      const second = random.pick(votes.all());
      return { type: 'votes', accused, first, second: random.chance(0.5) ? second : { ...second, signer: accused } };
    }
  }
}

/** What the same validator must not sign in the same view. */
function contradictionOf(vote: Vote): Vote {
  if (vote.type === 'finalize') return { type: 'nullify', epoch: toEpoch(1), view: viewOfVote(vote) };
  if (vote.type === 'nullify') {
    const view = viewOfVote(vote);
    const parentView = (view - 1) as typeof view;
    return { type: 'finalize', proposal: { epoch: vote.epoch, view, parentView, digest: sha256(Uint8Array.of(1)) } };
  }
  return { ...vote, proposal: { ...vote.proposal, digest: sha256(vote.proposal.digest) } };
}

function frameByBatches(batches: Recent<SignedBatchHeader>, { random }: AdversaryParts): FaultProof | null {
  const first = batches.pick(random);
  const second = batches.pick(random);
  if (first === null || second === null) return null;
  const { header, headerBytes } = first;
  const accused = toValidatorIndex(header.author);
  const isForged = random.chance(0.3);
  return isForged
    ? { type: 'batches', accused, first, second: { header, headerBytes, signature: second.signature } }
    : { type: 'batches', accused, first, second };
}
