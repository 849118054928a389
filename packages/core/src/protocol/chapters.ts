/** The chapters of one replica (protocol.md sections 2 to 7), and what each asks of the others. */

import type { Verifier } from '../crypto/verifier.ts';
import { toHeight, toValidatorIndex, type ValidatorIndex } from '../model/brands.ts';
import { Agreement } from './agreement/agreement.ts';
import { BlockTree } from './agreement/block-tree.ts';
import { BatchBook } from './batches/batch-book.ts';
import { Checkpoints } from './checkpoints/checkpoints.ts';
import { skipTimeoutMs } from './constants.ts';
import type { ReplicaContext } from './context.ts';
import type { Effect, Instant } from './effects.ts';
import { indexIn, isChange } from './epochs/epoch.ts';
import { Accountability } from './guard/accountability.ts';
import { accusationOf } from './guard/accused.ts';
import { createEvidenceReader } from './guard/block-evidence.ts';
import { EvidenceBook } from './guard/evidence-book.ts';
import { PeerActivity } from './guard/peer-activity.ts';
import type { ReplicaOrigin } from './origin.ts';
import { Delivery } from './sync/delivery.ts';
import { Fetcher } from './sync/fetcher.ts';

export type Chapters = {
  readonly context: ReplicaContext;
  readonly batches: BatchBook;
  readonly agreement: Agreement;
  readonly tree: BlockTree;
  readonly checkpoints: Checkpoints;
  readonly accountability: Accountability;
  readonly activity: PeerActivity;
  readonly evidence: EvidenceBook;
  readonly delivery: Delivery;
  readonly fetcher: Fetcher;
  /** Validators whose views may be skipped. */
  readonly suspended: Set<ValidatorIndex>;
};

/** Signs nothing yet. */
export function createChapters(
  origin: ReplicaOrigin,
  verifier: Verifier,
  now: Instant,
  emit: (effect: Effect) => void,
): Chapters {
  const { set, constants } = origin;
  const self = indexIn(set, origin.selfId) ?? toValidatorIndex(set.validators.length);
  const context: ReplicaContext = {
    ledgerHash: origin.ledgerHash,
    set,
    self,
    selfId: origin.selfId,
    previous: origin.previous,
    constants,
    now,
    maySign: false,
    maySignCheckpoints: false,
    finalizedHeight: () => tree.root.height,
    emit,
    prove: (proof) => {
      const accusation = accusationOf(proof, set, origin.previous?.set ?? null);
      if (accusation === null || !evidence.add(proof, accusation.accused)) return;
      // What it has sealed in this epoch, two batches of the epoch before say nothing of.
      if (proof.type === 'batches' && accusation.signers === set) batches.noteEquivocation(proof.accused);
    },
    isProven: (accused, type) => evidence.has(accused, type),
  };
  const proofsIn = createEvidenceReader(set, origin.ledgerHash, verifier, origin.previous?.set ?? null);
  const evidence = new EvidenceBook(context);
  const suspended = new Set(origin.suspended);
  const floors = set.validators.map((_, i) => origin.floors[i]?.seq ?? 0);
  const tree = new BlockTree(origin.executed, { floors, accused: new Set(origin.accused) }, proofsIn);
  const batches = new BatchBook(context, origin.floors);
  const activity = new PeerActivity(set.validators.length, self, set.quorum, skipTimeoutMs(constants), now.ms);
  const accountability = new Accountability(context, activity);
  const fetcher = new Fetcher(context, activity);
  const delivery = new Delivery(
    context,
    tree,
    batches,
    fetcher,
    activity,
    accountability,
    proofsIn,
    origin.executed.height,
  );
  const checkpoints = new Checkpoints(context, origin.outcomes, origin.certifiedHeight);
  const agreement = new Agreement(
    context,
    {
      batches,
      tree,
      fetcher,
      activity,
      accountability,
      evidence,
      proofsIn,
      // With a quorum of them suspended, those alone could nullify every view, for ever and at the network's pace.
      isSuspended: (validator) => suspended.size < set.quorum && suspended.has(validator),
      certifiedCheckpoint: (height, named) => checkpoints.certifiedDigest(height, named),
      nextSetAfter: (height) => {
        // An epoch knows nothing of what was wanted before it began; only a restart makes that another set.
        const target = checkpoints.targetAt(toHeight(Math.max(height, set.genesis.height)));
        return target !== null && isChange(set, target) ? target.digest : null;
      },
      isChangePending: () => {
        const target = checkpoints.latestTarget;
        return target !== null && isChange(set, target);
      },
      executedHeight: () => delivery.executedHeight,
      executedHeightOf: (peer) => checkpoints.signedHeight(peer),
      onFinalized: (certificate, proposal) => delivery.onFinalized(certificate, proposal),
    },
    origin.finalization,
  );
  return {
    context,
    batches,
    agreement,
    tree,
    checkpoints,
    accountability,
    activity,
    evidence,
    delivery,
    fetcher,
    suspended,
  };
}
