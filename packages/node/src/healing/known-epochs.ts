/**
 * The validators of every epoch up to the present one, followed from the genesis over the boundaries (protocol.md section 7).
 *
 * A proof names the set that comes next, signed by a quorum of the one before. Where only the rules changed, the set goes on, and
 * every checkpoint of the epoch would do as such a proof; so those are held against the boundary block as well.
 */
import {
  admitMessage,
  anchorToChain,
  type Block,
  type Certificate,
  type CheckpointSignature,
  type CheckpointStatement,
  createEpochSet,
  type EpochChain,
  type EpochProof,
  type EpochSet,
  epochProofsMax,
  equalBytes,
  followEpochs,
  type Genesis,
  type Hash,
  restartRound,
  setToTrustAnchor,
  sha256,
  sortValidators,
  type TrustAnchor,
  toEpoch,
  toHash,
  toHeight,
  toValidatorIndex,
  type Validator,
  type Verifier,
  validatorSetDigest,
} from '@cairn-ledger/core';
import { noRestarts, type Restarts } from '../restart/restart-files.ts';
import type { ChainDb } from '../storage/chain-db.ts';
import { epochProofsFrom } from '../storage/epoch-proofs.ts';
import { isNothing, isTrue, isWrong, type Peers } from './peers.ts';

/** What a node trusts before it has asked anybody anything. */
export type SyncAnchor = {
  readonly genesis: Genesis;
  readonly ledgerHash: Hash;
  /** A later set, trusted as well: whatever does not lead through it is refused. For a genesis whose keys are old. */
  readonly later?: { readonly epoch: number; readonly setDigest: Hash } | undefined;
  /** Decisions of the members that this node was given: trusted as well. */
  readonly restarts?: Restarts;
};

export type KnownEpoch = {
  readonly epoch: number;
  /** Height of the boundary block of the epoch before; 0 for the first. */
  readonly genesisHeight: number;
  readonly validators: readonly Validator[];
  readonly digest: Hash;
  /** Signed by a quorum of the epoch before; null for the first, and for one that a restart document alone proves. */
  readonly boundary: {
    readonly statement: CheckpointStatement;
    readonly signatures: readonly CheckpointSignature[];
    /** Of the height; null as long as nobody was asked for it. */
    readonly block: BoundaryBlock | null;
  } | null;
};

export type BoundaryBlock = { readonly block: Block; readonly finalization: Certificate };

/** Peers tell histories that exclude each other, each signed by a quorum: nothing a node could decide. */
export class TwoFutures extends Error {
  override name = 'TwoFutures';
}

/** Whether the members have ended the epoch before it: then no quorum has finalized the block that it began from. */
export function isRestarted({ epoch, boundary }: KnownEpoch): boolean {
  return boundary === null ? epoch > 1 : boundary.statement.round === restartRound;
}

/** The epoch that follows by a document that this node was given; null where there is none. */
function restartedAfter({ restarts }: SyncAnchor, { epoch }: KnownEpoch): KnownEpoch | null {
  const given = restarts?.get(epoch)?.restart;
  if (given === undefined) return null;
  const { height, nextSet } = given.block.header;
  return { epoch: epoch + 1, genesisHeight: height, validators: given.validators, digest: nextSet!, boundary: null };
}

/** Answers of at most 16 epochs each, of which each has at least L + 1 heights. */
const roundsMax = 100_000;

export function anchorEpochs({ genesis }: SyncAnchor): KnownEpoch[] {
  const validators = sortValidators(genesis.validators);
  return [{ epoch: 1, genesisHeight: 0, validators, digest: validatorSetDigest(validators), boundary: null }];
}

/**
 * Follows the boundaries that any peer can prove.
 *
 * Throws `TwoFutures`.
 *
 * @returns null when no peer leads as far as to the later set that is trusted
 * @param known what was followed before, beginning with epoch 1
 */
export async function followToPresent(
  anchor: SyncAnchor,
  known: readonly KnownEpoch[],
  peers: Peers,
  verifier: Verifier,
): Promise<KnownEpoch[] | null> {
  let epochs = [...known];
  const { later } = anchor;
  if (later !== undefined && later.epoch > epochs.length) {
    const led = await followToLater(anchor, epochs, later.epoch, peers, verifier);
    if (led === null) return null;
    epochs = led;
  }
  for (let round = 0; round < roundsMax; round++) {
    const from = epochs.at(-1)!;
    // All are heard, the slow ones too: where keys of a quorum have been stolen, one honest peer may be all that shows it.
    const answers = await peers.askAll({ type: 'request-epochs', from: toEpoch(from.epoch) }, (answer) => {
      if (answer.type !== 'epochs') return isNothing;
      const followed = follow(anchor, epochs, answer.proofs, verifier);
      return followed.ok ? isTrue({ epochs: followed.value, proofs: answer.proofs }) : isWrong(followed.error);
    });
    requireOneFuture(anchor, epochs, answers, verifier);
    let longest = epochs;
    for (const [peer, answer] of answers) {
      const confirmed = await confirmRulesChanges(anchor, answer.epochs, epochs.length, peers, verifier);
      if (confirmed.length < answer.epochs.length)
        peers.noteWrong(peer, 'an epoch that did not end is said to have ended');
      if (confirmed.length > longest.length) longest = confirmed;
    }
    const next = longest.length === epochs.length ? restartedAfter(anchor, epochs.at(-1)!) : null;
    if (longest.length === epochs.length && next === null) break;
    epochs = next === null ? longest : [...epochs, next];
  }
  return epochs;
}

