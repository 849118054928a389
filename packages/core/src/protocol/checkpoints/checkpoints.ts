/**
 * Certified checkpoints (protocol.md section 4): every validator signs the outcome of each height once; a quorum of equal
 * statements certifies it. No new block at h is notarized before h - L is certified here.
 *
 * A certified statement that equals the own result certifies all lower heights for this node too: the history root binds
 * every accepted transaction before it. So a node that catches up needs one certified checkpoint, not one for each height.
 *
 * Statements are compared, never signature bytes or headers that may vary. One of a later round with the same result takes the place of
 * the own one: operators have had that height executed again, and this node came to the same.
 *
 * The heights of an epoch are signed by its validators, also those executed after its boundary. So for heights up to the
 * genesis of the present epoch the set of the epoch before signs, and its members go on signing until these are certified.
 * The signatures of the boundary itself are asked for until a quorum of them is held: they prove to anybody who comes next.
 */
import { equalBytes, toHex } from '../../bytes/hex.ts';
import { type Hash, type Height, toHeight, type ValidatorIndex } from '../../model/brands.ts';
import { type CheckpointStatement, checkpointDigest, laterRoundOf } from '../../model/checkpoint.ts';
import type { CheckpointSignature } from '../../model/checkpoint-signature.ts';
import type { EpochTarget } from '../../model/epoch-target.ts';
import { restartRound } from '../../model/restart.ts';
import { retryMs } from '../constants.ts';
import type { ReplicaContext } from '../context.ts';
import type { Outcome } from '../effects.ts';
import { type EpochSet, indexIn } from '../epochs/epoch.ts';
import { Tally } from './tally.ts';

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
  readonly #certifiedAhead = new Map<Height, CheckpointStatement>();
  certifiedHeight: Height;
  #executedHeight: Height;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #resentAtMs = Number.NEGATIVE_INFINITY;
  isDiverged = false;
  /** See `certifiedDigest`. */
  #lackedRoundHeight: Height | null = null;
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

  /**
   * Digest of the checkpoint at a height if it is certified for this node; null otherwise.
   *
   * @param named what a block says that it is. Where that is the own result in a later round, a height above may have been heard of
   *   first: then its signatures are asked for, and null says that it is not certified here yet.
   */
  certifiedDigest(height: Height, named: Hash | null = null): Hash | null {
    if (height > this.certifiedHeight) return null;
    const own = this.#own.get(height);
    if (own === undefined) return null;
    if (named === null || equalBytes(own.digest, named) || laterRoundOf(own.outcome.statement, named) === null)
      return own.digest;
    this.#lackedRoundHeight = height;
    return null;
  }

  /** The height of which a block names a later round; null once that is certified here, or the block needs no vote any more. */
  #lackedRound(finalizedHeight: Height): Height | null {
    const height = this.#lackedRoundHeight;
    if (height !== null && finalizedHeight >= height + this.#context.constants.checkpointLag)
      this.#lackedRoundHeight = null;
    return this.#lackedRoundHeight;
  }

  /** Highest height a validator is known to have executed. */
  signedHeight(validator: ValidatorIndex): Height {
    return this.#signedHeights[validator]!;
  }

  /** The own result of a height: signed once, compared with what others certified. */
  onExecuted(outcome: Outcome): void {
    const { height } = outcome.statement;
    this.#noteOwn(outcome);
    const ahead = this.#certifiedAhead.get(height);
    this.#certifiedAhead.delete(height);
    if (ahead !== undefined && !this.#takeOver(ahead)) return;
    this.#sign(this.#own.get(height)!.outcome);
    this.#certify(height);
  }

  /**
   * A quorum has signed a statement of a height that is executed here. One of a later round with the same result is the own one from here on;
   * one of an earlier round is over. False where the own result is another one.
   */
  #takeOver(certified: CheckpointStatement): boolean {
    const { outcome } = this.#own.get(certified.height)!;
    const { statement } = outcome;
    if (certified.round < statement.round) return true;
    const isLater = certified.round > statement.round && certified.round !== restartRound;
    const own = isLater ? { ...statement, round: certified.round } : statement;
    if (!equalBytes(checkpointDigest(own), checkpointDigest(certified))) {
      this.#diverge(certified.height);
      return false;
    }
    if (isLater) {
      this.#setOwn({ ...outcome, statement: own });
      if (certified.height === this.#lackedRoundHeight) this.#lackedRoundHeight = null;
    }
    return true;
  }

  #sign(outcome: Outcome): void {
    if (this.#context.maySignCheckpoints && this.#selfAt(outcome.statement.height) !== null)
      this.#context.emit({ type: 'sign-checkpoint', outcome, isResend: false });
  }

  #setOwn(outcome: Outcome): void {
    const digest = checkpointDigest(outcome.statement);
    this.#own.set(outcome.statement.height, { outcome, digest, name: toHex(digest) });
  }

  #noteOwn(outcome: Outcome): void {
    const { statement } = outcome;
    this.#setOwn(outcome);
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
    const ownRound = this.#own.get(height)?.outcome.statement.round ?? 0;
    // An earlier round is over, or of a block that a restart has given up; and there is no later one than that.
    if (statement.round < ownRound || statement.round > restartRound) return false;
    const tally = this.#tallies.get(height);
    const known = tally?.of(signer, statement.round)?.statement;
    // Whoever signs a great many rounds is heard in the one that counts here.
    if (known === undefined && tally?.isFull(signer) === true && statement.round !== ownRound) return false;
    if (height === this.#owedHeight) return known === undefined;
    if (height + heightsKept < this.#executedHeight || height > this.#executedHeight + heightsAheadMax) return false;
    if (known === undefined) {
      if (height <= this.certifiedHeight) return tally !== undefined || height === this.#lackedRoundHeight;
      if (height <= this.#executedHeight + heightsNear) return true;
      const far = this.#farHeights(signer);
      return far.length < farHeightsMax || height > far[0]!;
    }
    // A second one for a height and round is a proof of fault; one proof is enough. It is of the present epoch's keys.
    if (this.#setOf(height) !== this.#context.set) return false;
    if (this.#context.isProven(signer, 'checkpoints')) return false;
    return !equalBytes(checkpointDigest(known), checkpointDigest(statement));
  }

  /** Takes in a verified signature of a member of the epoch's set. */
  onSignature(signature: CheckpointSignature): void {
    const { statement, signer } = signature;
    if (!this.wants(signature)) return;
    if (statement.epoch === this.#context.set.epoch && statement.height > this.#signedHeights[signer]!)
      this.#signedHeights[signer] = statement.height;
    const tally = this.#tallyOf(statement.height);
    const known = tally.of(signer, statement.round);
    if (known !== undefined) {
      this.#context.prove({ type: 'checkpoints', accused: signer, first: known, second: signature });
      return;
    }
    tally.add(signature);
    this.#certify(statement.height);
    if (statement.height > this.#executedHeight + heightsNear) this.#limitFar(signer);
  }

  #tallyOf(height: Height): Tally {
    let tally = this.#tallies.get(height);
    if (tally === undefined) {
      tally = new Tally();
      this.#tallies.set(height, tally);
    }
    return tally;
  }

  /** Heights far above the own one that a validator has signed, ascending. */
  #farHeights(signer: ValidatorIndex): Height[] {
    const heights: Height[] = [];
    for (const [height, tally] of this.#tallies) {
      if (height > this.#executedHeight + heightsNear && tally.has(signer)) heights.push(height);
    }
    return heights.sort((a, b) => a - b);
  }

  /** Of what a validator has signed far ahead only the newest stays: so nobody takes another's place. */
  #limitFar(signer: ValidatorIndex): void {
    const far = this.#farHeights(signer);
    for (const height of far.slice(0, Math.max(0, far.length - farHeightsMax))) {
      const tally = this.#tallies.get(height)!;
      tally.drop(signer);
      if (tally.isEmpty) this.#tallies.delete(height);
    }
  }

  #certify(height: Height): void {
    const tally = this.#tallies.get(height);
    if (tally === undefined) return;
    for (const { statement, name, count } of tally.counts()) {
      if (!this.#isOpen(statement)) continue;
      if (count >= this.#setOf(height).quorum) this.#onQuorum(statement, name, tally);
    }
  }

  /** Whether a quorum for a statement would say something new: of a certified height only a later round does. */
  #isOpen({ height, round }: CheckpointStatement): boolean {
    if (height > this.certifiedHeight || height === this.#owedHeight) return true;
    const own = this.#own.get(height);
    return own !== undefined && round > own.outcome.statement.round && round !== restartRound;
  }

  #onQuorum(certified: CheckpointStatement, name: string, tally: Tally): void {
    const { height, round } = certified;
    if (!this.#own.has(height)) {
      const known = this.#certifiedAhead.get(height);
      const isLatest = known === undefined || round > known.round;
      if (height > this.#executedHeight && isLatest) this.#certifiedAhead.set(height, certified);
      return;
    }
    if (!this.#takeOver(certified)) return;
    const own = this.#own.get(height)!;
    if (own.name !== name) return;
    const isNewest = height > this.certifiedHeight;
    this.certifiedHeight = toHeight(Math.max(height, this.certifiedHeight));
    if (height === this.#owedHeight) this.#owedHeight = null;
    const signatures = tally.signaturesOf(name);
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
    return tally.countOf(own.name) >= this.#setOf(height).quorum;
  }

  /**
   * Answers `Checkpoint{height}` with all signatures held, and those of the newest certified height.
   *
   * @returns whether that is all: where fewer than a quorum of that height are held here, storage may have the others
   */
  onRequest(peer: ValidatorIndex, height: Height): boolean {
    const tally = this.#tallies.get(height);
    const signatures = tally?.all() ?? [];
    const { quorum } = this.#setOf(height);
    const isQuorum = tally?.counts().some(({ count }) => count >= quorum) ?? false;
    if (height < this.certifiedHeight) signatures.push(...(this.#tallies.get(this.certifiedHeight)?.all() ?? []));
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
    const isOwed = this.#owedHeight !== null || this.#lackedRound(finalizedHeight) !== null;
    return isOwed || finalizedHeight > this.certifiedHeight;
  }

  onConnected(peer: ValidatorIndex, finalizedHeight: Height): void {
    this.#sendOwn([peer]);
    if (this.#isLacking(finalizedHeight)) this.#ask([peer]);
  }

  #ask(to: 'all' | readonly ValidatorIndex[]): void {
    const height = this.#lackedRoundHeight ?? this.#owedHeight ?? toHeight(this.certifiedHeight + 1);
    this.#context.emit({
      type: 'send',
      to,
      message: { type: 'request-checkpoint', height },
    });
  }

  /** Own signatures of uncertified heights, and of the newest certified one. */
  #sendOwn(to: 'all' | readonly ValidatorIndex[]): void {
    const signatures: CheckpointSignature[] = [];
    for (const [height, tally] of this.#tallies) {
      const self = this.#selfAt(height);
      if (self !== null && (height >= this.certifiedHeight || height === this.#owedHeight))
        signatures.push(...tally.allOf(self));
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
