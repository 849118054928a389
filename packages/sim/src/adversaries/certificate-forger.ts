/**
 * Certificate forger: builds certificates that are none, out of what it heard: 2f or fewer signers, one signer more than
 * once, signatures of another statement or of another kind of vote, of another epoch, of validators that do not exist, its
 * own signature in everybody's name.
 *
 * Wants one node to enter a view, certify or finalize without a quorum. Stopped by the door (section 6): distinct signers
 * of this epoch, a quorum of them, and a valid signature of each over kind, ledger and statement.
 */
import {
  type Certificate,
  createCertificate,
  type Message,
  type Proposal,
  type SignedVote,
  sha256,
  toEpoch,
  toValidatorIndex,
  toView,
  type Vote,
  viewOfVote,
} from '@cairn-ledger/core';
import { type Adversary, type AdversaryParts, pickPeer, quorumOf, Recent, type Spoken, signVote } from './adversary.ts';

/** Votes and certificates remembered. */
const rememberedMax = 256;

export function createCertificateForger(parts: AdversaryParts): Adversary {
  const { random } = parts;
  const votes = new Recent<SignedVote>(rememberedMax);
  const certificates = new Recent<Certificate>(32);
  const hear = (message: Message): void => {
    if (message.type === 'vote' || message.type === 'proposal') votes.add(message.vote);
    if (message.type === 'certificate') certificates.add(message.certificate);
    if (message.type === 'vote' && message.entry !== null) certificates.add(message.entry);
  };
  const speak = (): Spoken[] => {
    const newest = votes.last();
    if (newest === null) return [];
    const forged = forge(random.integer(0, 6), newest, votes, certificates, parts);
    return forged === null ? [] : [{ to: pickPeer(parts), message: wrapped(forged, parts) }];
  };
  return { name: 'certificate-forger', hear, rewrite: (message) => [message], speak };
}

/** Alone, as the entry of a vote, or at the end of a page of the chain. */
function wrapped(certificate: Certificate, parts: AdversaryParts): Message {
  const { random } = parts;
  if (random.chance(0.6)) return { type: 'certificate', certificate };
  const nullify: Vote = { type: 'nullify', epoch: toEpoch(1), view: toView(viewOfVote(certificate.vote) + 1) };
  return { type: 'vote', vote: signVote(parts, nullify), entry: certificate };
}

function forge(
  way: number,
  newest: SignedVote,
  votes: Recent<SignedVote>,
  certificates: Recent<Certificate>,
  parts: AdversaryParts,
): Certificate | null {
  const { nodesCount, random, self } = parts;
  const quorum = quorumOf(parts);
  const everybody = Array.from({ length: nodesCount }, (_, i) => toValidatorIndex(i));
  const mine = (vote: Vote, signers = everybody.slice(0, quorum)): Certificate => {
    const { signature } = signVote(parts, vote);
    return { vote, signers, signatures: signers.map(() => signature) };
  };
  switch (way) {
    case 0: {
      // All true, one too few.
      const equal = new Map<number, SignedVote>();
      const { vote } = newest;
      for (const other of votes.all()) if (sameStatement(other.vote, vote)) equal.set(other.signer, other);
      equal.set(self, signVote(parts, vote));
      return createCertificate([...equal.values()].slice(0, quorum - 1));
    }
    case 1: {
      // The same true row several times, as far as a bitmap lets one.
      const held = certificates.pick(random);
      if (held === null) return null;
      return { ...held, signatures: held.signatures.map(() => held.signatures[0]!) };
    }
    case 2: {
      // What was signed in another view, or for another block.
      const held = certificates.pick(random);
      return held === null ? null : { ...held, vote: newest.vote };
    }
    case 3: {
      // Notarized, said to be finalized; nullified, said to be notarized.
      const held = certificates.pick(random);
      if (held === null) return null;
      if (held.vote.type === 'nullify') return mine({ type: 'notarize', proposal: inventProposal(newest.vote) });
      const type = held.vote.type === 'notarize' ? 'finalize' : 'notarize';
      return { ...held, vote: { type, proposal: held.vote.proposal } };
    }
    case 4: {
      const { vote } = newest;
      const epoch = toEpoch(2);
      return mine(vote.type === 'nullify' ? { ...vote, epoch } : { ...vote, proposal: { ...vote.proposal, epoch } });
    }
    case 5:
      return mine({ type: 'finalize', proposal: inventProposal(newest.vote) });
    default:
      return mine(newest.vote, [...everybody.slice(0, quorum - 1), toValidatorIndex(nodesCount)]);
  }
}

function sameStatement(a: Vote, b: Vote): boolean {
  if (a.type !== b.type || viewOfVote(a) !== viewOfVote(b)) return false;
  return a.type === 'nullify' || b.type === 'nullify' || String(a.proposal.digest) === String(b.proposal.digest);
}

function inventProposal(vote: Vote): Proposal {
  const view = toView(viewOfVote(vote) + 1);
  const digest = vote.type === 'nullify' ? sha256(Uint8Array.of(view)) : sha256(vote.proposal.digest);
  return { epoch: toEpoch(1), view, parentView: toView(view - 1), digest };
}