/**
 * Up to the later set that is trusted, along one peer after the other, until one leads through it. Whoever has keys of validators of
 * old can make another past of it, and another future that ends elsewhere: neither is an alarm, or keeps anybody from the true one.
 */
async function followToLater(
  anchor: SyncAnchor,
  known: readonly KnownEpoch[],
  laterEpoch: number,
  peers: Peers,
  verifier: Verifier,
): Promise<KnownEpoch[] | null> {
  for (const peer of peers.inOrder()) {
    let epochs = [...known];
    while (epochs.length < laterEpoch) {
      const request = { type: 'request-epochs', from: toEpoch(epochs.length) } as const;
      const answer = await peers.askOne(peer, request, (message) => {
        if (message.type !== 'epochs') return isNothing;
        const followed = follow(anchor, epochs, message.proofs, verifier);
        return followed.ok ? isTrue(followed.value) : isWrong(followed.error);
      });
      if (answer.type !== 'true' || answer.value.length === epochs.length) {
        const next = restartedAfter(anchor, epochs.at(-1)!);
        if (next === null || !requireLater(anchor, [...epochs, next])) break;
        epochs = [...epochs, next];
        continue;
      }
      const confirmed = await confirmRulesChanges(anchor, answer.value, epochs.length, peers, verifier);
      if (confirmed.length === epochs.length) break;
      epochs = confirmed;
    }
    // What comes after it is heard from all, so that two futures show.
    if (epochs.length >= laterEpoch) return epochs.slice(0, laterEpoch);
  }
  return null;
}

function follow(
  anchor: SyncAnchor,
  epochs: readonly KnownEpoch[],
  proofs: readonly EpochProof[],
  verifier: Verifier,
): { ok: true; value: KnownEpoch[] } | { ok: false; error: string } {
  const present = epochs.at(-1)!;
  const followed = followEpochs(chainFrom(anchor, present), proofs, verifier);
  if (!followed.ok) return { ok: false, error: followed.error.message };
  const added = followed.value.proofs.map(({ signatures, validators }, i): KnownEpoch => {
    const { statement } = signatures[0]!;
    return {
      epoch: present.epoch + 1 + i,
      genesisHeight: statement.height,
      validators,
      digest: statement.validatorSet,
      boundary: { statement, signatures, block: null },
    };
  });
  const all = [...epochs, ...added];
  const ascends = all.every((each, i) => i === 0 || each.genesisHeight > all[i - 1]!.genesisHeight);
  if (!ascends) return { ok: false, error: 'the boundaries of its epochs do not ascend' };
  if (!added.every((each) => isAsDecided(anchor, each)))
    return { ok: false, error: 'an epoch ends otherwise than the members have decided' };
  return requireLater(anchor, all)
    ? { ok: true, value: all }
    : { ok: false, error: 'it leads past the validator set that is trusted' };
}

function isAsDecided({ restarts }: SyncAnchor, { epoch, genesisHeight, digest }: KnownEpoch): boolean {
  const header = restarts?.get(epoch - 1)?.restart.block.header;
  return header === undefined || (header.height === genesisHeight && equalBytes(header.nextSet!, digest));
}

function chainFrom({ ledgerHash }: SyncAnchor, { epoch, validators, boundary }: KnownEpoch): EpochChain {
  const seconds = boundary?.signatures[0]?.issuedSeconds ?? 0;
  return anchorToChain(setToTrustAnchor(ledgerHash, toEpoch(epoch), validators, seconds));
}

function requireLater({ later }: SyncAnchor, epochs: readonly KnownEpoch[]): boolean {
  const own = later === undefined ? undefined : epochs[later.epoch - 1];
  return own === undefined || equalBytes(own.digest, later!.setDigest);
}

