/**
 * Certified checkpoints (protocol.md section 4): every validator signs the outcome of each height once; a quorum of equal
 * statements certifies it. No new block at h is notarized before h - L is certified here.
 *
 * A certified statement that equals the own result certifies all lower heights for this node too: the history root binds
 * every accepted transaction before it. So a node that catches up needs one certified checkpoint, not one for each height.
 *
 * Statements are compared, never signature bytes or headers that may vary.
 *
 * The heights of an epoch are signed by its validators, also those executed after its boundary. So for heights up to the
 * genesis of the present epoch the set of the epoch before signs, and its members go on signing until these are certified.
 * The signatures of the boundary itself are asked for until a quorum of them is held: they prove to anybody who comes next.
 */
import { equalBytes, toHex } from '../../bytes/hex.ts';
import { type Hash, type Height, toHeight, type ValidatorIndex } from '../../model/brands.ts';
import { checkpointDigest } from '../../model/checkpoint.ts';
import type { CheckpointSignature } from '../../model/checkpoint-signature.ts';
import type { EpochTarget } from '../../model/epoch-target.ts';
import { retryMs } from '../constants.ts';
import type { ReplicaContext } from '../context.ts';
import type { Outcome } from '../effects.ts';
import { type EpochSet, indexIn } from '../epochs/epoch.ts';

type Tally = {
  /** The first signature of each validator. */
  readonly bySigner: Map<ValidatorIndex, { readonly signature: CheckpointSignature; readonly digest: string }>;
};

type Own = { readonly outcome: Outcome; readonly digest: Hash; readonly name: string };

/** Heights right above the own executed one for which every signature is kept: they come next. */
const heightsNear = 32;
/** Above those, of each validator, the newest so many: a node far behind needs one certified height, not all of them. */
const farHeightsMax = 8;
/** No signature is kept for a height so far above the own executed one. */
const heightsAheadMax = 1 << 20;
/** Signatures in one message. */
const signaturesPerMessage = 64;
/** Certified heights for which signatures are kept, to answer peers at once. */
const heightsKept = 32;

export class Checkpoints {
  readonly #context: ReplicaContext;
  readonly #tallies = new Map<Height, Tally>();
  readonly #own = new Map<Height, Own>();
  /** Highest height each validator has signed, as far as seen. */
  readonly #signedHeights: Height[];
  /** A certified statement above the own results: compared when this node gets there. */
  readonly #certifiedAhead = new Map<Height, string>();
  certifiedHeight: Height;
  #executedHeight: Height;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #resentAtMs = Number.NEGATIVE_INFINITY;
  isDiverged = false;
  /** The height where the epoch before ended, while a quorum's signatures of it are not held. */
  #owedHeight: Height | null;

  /**
   * @param recent own statements of the last heights executed before this start, at least L + 1 of them or all
   * @param certifiedHeight highest height known as certified, at least genesis
   */
  constructor(context: ReplicaContext, recent: readonly Outcome[], certifiedHeight: Height) {
    this.#context = context;
    this.#signedHeights = context.set.validators.map(() => toHeight(0));
    this.certifiedHeight = certifiedHeight;
    this.#executedHeight = toHeight(0);
    this.#owedHeight = context.previous === null || context.previous.isCertified ? null : context.set.genesis.height;
    for (const outcome of recent) this.#noteOwn(outcome);
  }

