/** What of a replica its journal must hold: storage has the rest. */
import type { CheckpointStatement } from '../model/checkpoint.ts';
import type { Chapters } from './chapters.ts';
import type { JournalRecord } from './effects.ts';

/**
 * Records from which a replica with the storage of now would be restored: the journal may begin anew with these.
 *
 * @param ownCheckpoints statements that were signed before this start, and that nothing else holds yet
 */
export function* liveRecords(
  { context, batches, tree, accountability, agreement, checkpoints, evidence }: Chapters,
  ownCheckpoints: Iterable<CheckpointStatement>,
): Iterable<JournalRecord> {
  const { epoch } = context.set;
  for (const batch of batches.held()) yield { type: 'batch', batch };
  for (const block of tree.blocks()) yield { type: 'block', block };
  for (const certificate of accountability.past.certificatesBelow(agreement.lastFinalized))
    yield { type: 'certificate', certificate };
  for (const state of agreement.liveViews()) {
    const { own } = state;
    if (own.notarize !== null) yield { type: 'own-vote', vote: { type: 'notarize', proposal: own.notarize } };
    if (own.isNullified) yield { type: 'own-vote', vote: { type: 'nullify', epoch, view: state.view } };
    if (own.finalize !== null) yield { type: 'own-vote', vote: { type: 'finalize', proposal: own.finalize } };
    for (const certificate of [state.notarization, state.nullification, state.finalization]) {
      if (certificate !== null) yield { type: 'certificate', certificate };
    }
    if (state.certification === 'ok' || state.certification === 'rejected') {
      yield {
        type: 'certified',
        epoch,
        view: state.view,
        isOk: state.certification === 'ok',
      };
    }
  }
  for (const statement of ownCheckpoints) yield { type: 'own-checkpoint', statement };
  for (const { statement } of checkpoints.outcomes()) {
    if (statement.height > checkpoints.certifiedHeight) yield { type: 'own-checkpoint', statement };
  }
  for (const proof of evidence.proofs()) yield { type: 'evidence', proof };
}