/** The epochs that a stored chain can prove itself; those above, whose boundary is not certified yet, are left out. */
export function storedEpochs(anchor: SyncAnchor, chain: ChainDb, verifier: Verifier): KnownEpoch[] {
  let epochs = anchorEpochs(anchor);
  for (;;) {
    const proofs = epochProofsFrom(chain, epochs.length, epochProofsMax);
    const followed = proofs.length === 0 ? null : follow(anchor, epochs, proofs, verifier);
    if (followed?.ok && followed.value.length > epochs.length) {
      epochs = followed.value;
      continue;
    }
    const next = chain.epochs.of(epochs.length + 1) === null ? null : restartedAfter(anchor, epochs.at(-1)!);
    if (next === null) return epochs;
    epochs = [...epochs, next];
  }
}

/** Every proof of every peer verified; together they must tell one future. */
function requireOneFuture(
  anchor: SyncAnchor,
  epochs: readonly KnownEpoch[],
  answers: ReadonlyMap<string, { readonly proofs: readonly EpochProof[] }>,
  verifier: Verifier,
): void {
  let chain = chainFrom(anchor, epochs.at(-1)!);
  for (const { proofs } of answers.values()) {
    const followed = followEpochs(chain, proofs, verifier);
    if (!followed.ok && followed.error.code === 'anchor.two-futures') throw new TwoFutures(followed.error.message);
    if (followed.ok) chain = followed.value;
  }
}

/** The epochs up to the first one that is said to have gone over into the same set, and has no boundary block to show. */
async function confirmRulesChanges(
  anchor: SyncAnchor,
  epochs: readonly KnownEpoch[],
  confirmedCount: number,
  peers: Peers,
  verifier: Verifier,
): Promise<KnownEpoch[]> {
  const confirmed = [...epochs];
  for (let i = confirmedCount; i < epochs.length; i++) {
    const { epoch, digest, boundary } = epochs[i]!;
    if (!equalBytes(digest, epochs[i - 1]!.digest) || isRestarted(epochs[i]!)) continue;
    const block = await fetchBoundary(anchor, epochs, epoch, peers, verifier);
    if (block === null) return confirmed.slice(0, i);
    confirmed[i] = { ...epochs[i]!, boundary: { ...boundary!, block } };
  }
  return confirmed;
}

/** The block that an epoch above the first began from, proven by its finalization; null when no peer has it. */
export async function fetchBoundary(
  { ledgerHash }: SyncAnchor,
  epochs: readonly KnownEpoch[],
  epoch: number,
  peers: Peers,
  verifier: Verifier,
): Promise<BoundaryBlock | null> {
  const begun = epochs[epoch - 1]!;
  const before = epochs[epoch - 2]!;
  const finalization = await peers.askAny({ type: 'request-boundary', epoch: toEpoch(before.epoch) }, (answer) => {
    if (answer.type !== 'certificate' || answer.certificate.vote.type !== 'finalize') return isNothing;
    const admitted = admitMessage(answer, toValidatorIndex(0), epochToSet(before), ledgerHash, verifier);
    return admitted.ok ? isTrue(answer.certificate) : isWrong(admitted.error.message);
  });
  if (finalization === null || finalization.vote.type !== 'finalize') return null;
  const block = await fetchBlock(finalization.vote.proposal.digest, peers);
  if (block === null) return null;
  const { height, nextSet } = block.header;
  const isBoundary = height === begun.genesisHeight && nextSet !== null && equalBytes(nextSet, begun.digest);
  return isBoundary ? { block, finalization } : null;
}

/** A block by its digest, whoever has it. */
export function fetchBlock(digest: Hash, peers: Peers): Promise<Block | null> {
  return peers.askAny({ type: 'request-block', digest }, (answer) => {
    if (answer.type !== 'block') return isNothing;
    return equalBytes(answer.block.digest, digest) ? isTrue(answer.block) : isWrong('another block than was asked for');
  });
}

/** The epoch that the block of a height is of. */
export function epochOfHeight(epochs: readonly KnownEpoch[], height: number): KnownEpoch {
  let found = epochs[0]!;
  for (const each of epochs) if (each.genesisHeight < height) found = each;
  return found;
}

/** For checking signatures: the block it began from and its rules are left open. */
export function epochToSet({ epoch, genesisHeight, validators, digest }: KnownEpoch): EpochSet {
  const genesis = { digest: toHash(new Uint8Array(32)), height: toHeight(genesisHeight), timeMs: 0 };
  return createEpochSet(toEpoch(epoch), validators, digest, genesis, 0);
}

/** @param later an anchor that is trusted as well; null: the genesis alone */
export function genesisToAnchor(
  genesis: Genesis,
  genesisBytes: Uint8Array,
  later: TrustAnchor | null = null,
  restarts: Restarts = noRestarts,
): SyncAnchor {
  const anchor = { genesis, ledgerHash: sha256(genesisBytes), restarts };
  return later === null ? anchor : { ...anchor, later: { epoch: later.epoch, setDigest: later.setDigest } };
}