  /** The set whose validators sign a height. */
  #setOf(height: Height): EpochSet {
    const { set, previous } = this.#context;
    return previous !== null && height <= set.genesis.height ? previous.set : set;
  }

  /** This node's place among those who sign a height; null where it is none of them. */
  #selfAt(height: Height): ValidatorIndex | null {
    const { set, self, selfId } = this.#context;
    const signers = this.#setOf(height);
    if (signers !== set) return indexIn(signers, selfId);
    return self < set.validators.length ? self : null;
  }

  /** Where this node does not know whether the ledger's wish of a height is its own: null. */
  targetAt(height: Height): EpochTarget | null {
    return this.#own.get(height)?.outcome.target ?? null;
  }

  /** What the ledger wants after the highest height executed here. */
  get latestTarget(): EpochTarget | null {
    return this.targetAt(this.#executedHeight);
  }

  /** Heights of which signatures are held. */
  get heightsHeld(): number {
    return this.#tallies.size;
  }

  /** Digest of the checkpoint at a height if it is certified for this node; null otherwise. */
  certifiedDigest(height: Height): Hash | null {
    if (height > this.certifiedHeight) return null;
    return this.#own.get(height)?.digest ?? null;
  }

  /** Highest height a validator is known to have executed. */
  signedHeight(validator: ValidatorIndex): Height {
    return this.#signedHeights[validator]!;
  }

  /** The own result of a height: signed once, compared with what others certified. */
  onExecuted(outcome: Outcome): void {
    const { statement } = outcome;
    this.#noteOwn(outcome);
    const ahead = this.#certifiedAhead.get(statement.height);
    this.#certifiedAhead.delete(statement.height);
    if (ahead !== undefined && ahead !== this.#own.get(statement.height)!.name) {
      this.#diverge(statement.height);
      return;
    }
    this.#sign(outcome);
    this.#certify(statement.height);
  }

  #sign(outcome: Outcome): void {
    if (this.#context.maySignCheckpoints && this.#selfAt(outcome.statement.height) !== null)
      this.#context.emit({ type: 'sign-checkpoint', outcome, isResend: false });
  }

  #noteOwn(outcome: Outcome): void {
    const { statement } = outcome;
    const digest = checkpointDigest(statement);
    this.#own.set(statement.height, { outcome, digest, name: toHex(digest) });
    if (statement.height > this.#executedHeight) this.#executedHeight = statement.height;
    const kept = this.#executedHeight - Math.max(heightsKept, this.#context.constants.checkpointLag + 1);
    for (const height of this.#own.keys())
      if (height < kept && height < this.certifiedHeight && height !== this.#owedHeight) this.#own.delete(height);
    // Far below the executed height nobody waits for signatures: a higher certified one certifies these heights too.
    for (const height of this.#tallies.keys())
      if (height < kept && height !== this.certifiedHeight && height !== this.#owedHeight) this.#tallies.delete(height);
  }

  /** Whether a signature could say anything new: asked before it is verified. */
  wants(signature: CheckpointSignature): boolean {
    const { statement, signer } = signature;
    const { height } = statement;
    if (!equalBytes(statement.ledgerHash, this.#context.ledgerHash) || statement.epoch !== this.#setOf(height).epoch)
      return false;
    // Of an earlier round than the own result: it is of a block that a restart has given up.
    if (statement.round < (this.#own.get(height)?.outcome.statement.round ?? 0)) return false;
    if (height === this.#owedHeight) return !this.#tallies.get(height)?.bySigner.has(signer);
    if (height + heightsKept < this.#executedHeight || height > this.#executedHeight + heightsAheadMax) return false;
    const known = this.#tallies.get(height)?.bySigner.get(signer)?.signature.statement;
    if (known === undefined) {
      if (height <= this.certifiedHeight) return this.#tallies.has(height);
      if (height <= this.#executedHeight + heightsNear) return true;
      const far = this.#farHeights(signer);
      return far.length < farHeightsMax || height > far[0]!;
    }
    // A second one for a height and round is a proof of fault; one proof is enough. It is of the present epoch's keys.
    if (this.#setOf(height) !== this.#context.set) return false;
    if (known.round !== statement.round || this.#context.isProven(signer, 'checkpoints')) return false;
    return !equalBytes(checkpointDigest(known), checkpointDigest(statement));
  }

  /** Takes in a verified signature of a member of the epoch's set. */
  onSignature(signature: CheckpointSignature): void {
    const { statement, signer } = signature;
    if (!this.wants(signature)) return;
    if (statement.epoch === this.#context.set.epoch && statement.height > this.#signedHeights[signer]!)
      this.#signedHeights[signer] = statement.height;
    const digest = toHex(checkpointDigest(statement));
    const tally = this.#tallyOf(statement.height);
    const known = tally.bySigner.get(signer);
    if (known !== undefined) {
      this.#context.prove({ type: 'checkpoints', accused: signer, first: known.signature, second: signature });
      return;
    }
    tally.bySigner.set(signer, { signature, digest });
    this.#certify(statement.height);
    if (statement.height > this.#executedHeight + heightsNear) this.#limitFar(signer);
  }

  #tallyOf(height: Height): Tally {
    let tally = this.#tallies.get(height);
    if (tally === undefined) {
      tally = { bySigner: new Map() };
      this.#tallies.set(height, tally);
    }
    return tally;
  }

  /** Heights far above the own one that a validator has signed, ascending. */
  #farHeights(signer: ValidatorIndex): Height[] {
    const heights: Height[] = [];
    for (const [height, tally] of this.#tallies) {
      if (height > this.#executedHeight + heightsNear && tally.bySigner.has(signer)) heights.push(height);
    }
    return heights.sort((a, b) => a - b);
  }

  /** Of what a validator has signed far ahead only the newest stays: so nobody takes another's place. */
  #limitFar(signer: ValidatorIndex): void {
    const far = this.#farHeights(signer);
    for (const height of far.slice(0, Math.max(0, far.length - farHeightsMax))) {
      const tally = this.#tallies.get(height)!;
      tally.bySigner.delete(signer);
      if (tally.bySigner.size === 0) this.#tallies.delete(height);
    }
  }

  #certify(height: Height): void {
    const tally = this.#tallies.get(height);
    if (tally === undefined || (height <= this.certifiedHeight && height !== this.#owedHeight)) return;
    const counts = new Map<string, number>();
    for (const { digest } of tally.bySigner.values()) counts.set(digest, (counts.get(digest) ?? 0) + 1);
    for (const [digest, count] of counts) {
      if (count >= this.#setOf(height).quorum) this.#onQuorum(height, digest, tally);
    }
  }

  #onQuorum(height: Height, digest: string, tally: Tally): void {
    const own = this.#own.get(height);
    if (own === undefined) {
      if (height > this.#executedHeight) this.#certifiedAhead.set(height, digest);
      return;
    }
    if (own.name !== digest) {
      this.#diverge(height);
      return;
    }
    const isNewest = height > this.certifiedHeight;
    this.certifiedHeight = toHeight(Math.max(height, this.certifiedHeight));
    if (height === this.#owedHeight) this.#owedHeight = null;
    const signatures = [...tally.bySigner.values()]
      .filter((row) => row.digest === digest)
      .map((row) => row.signature)
      .sort((a, b) => a.signer - b.signer);
    this.#context.emit({ type: 'certified-checkpoint', statement: own.outcome.statement, signatures });
    if (!isNewest) return;
    this.#context.emit({ type: 'report', fact: { type: 'checkpoint-certified', height } });
    for (const kept of this.#tallies.keys())
      if (kept + heightsKept < height && kept !== this.#owedHeight) this.#tallies.delete(kept);
    for (const kept of this.#certifiedAhead.keys()) if (kept <= height) this.#certifiedAhead.delete(kept);
  }

  /** The own result differs from what a quorum certified: nothing here can be trusted any more. */
  #diverge(height: Height): void {
    if (this.isDiverged) return;
    this.isDiverged = true;
    this.#context.maySign = false;
    this.#context.maySignCheckpoints = false;
    this.#context.emit({ type: 'fence', reason: 'diverged', height });
  }

  /** Whether a quorum's signatures of a height itself are held, or were handed to storage. */
  isQuorumHeld(height: Height): boolean {
    const own = this.#own.get(height);
    const tally = this.#tallies.get(height);
    if (own === undefined || tally === undefined) return false;
    let count = 0;
    for (const { digest } of tally.bySigner.values()) if (digest === own.name) count++;
    return count >= this.#setOf(height).quorum;
  }

  /**
   * Answers `Checkpoint{height}` with all signatures held, and those of the newest certified height.
   *
   * @returns whether that is all: where fewer than a quorum of that height are held here, storage may have the others
   */
  onRequest(peer: ValidatorIndex, height: Height): boolean {
    const signatures = [...(this.#tallies.get(height)?.bySigner.values() ?? [])].map((row) => row.signature);
    const isQuorum = signatures.length >= this.#setOf(height).quorum;
    if (height < this.certifiedHeight) {
      const newest = this.#tallies.get(this.certifiedHeight)?.bySigner.values() ?? [];
      for (const row of newest) signatures.push(row.signature);
    }
    if (signatures.length > 0) this.#send([peer], signatures);
    return isQuorum;
  }

  /** Sends own signatures again and asks for the lowest uncertified height, every tRetry while one is not certified. */
  retryDue(finalizedHeight: Height): void {
    const { ms } = this.#context.now;
    const pause = retryMs(this.#context.constants);
    if (this.#isUncertified && ms >= this.#resentAtMs + pause) {
      if (this.#resentAtMs !== Number.NEGATIVE_INFINITY) this.#sendOwn('all');
      this.#resentAtMs = ms;
    }
    if (this.#isLacking(finalizedHeight) && ms >= this.#askedAtMs + pause) {
      if (this.#askedAtMs !== Number.NEGATIVE_INFINITY) this.#ask('all');
      this.#askedAtMs = ms;
    }
    if (!this.#isLacking(finalizedHeight)) this.#askedAtMs = Number.NEGATIVE_INFINITY;
    if (!this.#isUncertified) this.#resentAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Whether an own result waits for others to sign it. */
  get #isUncertified(): boolean {
    return this.#executedHeight > this.certifiedHeight || this.#owedHeight !== null;
  }

  /** Whether signatures are lacking that somebody may have. */
  #isLacking(finalizedHeight: Height): boolean {
    return finalizedHeight > this.certifiedHeight || this.#owedHeight !== null;
  }

  onConnected(peer: ValidatorIndex, finalizedHeight: Height): void {
    this.#sendOwn([peer]);
    if (this.#isLacking(finalizedHeight)) this.#ask([peer]);
  }

  #ask(to: 'all' | readonly ValidatorIndex[]): void {
    this.#context.emit({
      type: 'send',
      to,
      message: { type: 'request-checkpoint', height: this.#owedHeight ?? toHeight(this.certifiedHeight + 1) },
    });
  }

  /** Own signatures of uncertified heights, and of the newest certified one. */
  #sendOwn(to: 'all' | readonly ValidatorIndex[]): void {
    const signatures: CheckpointSignature[] = [];
    for (const [height, tally] of this.#tallies) {
      const self = this.#selfAt(height);
      const own = self === null ? undefined : tally.bySigner.get(self);
      if (own !== undefined && (height >= this.certifiedHeight || height === this.#owedHeight))
        signatures.push(own.signature);
    }
    if (signatures.length > 0) this.#send(to, signatures);
  }

  #send(to: 'all' | readonly ValidatorIndex[], signatures: readonly CheckpointSignature[]): void {
    for (let from = 0; from < signatures.length; from += signaturesPerMessage) {
      const page = signatures.slice(from, from + signaturesPerMessage);
      this.#context.emit({ type: 'send', to, message: { type: 'checkpoint-signatures', signatures: page } });
    }
  }

  /** Own outcomes of the last heights, in order. */
  outcomes(): Outcome[] {
    return [...this.#own.values()].map((own) => own.outcome).sort((a, b) => a.statement.height - b.statement.height);
  }

  /** After a restart: results that are executed but not known as certified are signed again, the same statement. */
  start(): void {
    for (const outcome of this.outcomes()) {
      const { height } = outcome.statement;
      if (height > 0 && (height >= this.certifiedHeight || height === this.#owedHeight)) this.#sign(outcome);
    }
  }

  deadline(finalizedHeight: Height): number {
    const pause = retryMs(this.#context.constants);
    const askAtMs = this.#isLacking(finalizedHeight) ? this.#askedAtMs + pause : Number.POSITIVE_INFINITY;
    const resendAtMs = this.#isUncertified ? this.#resentAtMs + pause : Number.POSITIVE_INFINITY;
    return Math.max(this.#context.now.ms + 1, Math.min(askAtMs, resendAtMs));
  }
}
